"""Rankers without a server, each with an order of its own."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from artefacts import shown

from polyrank.errors import PolyrankError
from polyrank.schema import Schema
from polyrank.serving import Items


class OrderedRanker:
    """Ranks as `Ranker` does, always in the same order.

    Args:
        order: places of items, the best first.
        version: that answers.
        schema: of that version.
        fails: raised in place of an answer.
    """

    def __init__(
        self,
        order: Sequence[int] = (0, 1, 2, 3),
        version: str = "1",
        schema: Schema = shown.SCHEMA,
        fails: PolyrankError | None = None,
    ) -> None:
        self._order, self.fails = order, fails
        self._served = shown.served(schema, version)
        self.asked: list[dict[str, Any]] = []

    def items(self, rows: Any, *, key: str | None = None) -> Items:
        return shown.items(rows, key, self._served)

    def rank(self, user: Any, items: Items, *, top_k: int | None, request_id: str | None, **options: Any) -> pa.Table:
        self.asked.append({"user": user, "top_k": top_k, "request_id": request_id, **options})
        if self.fails is not None:
            raise self.fails
        items.encoded(self._served)
        return shown.answer(items, self._order[:top_k], request_id or f"made by {self._served.version}")


class AsyncOrderedRanker:
    """The same, awaited."""

    def __init__(self, ranker: OrderedRanker) -> None:
        self._ranker = ranker

    async def items(self, rows: Any, *, key: str | None = None) -> Items:
        return self._ranker.items(rows, key=key)

    async def rank(self, user: Any, items: Items, **options: Any) -> pa.Table:
        return self._ranker.rank(user, items, **options)
