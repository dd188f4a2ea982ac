"""`Split`: traffic between versions of a ranker."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polyrank.rows import Rows
from polyrank.serving.client import Ranker
from polyrank.serving.closing import Closing
from polyrank.serving.ranking import User
from polyrank.serving.waiting import Blocking, finish

from .core import Asking, Plan, SplitCore, SplitItems

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.serving.impressions import ImpressionLog

_PARALLEL = 64
"""Lists that are interleaved at once."""


class Split(Closing):
    """Versions of a ranker that share the traffic: each user belongs to one, or sees both in one list.

    Safe to share between threads. `close` ends its threads; rankers and log are the caller's.

    Args:
        arms: rankers by the name of their arm: of versions of one model, or of any models and servers.
        shares: of users by arm, 1 together. A user leaves an arm only for one whose share has grown more.
        salt: names the experiment; users are drawn anew under another.
        user: the name of the feature that names users.
        missing: the arm of users without an id, whose impressions count for no arm; None takes the first.
        log: takes down what is answered, with the arm; None takes down nothing.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        arms: Mapping[str, Ranker],
        *,
        shares: Mapping[str, float],
        salt: str,
        user: str,
        missing: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> None:
        self._waiting = Blocking(_PARALLEL)
        self._core = SplitCore(Plan(arms, shares, salt, user, missing, log), self._waiting, _call, is_async=False)

    def arm(self, user_id: Any) -> str:
        """Return the arm of a user, the same in every process and for 46, "46" and 46.0.

        Raises:
            DataError: the id is neither text nor a whole number.
        """
        return self._core.arm(user_id)

    def items(self, rows: Rows, *, key: str | None = None) -> SplitItems:
        """Encode a table of items once for each arm; see `Ranker.items`."""
        return finish(self._core.items(rows, key))

    def rank(  # noqa: PLR0913 (as `Ranker`)
        self,
        user: User,
        items: "SplitItems | Rows",
        *,
        top_k: int | None = None,
        weights: Mapping[str, float] | None = None,
        exclude: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        logs: bool = True,
    ) -> "pa.Table":
        """Rank items for a user with the ranker of the user's arm, and take down what it answers.

        Args:
            user: as of `Ranker.rank`.
            items: from `items`, or rows of items to encode for this call.
            top_k: as of `Ranker.rank`.
            weights: as of `Ranker.rank`.
            exclude: as of `Ranker.rank`.
            timeout_s: as of `Ranker.rank`.
            request_id: as of `Ranker.rank`.
            logs: False where `shown` will say what of it was shown.

        Returns:
            The answer of `Ranker.rank`, whose metadata name the arm too, `polyrank.arm`.

        Raises:
            As `Ranker.rank`, and DataError: the user lacks the column of the split.
        """
        options = {"weights": weights, "exclude": exclude, "timeout_s": timeout_s}
        return finish(self._core.rank(user, items, Asking(top_k, options, request_id, logs)))

    def interleave(  # noqa: PLR0913 (as `rank`)
        self,
        user: User,
        items: "SplitItems | Rows",
        *,
        top_k: int | None = None,
        weights: Mapping[str, float] | None = None,
        exclude: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        logs: bool = True,
    ) -> "pa.Table":
        """Ask both arms side by side, and draft one list from their rankings; see `team_draft`.

        Coins are drawn from salt and request id, so that a list can be made again. Where one arm fails the list is that
        of the other, and counts for no arm.

        Args:
            user: as of `rank`.
            items: as of `rank`.
            top_k: as of `rank`; None takes as many as the longer ranking has.
            weights: as of `rank`.
            exclude: as of `rank`.
            timeout_s: as of `rank`.
            request_id: as of `rank`.
            logs: as of `rank`.

        Returns:
            A table in the order of the list, of the columns that both arms' answers have, and `arm`, text. Scores are
            those of its arm, and do not fall.

        Raises:
            ConfigError: the split has not two arms, or as `rank`.
            PolyrankError: as `rank`, where both arms fail.
        """
        options = {"weights": weights, "exclude": exclude, "timeout_s": timeout_s}
        return finish(self._core.interleave(user, items, Asking(top_k, options, request_id, logs)))

    def shown(self, answer: "pa.Table", *, user: User, items: SplitItems) -> None:
        """Take down a list that was shown: rows of an answer, in their order; see `ImpressionLog.shown`.

        Raises:
            ConfigError: the split has no log, or `items` are not its own.
            DataError: `answer` is none of a split.
        """
        self._core.shown(answer, user, items)

    def close(self) -> None:
        """End the threads that interleaving takes."""
        self._waiting.close()


async def _call(method: Any, named: Mapping[str, Any]) -> Any:
    return method(**named)
