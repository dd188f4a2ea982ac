"""The world of a closed loop: a simulated shop, its logs from before, and a folder as an application would have it."""

import dataclasses
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.features import NumericFeature
from polyrank.schema import Schema
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text

from .tally import COEC, Tally, counted

PAGE = 10
"""Places of a list, as of the logs."""
DAY_S = 86_400
START_S = 1_706_659_200
"""2024-01-31, UTC: the day after the month that the logs are of."""
BUCKETS = 20_000
"""At most, of a table: there are few ids, and each version is written, proved and loaded."""

LOOP = """
[rows]
base = "base.parquet"         # the logs from before there was a ranker
impressions = "impressions"   # what ImpressionLog writes
outcomes = "outcomes"
position = "position"         # trains with the place that an item was shown at
replay_cycles = {replay}
min_rows = {few}
[train]
config = "train.toml"
[evaluate]
tasks = ["click"]             # what lists are ordered by
holdout = "3h"
tolerance = {tolerance}
min_rows = 50
min_positives = 5
[publish]
repository = "models"
{server}
[watch]
tasks = ["click"]
tolerance = 0.1
min_impressions = {few}
"""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How large the world is, and how long it is watched.

    Attributes:
        users: of the shop.
        items: of the shop.
        base_visits: in the logs from before.
        visits: of a day, which is a cycle.
        cycles: how many.
        explored: share of visits with an explored place.
        tolerance: of AUC that a version may be worse by on the held-out hours, to be published.
        replay: cycles whose rows are learned from again.
        seed: of all that is drawn.
    """

    users: int = 150
    items: int = 300
    base_visits: int = 500
    visits: int = 1_000
    cycles: int = 10
    explored: float = 0.2
    tolerance: float = 0.1
    replay: int = 10
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class World:
    """A shop and the folder of its application.

    Attributes:
        sizes: of it.
        folder: of schema.toml, train.toml, loop.toml, logs, impressions, outcomes and models.
        shop: answers for its users.
        tally: what was shown and clicked so far, the logs from before too.
    """

    sizes: Sizes
    folder: Path
    shop: storefront.Shop
    tally: Tally

    @classmethod
    def make(cls, folder: Path, sizes: Sizes) -> "World":
        """Simulate the logs, and write all files."""
        size = {"users": sizes.users, "items": sizes.items, "seed": sizes.seed}
        shop, base = storefront.Shop(**size), storefront.simulate(PAGE * sizes.base_visits, **size)
        shop.remember(base)
        schema, tally = _schema(), Tally(sizes.items, PAGE)
        base = counted(base, tally, DAY_S)
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(base.select(schema.training_columns), folder / "base.parquet")
        (folder / "schema.toml").write_text(schema.to_toml())
        (folder / "train.toml").write_text(Path(__file__).with_name("train.toml").read_text())
        for name in ("impressions", "outcomes"):
            (folder / name).mkdir()
        world = cls(sizes, folder, shop, tally)
        world.write_settings()
        return world

    @property
    def settings(self) -> Path:
        """loop.toml."""
        return self.folder / "loop.toml"

    @property
    def models(self) -> Path:
        """The model repository."""
        return self.folder / "models"

    @property
    def impressions(self) -> Path:
        """Where impressions are logged."""
        return self.folder / "impressions"

    def catalogue(self) -> pa.Table:
        """Return all items, with what was counted of each."""
        return self.shop.catalogue().append_column(COEC, pa.array(self.tally.coec()))

    def write_settings(self, server: str | None = None) -> None:
        """Write loop.toml, with the address of a server once there is one."""
        named = "" if server is None else f'server = "{server}"'
        few = min(self.sizes.base_visits, self.sizes.visits) * PAGE // 2
        sizes = {"replay": self.sizes.replay, "tolerance": self.sizes.tolerance}
        self.settings.write_text(LOOP.format(**sizes, few=few, server=named))

    def write_outcomes(self, day: int, events: pa.Table) -> None:
        """Write what users did on a day."""
        pq.write_table(events, self.folder / "outcomes" / f"day-{day:03d}.parquet")


def _schema() -> Schema:
    """Return the shipped schema with small tables, and with what the application counts."""
    schema = Schema.from_toml(schema_text("storefront"))
    features = tuple(
        msgspec.structs.replace(each, num_buckets=BUCKETS) if getattr(each, "num_buckets", 0) > BUCKETS else each
        for each in schema.features
    )
    counts = NumericFeature(name=COEC, side="item", transform=("log1p", "standardize"))
    return msgspec.structs.replace(schema, features=(*features, counts))
