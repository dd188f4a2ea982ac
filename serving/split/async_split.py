"""`AsyncSplit`: traffic between versions of a ranker, for asyncio."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polyrank.rows import Rows
from polyrank.serving.async_client import AsyncRanker
from polyrank.serving.ranking import User
from polyrank.serving.waiting import Asynchronous

from .core import Asking, Plan, SplitCore, SplitItems

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.serving.impressions import ImpressionLog


class AsyncSplit:
    """`Split` for asyncio: arms of `AsyncRanker`, the same calls, awaited, with the same arguments and answers."""

    def __init__(
        self,
        arms: Mapping[str, AsyncRanker],
        *,
        shares: Mapping[str, float],
        salt: str,
        user: str,
        missing: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> None:
        plan = Plan(arms, shares, salt, user, missing, log)
        self._core = SplitCore(plan, Asynchronous(), _call, is_async=True)

    def arm(self, user_id: Any) -> str:
        """Return the arm of a user; see `Split.arm`."""
        return self._core.arm(user_id)

    async def items(self, rows: Rows, *, key: str | None = None) -> SplitItems:
        """Encode a table of items once for each arm; see `Split.items`."""
        return await self._core.items(rows, key)

    async def rank(  # noqa: PLR0913 (as `Split`)
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
        """Rank items with the ranker of the user's arm; see `Split.rank`."""
        options = {"weights": weights, "exclude": exclude, "timeout_s": timeout_s}
        return await self._core.rank(user, items, Asking(top_k, options, request_id, logs))

    async def interleave(  # noqa: PLR0913 (as `Split`)
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
        """Ask both arms side by side, and draft one list; see `Split.interleave`."""
        options = {"weights": weights, "exclude": exclude, "timeout_s": timeout_s}
        return await self._core.interleave(user, items, Asking(top_k, options, request_id, logs))

    def shown(self, answer: "pa.Table", *, user: User, items: SplitItems) -> None:
        """Take down a list that was shown; see `Split.shown`."""
        self._core.shown(answer, user, items)


async def _call(method: Any, named: Mapping[str, Any]) -> Any:
    return await method(**named)
