"""The arithmetic: what so many requests a day need."""

import dataclasses
import math

from traffic.model import schema

from polyrank.halves import halves_of

from .assumptions import Assumptions
from .measured import Measured

DAY_S = 86_400
REPLICA_CORES, LEAST_REPLICAS, MOST_REPLICAS = 2, 2, 8
"""As serving/deploy/kubernetes has them."""


@dataclasses.dataclass(frozen=True)
class Demand:
    """What `requests` a day need. Every property is one line of arithmetic."""

    requests: float
    found: Measured
    assumed: Assumptions

    @property
    def mean_requests_s(self) -> float:
        """Requests of a second, on average."""
        return self.requests / DAY_S

    @property
    def peak_requests_s(self) -> float:
        """Requests of the busiest second."""
        return self.mean_requests_s * self.assumed.peak

    @property
    def core_s(self) -> float:
        """Seconds of a core for a request: of one of `served_rows`, client included, and of the items beyond."""
        found, further = self.found, self.assumed.items - self.found.served_rows
        return found.served_cores / found.served_requests_s + found.item_s * further

    @property
    def cores(self) -> float:
        """Cores that serve the peak."""
        return self.peak_requests_s * self.core_s / self.assumed.busy

    @property
    def replicas(self) -> int:
        """Replicas of the manifests' size."""
        return max(LEAST_REPLICAS, math.ceil(self.cores / REPLICA_CORES))

    @property
    def network_gbit_s(self) -> float:
        """What the peak's requests and answers carry between clients and servers."""
        user, item = halves_of(schema())
        user_bytes = 8 * len(user.id_columns) + 4 * len(user.dense_columns)
        item_bytes = 8 * len(item.id_columns) + 4 * len(item.dense_columns)
        answer_bytes = 4 * (1 + len(schema().tasks))
        request_bytes = user_bytes + self.assumed.items * (item_bytes + answer_bytes)
        return self.peak_requests_s * request_bytes * 8 / 1e9

    @property
    def log_rows(self) -> float:
        """Rows of a day's log."""
        return self.requests * self.assumed.shown

    @property
    def log_gb(self) -> float:
        """Gigabytes of a day's log."""
        return self.log_rows * self.found.log_row_bytes / 1e9

    @property
    def kept_tb(self) -> float:
        """Terabytes of all logs that are kept."""
        return self.log_gb * self.assumed.log_days / 1e3

    @property
    def training_h(self) -> float:
        """Hours of one pass over a day's rows, on the machine measured."""
        return self.log_rows / self.found.trained_rows_s / 3600

    @property
    def ranks_h(self) -> float:
        """Hours of the same on several such machines."""
        return self.training_h / (self.assumed.ranks * self.assumed.rank_share)

    @property
    def machines(self) -> int:
        """Such machines that train on a day's rows in the time that they have."""
        if self.training_h <= self.assumed.night_hours:
            return 1
        return math.ceil(self.training_h / self.assumed.night_hours / self.assumed.rank_share)

    @property
    def scoring_h(self) -> float:
        """Hours in which `polyrank score` answers a day's rows again."""
        return self.log_rows / self.found.scored_rows_s / 3600

    @property
    def users(self) -> float:
        """Users of a day."""
        return self.requests / self.assumed.requests_a_user

    @property
    def table_gb(self) -> float:
        """Gigabytes of tables of users and items in training: float32, and a number a row for row-wise Adagrad."""
        return (self.users + self.assumed.catalogue) * 4 * (self.assumed.embedding_dim + 1) / 1e9
