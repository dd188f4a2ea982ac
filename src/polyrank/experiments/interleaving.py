"""Interleaved lists: whose items users choose where both are in one list."""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.evaluation.influence import mean_influence, share_interval, standard_error
from polyrank.impressions import ARM, REQUEST_ID
from polyrank.labels import groups, label_matrix
from polyrank.metrics import Interval
from polyrank.metrics.evaluation import group_codes
from polyrank.result_files import ResultFile
from polyrank.rows import Rows, columns_of
from polyrank.schema import Schema

from .arms import Arms, read_arms
from .asking import asked_of
from .testing import holm, sign_test


class Wins(msgspec.Struct, frozen=True, kw_only=True):
    """An arm beside the baseline in the lists that have items of both.

    A list is won by the arm whose items have the larger sum of labels.

    Attributes:
        task: whose labels are summed.
        arm: its name.
        requests: lists with items of both.
        wins: those that the arm wins.
        losses: those that the baseline wins.
        share: of wins among both; None without any.
        interval: of the share, by users.
        users_for: users with more wins than losses.
        users_against: users with more losses than wins.
        p_value: that users are as uneven by chance; the sign test.
        adjusted_p: likewise, of all that were compared together; see `Difference`.
    """

    task: str
    arm: str
    requests: int
    wins: int
    losses: int
    share: float | None
    interval: Interval | None
    users_for: int
    users_against: int
    p_value: float
    adjusted_p: float = 1.0


class Interleaving(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """Arms beside a baseline in interleaved lists.

    Chapelle, Joachims, Radlinski and Yue, Large-Scale Validation and Analysis of Interleaved Search Evaluation, ACM
    Transactions on Information Systems 30, 2012.

    Attributes:
        by: column of arms, which an item came from.
        baseline: the arm that others are compared with.
        user: column of users.
        confidence: of intervals, which are not adjusted.
        found: of each task and arm.
        format: of this file.
    """

    noun: ClassVar[str] = "comparison of interleaved lists"
    verb: ClassVar[str] = "ab --interleaved"
    newest: ClassVar[int] = 1

    by: str
    baseline: str
    user: str
    confidence: float
    found: tuple[Wins, ...]
    format: int = 1

    def differs(self, wins: Wins) -> bool:
        """Say whether one arm wins more than by chance, all comparisons taken together."""
        return wins.adjusted_p < 1 - self.confidence


def compare_interleaved(
    schema: Schema,
    rows: Rows,
    *,
    by: str = ARM,
    baseline: str | None = None,
    user: str | None = None,
    confidence: float = 0.95,
) -> Interleaving:
    """Compare arms whose items stand in one list; see `compare`.

    Raises:
        ConfigError: as `compare`.
        DataError: as `compare`, or there is no column `request_id`.
    """
    asked = asked_of(schema, by=by, user=user, confidence=confidence)
    columns = columns_of(rows, tuple(dict.fromkeys((*asked.columns, REQUEST_ID))))
    arms = read_arms(columns[by], groups(columns[asked.user], asked.user), by=by, baseline=baseline)
    requests = group_codes(groups(columns[REQUEST_ID], REQUEST_ID))
    labels = label_matrix(asked.schema, columns)
    found = [
        _wins((task.name, name), _credits(labels[:, place], requests, arms, code), confidence)
        for place, task in enumerate(asked.schema.tasks)
        for code, name in enumerate(arms.names)
        if code > 0
    ]
    adjusted = holm([each.p_value for each in found])
    both = zip(found, adjusted, strict=True)
    told = tuple(msgspec.structs.replace(each, adjusted_p=value) for each, value in both)
    return Interleaving(by=by, baseline=arms.names[0], user=asked.user, confidence=confidence, found=told)


def _credits(
    labels: NDArray[np.float32], requests: NDArray[np.int64], arms: Arms, code: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return who won each list with items of both, and whose list it is: 1 the arm, -1 the baseline, 0 neither."""
    known = ~np.isnan(labels) & (requests >= 0)
    own, other = known & (arms.codes == code), known & (arms.codes == 0)
    size = int(requests.max(initial=-1)) + 1
    in_both = (np.bincount(requests[own], minlength=size) > 0) & (np.bincount(requests[other], minlength=size) > 0)
    credits_of = np.where(own, labels, np.where(other, -labels, 0)).astype(np.float64)
    gain = np.bincount(requests[known], credits_of[known], size)
    users = np.zeros(size, np.int64)
    users[requests[known]] = arms.users[known]
    return np.sign(gain[in_both]).astype(np.int64), users[in_both]


def _wins(names: tuple[str, str], lists: tuple[NDArray[np.int64], NDArray[np.int64]], confidence: float) -> Wins:
    won, users = lists
    decided = won != 0
    net = np.bincount(users, won) if len(won) else np.zeros(0)
    share = float((won[decided] > 0).mean()) if decided.any() else None
    ahead, behind = int((net > 0).sum()), int((net < 0).sum())
    return Wins(
        task=names[0],
        arm=names[1],
        requests=len(won),
        wins=int((won > 0).sum()),
        losses=int((won < 0).sum()),
        share=share,
        interval=None if share is None else _interval(won[decided] > 0, users[decided], confidence),
        users_for=ahead,
        users_against=behind,
        p_value=sign_test(ahead, behind),
    )


def _interval(won: NDArray[np.bool_], users: NDArray[np.int64], confidence: float) -> Interval:
    wins = won.astype(np.float64)
    error = standard_error(mean_influence(wins, np.ones(len(wins))), users)
    units = len(np.unique(users))
    return share_interval(float(wins.mean()), error, confidence, rows=len(wins), units=units)
