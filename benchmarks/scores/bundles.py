"""What is scored: a bundle, and a file of rows for it."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from evaluation import EXAMPLE, repeated

from polyrank.encoder import Batch, Encoder
from polyrank.export import export_onnx
from polyrank.files import Wanted
from polyrank.schema import Schema
from polyrank.signature import Signature
from polyrank.train import TrainConfig, fit
from polyrank.train.datasets import kuairand, storefront
from polyrank.train.datasets.shipped import schema_text

TRAINED_ROWS = 100_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """A bundle and rows: the file of them, and their number."""

    bundle: Path
    schema: Schema
    file: Path
    num_rows: int

    def wanted(self) -> Wanted:
        """What `polyrank score` reads of the file."""
        schema = self.schema
        return Wanted(columns=schema.feature_columns, text=schema.text_columns, integers=schema.integer_columns)

    def encoded(self) -> Batch:
        """Read and encode all rows."""
        table = pq.read_table(self.file, columns=list(self.schema.feature_columns))
        return Encoder(self.schema).encode(table)

    def head(self, rows: int) -> Path:
        """Write the first rows as a file of their own."""
        few = self.file.with_name("head.parquet")
        pq.write_table(pq.read_table(self.file).slice(0, rows), few)
        return few


def _shop(folder: Path, rows: int) -> Prepared:
    schema = Schema.from_toml(schema_text("storefront"))
    return _made(folder, schema, storefront.simulate(rows), TrainConfig(epochs=1))


def _kuairand(folder: Path, rows: int) -> Prepared:
    schema = Schema.load(EXAMPLE / "schema.toml")
    return _made(folder, schema, repeated(kuairand.load(EXAMPLE), rows), TrainConfig.load(EXAMPLE / "train.toml"))


def _made(folder: Path, schema: Schema, rows: pa.Table, config: TrainConfig) -> Prepared:
    folder.mkdir(parents=True)
    run = fit(schema, rows[:TRAINED_ROWS], out=folder / "run", config=config, progress=False)
    bundle = export_onnx(run.path, out=folder / "bundle").path
    file = folder / "rows.parquet"
    pq.write_table(rows, file)
    return Prepared(bundle=bundle, schema=schema, file=file, num_rows=len(rows))


_MAKERS: Mapping[str, Callable[[Path, int], Prepared]] = {"storefront": _shop, "kuairand": _kuairand}
NAMES = tuple(_MAKERS)


def prepared(name: str, folder: Path, rows: int) -> Prepared:
    """Return what lies in a folder, which is made where it does not."""
    file, bundle = folder / "rows.parquet", folder / "bundle"
    if not file.exists():
        return _MAKERS[name](folder, rows)
    return Prepared(
        bundle=bundle, schema=Signature.load(bundle).schema, file=file, num_rows=pq.read_metadata(file).num_rows
    )
