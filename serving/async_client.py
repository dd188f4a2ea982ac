"""`AsyncRanker`: the client for asyncio."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from polyrank.rows import Rows
from polyrank.signature import Signature

from .checks import check_items, not_copied
from .core import RankerCore, Wish
from .items import Items
from .options import ClientOptions
from .ranking import User
from .served import Served
from .telemetry import Telemetry

if TYPE_CHECKING:
    import pyarrow as pa

    from .impressions import ImpressionLog


class AsyncRanker:
    """`Ranker` for asyncio: the same calls, awaited, with the same arguments, answers and errors.

    Safe to share between tasks of one loop; another loop may use it later. It connects at `async with` or at its first
    call.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        model: str | None = None,
        *,
        timeout_s: float = 10.0,
        options: ClientOptions | None = None,
        telemetry: Telemetry | None = None,
        version: str | None = None,
    ) -> None:
        self._core = RankerCore(url, model, timeout_s, options, telemetry, version=version, is_async=True)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._core.model

    @property
    def signature(self) -> Signature:
        """Schema, layout and origin of the model, as last read from the server."""
        return self._core.served.signature

    @property
    def version(self) -> str:
        """The model version that was last heard of."""
        return self._core.served.version

    @property
    def served(self) -> Served:
        """All that the server last said of the model over rows."""
        return self._core.served

    async def score(self, rows: Rows, *, timeout_s: float | None = None, request_id: str | None = None) -> "pa.Table":
        """Score rows; see `Ranker.score`."""
        return await self._core.score(rows, timeout_s, request_id)

    async def items(self, rows: Rows, *, key: str | None = None) -> Items:
        """Encode a table of items once; see `Ranker.items`."""
        return await self._core.items(rows, key)

    async def rank(  # noqa: PLR0913 (as `Ranker`)
        self,
        user: User,
        items: Items | Rows,
        *,
        top_k: int | None = None,
        weights: Mapping[str, float] | None = None,
        exclude: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> "pa.Table":
        """Rank items for one user; see `Ranker.rank`."""
        return await self._core.rank(user, items, Wish(top_k, weights, exclude, log), timeout_s, request_id)

    async def recommend(  # noqa: PLR0913 (as `rank`)
        self,
        user: User,
        catalog: Items,
        *,
        top_k: int = 10,
        weights: Mapping[str, float] | None = None,
        exclude_seen: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> "pa.Table":
        """Return the best of a whole catalogue; see `Ranker.recommend`."""
        check_items(catalog)
        wish = Wish(top_k, weights, exclude_seen, log)
        return await self._core.rank(user, catalog, wish, timeout_s, request_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._core.close()

    def __reduce__(self) -> NoReturn:
        raise not_copied()

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self._core.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()
