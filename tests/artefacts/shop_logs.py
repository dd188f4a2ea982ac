"""Impressions and outcomes of a small shop, as files: what `polyrank loop` reads."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.impressions import Journal

SCHEMA = """
name = "shop"
time = "time_ms"
group = "user_id"
features = [
  { name = "user_id", kind = "categorical", dtype = "int64", side = "user", num_buckets = 100, embedding_dim = 4 },
  { name = "item_id", kind = "categorical", dtype = "int64", side = "item", num_buckets = 100, embedding_dim = 4 },
  { name = "price", kind = "numeric", side = "item", transform = ["log1p"] },
]
tasks = [
  { name = "click", kind = "binary", label = "is_click" },
  { name = "buy", kind = "binary", label = "is_buy" },
]
"""
TRAIN = """
epochs = 2
batch_size = 64
[model]
hidden_dims = [8]
tower_dims = [4]
[validation]
resamples = 0
[checkpoint]
every_steps = 8
"""
LOOP = """
[rows]
impressions = "impressions"
outcomes = "outcomes"
min_rows = 300
window = "30m"
[train]
config = "train.toml"
[evaluate]
tolerance = 0.5
min_rows = 20
min_positives = 5
[export]
rows_only = true
[publish]
repository = "models"
[watch]
min_impressions = 100
"""
BEGIN_S = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())
HOUR_S = 3_600
USERS, ITEMS = 60, 40


@dataclasses.dataclass(frozen=True)
class Shop:
    """A folder with a schema, loop.toml, and logs that grow.

    Attributes:
        folder: of them.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, loop: str = LOOP) -> "Shop":
        """Write the settings."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in {"schema.toml": SCHEMA, "train.toml": TRAIN, "loop.toml": loop}.items():
            (folder / name).write_text(text)
        return cls(folder)

    @property
    def settings(self) -> Path:
        """loop.toml."""
        return self.folder / "loop.toml"

    def show(
        self,
        *,
        hours: tuple[float, float],
        rows: int,
        version: int | None = None,
        taste: float = 1.0,
        arm: str | None = None,
        seed: int = 0,
    ) -> None:
        """Show `rows` items with a version between two hours, and have users click and buy.

        Args:
            hours: since the beginning.
            rows: how many.
            version: of the model; None shows without one.
            taste: how many times as often as usual users click.
            arm: of an experiment.
            seed: of what happens.
        """
        rng = np.random.default_rng([seed, int(hours[0] * 60)])
        begin, end = (round((BEGIN_S + hour * HOUR_S) * 1_000_000) for hour in hours)
        shown_us = np.sort(rng.integers(begin, end, rows))
        user, item = rng.integers(0, USERS, rows), rng.integers(0, ITEMS, rows)
        request = [f"r{seed}-{hours[0]:g}-{row}" for row in range(rows)]
        likes = (user % 3 == item % 3).astype(float)
        click = rng.random(rows) < np.minimum(taste * (0.1 + 0.5 * likes), 1.0)
        buy = click & (rng.random(rows) < 0.4)
        name = f"{hours[0]:07.2f}-{version}-{arm}-{seed}.parquet"
        shown = {
            "request_id": request,
            "shown_at": pa.array(shown_us, pa.timestamp("us", tz="UTC")),
            "model": ["shop"] * rows,
            "version": pa.array([None if version is None else str(version)] * rows, pa.string()),
            "arm": pa.array([arm] * rows, pa.string()),
            "rank": pa.array([1] * rows, pa.int32()),
            "user_id": user,
            "item_id": item,
            "price": 1.0 + item * 0.5,
        }
        delay_us = rng.integers(1, 20 * 60, rows) * 1_000_000
        happened = pa.timestamp("us", tz="UTC")
        outcomes = pa.concat_tables(
            pa.table(
                {
                    "request_id": pa.array(request).filter(pa.array(did)),
                    "item_id": item[did],
                    "task": [task] * int(did.sum()),
                    "time": pa.array((shown_us + delay_us)[did], happened),
                }
            )
            for task, did in (("click", click), ("buy", buy))
        )
        for what, table in (("impressions", pa.table(shown)), ("outcomes", outcomes)):
            (self.folder / what).mkdir(exist_ok=True)
            pq.write_table(table, self.folder / what / name)


def leave_journal(impressions: Path) -> None:
    """Put in the place of a file of impressions the journal of a writer that died."""
    table = pq.read_table(impressions)
    impressions.unlink()
    journal = Journal(impressions.parent, table.schema, 0.0)
    for batch in table.to_batches():
        journal.append(batch)
    journal.flush()
    journal.forget()


def with_items(shop: Shop) -> None:
    """Give the loop a table of items, which impressions have it all without."""
    pq.write_table(pa.table({"item_id": np.arange(ITEMS)}), shop.folder / "items.parquet")
    text = shop.settings.read_text()
    shop.settings.write_text(text.replace('outcomes = "outcomes"', 'outcomes = "outcomes"\nitems = "items.parquet"'))
