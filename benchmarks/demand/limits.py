"""What breaks first: the requests a day at which each part of the plainest arrangement is at its limit."""

import dataclasses
from collections.abc import Callable

from .assumptions import Assumptions
from .demand import MOST_REPLICAS, REPLICA_CORES, Demand
from .measured import Measured


@dataclasses.dataclass(frozen=True)
class Limit:
    """A part, the requests a day that it bears, and what takes its place."""

    requests: float
    what: str
    then: str


def limits(found: Measured, assumed: Assumptions) -> list[Limit]:
    """Return all limits, the first first."""
    machine, several = f"{found.served_cores} cores", f"{assumed.ranks} machines"
    parts: list[tuple[Callable[[Demand], float], float, str, str]] = [
        (
            lambda each: each.cores,
            found.served_cores,
            f"serving on {machine}",
            "a larger machine, or replicas: [deploy.md](deploy.md#kubernetes)",
        ),
        (
            lambda each: each.cores,
            REPLICA_CORES * MOST_REPLICAS,
            f"serving on the manifests' {MOST_REPLICAS} replicas of {REPLICA_CORES} cores",
            "a higher `maxReplicas`, larger replicas, GPUs",
        ),
        (
            lambda each: each.cores,
            assumed.machine_cores,
            f"serving on one machine of {assumed.machine_cores} cores",
            "Kubernetes with many replicas",
        ),
        (
            lambda each: each.training_h,
            assumed.night_hours,
            f"training on a day in {assumed.night_hours:g} h, {machine}",
            "`torchrun` on several machines: [training.md](training.md#many-processes)",
        ),
        (
            lambda each: each.ranks_h,
            assumed.night_hours,
            f"the same on {several}",
            "more machines, or a sample of the rows without an event",
        ),
        (
            lambda each: each.table_gb,
            assumed.memory_gb,
            f"tables in {assumed.memory_gb:g} GB of each rank",
            "tables in shards, TorchRec: [sharded-tables.md](sharded-tables.md)",
        ),
        (
            lambda each: each.kept_tb,
            assumed.disk_tb,
            f"logs of {assumed.log_days} days on {assumed.disk_tb:g} TB",
            "an object store, joins and batch jobs in [Spark](spark.md)",
        ),
        (
            lambda each: each.network_gbit_s,
            assumed.network_gbit_s * assumed.busy,
            f"one client machine's {assumed.network_gbit_s:g} Gbit/s, {assumed.busy:.0%} used",
            "several clients, each beside its servers",
        ),
    ]
    ends = [Limit(_requests(needs, bears, found, assumed), what, then) for needs, bears, what, then in parts]
    return sorted(ends, key=lambda limit: limit.requests)


def _requests(needs: Callable[[Demand], float], bears: float, found: Measured, assumed: Assumptions) -> float:
    """Return the requests a day whose need is what the part bears: needs are straight lines over requests."""
    none, one_million = (needs(Demand(requests, found, assumed)) for requests in (0.0, 1e6))
    return max(0.0, bears - none) / (one_million - none) * 1e6
