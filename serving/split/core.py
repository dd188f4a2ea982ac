"""The work of a split, written once: `Split` runs it as plain calls, `AsyncSplit` awaits it."""

import dataclasses
import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from polyrank.arguments import instance, named
from polyrank.errors import ConfigError, DataError, PolyrankError
from polyrank.fingerprint import fingerprint_one
from polyrank.rows import Rows
from polyrank.serving.checks import check_log, check_request_id, check_top_k
from polyrank.serving.items import Items
from polyrank.serving.origins import RequestIds
from polyrank.serving.ranking import User, user_row
from polyrank.serving.waiting import Waiting

from .interleaving import interleaved, marked, parts_of
from .shares import Shares, check_arm, check_arms

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.serving.impressions import ImpressionLog

_LOG = logging.getLogger(__name__)
_SILENT_S = 60.0
_TEAMS = 2


@dataclasses.dataclass(frozen=True)
class SplitItems:
    """Items in the form in which the ranker of each arm sends them; `Split.items` makes it.

    Attributes:
        by_arm: what each arm's `ranker.items` gave, all of the same rows.
        key: the column that names items in answers.
    """

    by_arm: Mapping[str, Items]
    key: str | None


class Plan(NamedTuple):
    """What an experiment is; see `Split`."""

    rankers: Mapping[str, Any]
    shares: Mapping[str, float]
    salt: str
    user: str
    missing: str | None
    log: "ImpressionLog | None"


class Asking(NamedTuple):
    """How a call asks; see `Ranker.rank`."""

    top_k: int | None
    options: Mapping[str, Any]
    request_id: str | None
    logs: bool


Call = Callable[[Any, Mapping[str, Any]], Awaitable[Any]]
"""Calls a ranker's method with arguments by name."""


class SplitCore:
    """Rankers, who is asked for whom, and what is logged of it."""

    def __init__(self, plan: Plan, waiting: Waiting, call: Call, *, is_async: bool) -> None:
        instance("arms", plan.rankers, Mapping, "a dict of rankers by arm")
        if not plan.rankers:
            raise ConfigError("arms must hold a ranker or more, got none")
        for arm, ranker in plan.rankers.items():
            _check_ranker(arm, ranker, is_async=is_async)
        self.shares = Shares(plan.shares, plan.salt, plan.user)
        check_arms("shares", plan.shares, plan.rankers)
        self.missing = next(iter(plan.rankers)) if plan.missing is None else plan.missing
        check_arm("missing", self.missing, plan.rankers)
        check_log(plan.log)
        self.plan, self._waiting, self._call = plan, waiting, call
        self._request_ids, self._warned = RequestIds(), dict.fromkeys(plan.rankers, -_SILENT_S)

    def arm(self, user_id: Any) -> str:
        """See `Split.arm`."""
        return self.shares.arm(user_id) or self.missing

    async def items(self, rows: Rows, key: str | None) -> SplitItems:
        """Encode a table of items for each arm."""
        rankers = self.plan.rankers.items()
        return SplitItems({arm: await self._call(each.items, {"rows": rows, "key": key}) for arm, each in rankers}, key)

    async def rank(self, user: User, items: Any, asking: Asking) -> "pa.Table":
        """See `Split.rank`."""
        row = user_row(user)
        drawn = self.shares.arm(self._id_of(row))
        arm = self.missing if drawn is None else drawn
        known = await self._items(items)
        answer = marked(await self._ask(arm, row, known, asking), arm, drawn)
        self._take_down(answer, row, known, asking)
        return answer

    async def interleave(self, user: User, items: Any, asking: Asking) -> "pa.Table":
        """See `Split.interleave`."""
        if len(self.plan.rankers) != _TEAMS:
            raise ConfigError(f"interleave compares two arms, got {len(self.plan.rankers)}; make a Split of two")
        check_top_k(asking.top_k)
        check_request_id(asking.request_id)
        row, known = user_row(user), await self._items(items)
        asking = asking._replace(request_id=asking.request_id or self._request_ids.next())
        works = [functools.partial(self._tried, arm, row, known, asking) for arm in self.plan.rankers]
        tried = dict(zip(self.plan.rankers, await self._waiting.all_of(works), strict=True))
        failed = {arm: each for arm, each in tried.items() if isinstance(each, PolyrankError)}
        found = {arm: each for arm, each in tried.items() if not isinstance(each, PolyrankError)}
        if not found:
            raise next(iter(failed.values()))
        if failed:
            answer = self._fallen_back(found, failed)
        else:
            most = asking.top_k or max(each.num_rows for each in found.values())
            answer = interleaved(found, known.key, most, functools.partial(self._coin, asking.request_id))
        self._take_down(answer, row, known, asking)
        return answer

    def shown(self, answer: "pa.Table", user: User, items: Any) -> None:
        """See `Split.shown`."""
        if self.plan.log is None:
            raise ConfigError("the split has no log; make it with Split(..., log=ImpressionLog(folder))")
        instance("items", items, SplitItems, "what split.items(rows, key=COLUMN) returned")
        for part in parts_of(answer):
            known = items.by_arm[part.ranker]
            self.plan.log.shown(part.rows, user=user, items=known, arm=part.arm, ranks=part.ranks)

    def _take_down(self, answer: "pa.Table", row: Mapping[str, Any], items: SplitItems, asking: Asking) -> None:
        if self.plan.log is not None and asking.logs:
            self.shown(answer, row, items)

    async def _items(self, items: Any) -> SplitItems:
        if isinstance(items, SplitItems):
            check_arms("items", items.by_arm, self.plan.rankers)
            return items
        if isinstance(items, Items):
            return SplitItems(dict.fromkeys(self.plan.rankers, items), items.key)
        return await self.items(items, None)

    async def _ask(self, arm: str, row: Mapping[str, Any], items: SplitItems, asking: Asking) -> "pa.Table":
        named = {"user": row, "items": items.by_arm[arm], "top_k": asking.top_k, "request_id": asking.request_id}
        return await self._call(self.plan.rankers[arm].rank, {**named, **asking.options})

    async def _tried(
        self, arm: str, row: Mapping[str, Any], items: SplitItems, asking: Asking
    ) -> "pa.Table | PolyrankError":
        try:
            return await self._ask(arm, row, items, asking)
        except PolyrankError as err:
            return err

    def _fallen_back(self, found: "Mapping[str, pa.Table]", failed: Mapping[str, PolyrankError]) -> "pa.Table":
        """Return the answer of the arm that has one: of no arm, since nothing is compared in it."""
        [(arm, err)], [(other, answer)] = failed.items(), found.items()
        now = time.monotonic()
        if now - self._warned[arm] >= _SILENT_S:
            self._warned[arm] = now
            _LOG.warning("arm %r does not answer, and lists are not interleaved: %s", arm, err)
        return marked(answer, other, None)

    def _coin(self, request_id: str | None, number: int) -> bool:
        return fingerprint_one(f"{self.plan.salt}/{request_id}/{number}", dtype="text") % 2 == 0

    def _id_of(self, row: Mapping[str, Any]) -> Any:
        if self.plan.user not in row:
            raise DataError(f"the user lacks {self.plan.user!r}, which the split goes by; None stands for a missing id")
        return row[self.plan.user]


def _check_ranker(arm: object, ranker: object, *, is_async: bool) -> None:
    instance("arms", arm, str, "a dict of rankers by arm, whose names are text")
    kind, split = ("an AsyncRanker", "an AsyncSplit") if is_async else ("a Ranker", "a Split")
    rank = getattr(ranker, "rank", None)
    if rank is None or inspect.iscoroutinefunction(rank) != is_async:
        raise ConfigError(f"arms[{arm!r}] must be {kind}, which {split} asks, got {named(ranker)}")
