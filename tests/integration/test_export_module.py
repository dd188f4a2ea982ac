"""A plain module of PyTorch, trained elsewhere, becomes a bundle that is served like any other."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

import polyrank as pr
from polyrank.errors import ConfigError, DataError, ExportError, ParityError, PolyrankError
from polyrank.export import ExportOptions, export_module
from polyrank.export.modules import SAMPLE_ROWS, _sample
from polyrank.signature import Precision

ITEMS = 50
TOML = f"""
name = "elsewhere"

[[features]]
name = "item"
kind = "categorical"
dtype = "int64"
side = "item"
identity = true
num_buckets = {ITEMS}

[[features]]
name = "city"
kind = "categorical"
dtype = "text"
num_buckets = 16

[[features]]
name = "age"
kind = "numeric"

[[tasks]]
name = "click"
kind = "binary"
label = "clicked"

[[tasks]]
name = "stars"
kind = "regression"
label = "rating"
"""
SCHEMA = pr.Schema.from_toml(TOML)


class Elsewhere(nn.Module):
    """Knows nothing of Polyrank but what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.items = nn.Embedding(ITEMS + 1, 8)
        self.cities = nn.Embedding(17, 4)
        self.layers = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))

    def forward(self, ids: Tensor, dense: Tensor, _weights: Tensor | None) -> dict[str, Tensor]:
        item, city = ids[:, 0], ids[:, 1]
        rows = torch.where((item >= 0) & (item < ITEMS), 1 + item, 0)
        places = torch.where(city < 0, 0, 1 + city % 16)
        numbers = torch.nan_to_num(dense / 100.0)
        logits = self.layers(torch.cat([self.items(rows), self.cities(places), numbers], dim=1))
        return {"click": torch.sigmoid(logits[:, 0]), "stars": logits[:, 1:]}


def rows(count: int = 200) -> pa.Table:
    generator = np.random.default_rng(3)
    return pa.table(
        {
            "item": generator.integers(0, ITEMS, count),
            "city": generator.choice(["Paris", "Lima", "Oslo"], count),
            "age": generator.normal(40.0, 15.0, count),
            "clicked": generator.integers(0, 2, count),
            "rating": generator.normal(size=count),
        }
    )


def expected(table: pa.Table) -> Mapping[str, Tensor]:
    batch = pr.Encoder(SCHEMA).encode(table)
    with torch.inference_mode():
        answers: Mapping[str, Tensor] = Elsewhere().eval()(
            torch.from_numpy(batch.ids), torch.from_numpy(batch.dense), None
        )
    return answers


def test_module_is_served_as_it_answers(tmp_path: Path) -> None:
    bundle = export_module(Elsewhere(), SCHEMA, rows(), out=tmp_path / "bundle")
    pr.publish(bundle, tmp_path / "models")
    with pr.serve(tmp_path / "models") as server, pr.Ranker(server.url) as ranker:
        scores = ranker.score(rows(33))
        ranked = ranker.rank({"city": "Lima", "age": 30.0}, rows(10).select(["item"]), top_k=3)
    for task, answer in expected(rows(33)).items():
        assert_allclose(scores[task].to_numpy(), answer.reshape(-1).numpy(), atol=1e-5)
    assert ranked.num_rows == 3


@pytest.mark.slow
def test_files_and_tables_give_the_same_bundle(tmp_path: Path) -> None:
    pq.write_table(rows(), tmp_path / "rows.parquet")
    of_file = export_module(Elsewhere(), SCHEMA, tmp_path / "rows.parquet", out=tmp_path / "a")
    of_table = export_module(Elsewhere(), SCHEMA, rows(), out=tmp_path / "b")
    assert of_file.model_file.read_bytes() == of_table.model_file.read_bytes()
    assert of_file.signature == of_table.signature


def test_files_give_as_many_rows_as_are_asked_for(tmp_path: Path) -> None:
    pq.write_table(rows(150), tmp_path / "a.parquet")
    pq.write_table(rows(5000)[150:], tmp_path / "b.parquet")
    sample, labels = _sample(SCHEMA, tmp_path, with_labels=True)
    whole = pa.concat_tables([rows(150), rows(5000)[150:]])
    expected_sample, expected_labels = _sample(SCHEMA, whole, with_labels=True)
    assert len(sample) == SAMPLE_ROWS
    np.testing.assert_array_equal(sample.ids, expected_sample.ids)
    np.testing.assert_array_equal(sample.dense, expected_sample.dense)
    np.testing.assert_array_equal(labels, expected_labels)


def test_rows_that_cannot_be_sliced_are_read(tmp_path: Path) -> None:
    pq.write_table(rows(20), tmp_path / "a.parquet")
    data = pyarrow.dataset.dataset(tmp_path)
    sample, _ = _sample(SCHEMA, data.scanner().to_reader(), with_labels=False)
    assert len(sample) == 20
    with pytest.raises(DataError, match=r"^rows must be a pyarrow table, a pandas or polars frame or a list of dicts"):
        _sample(SCHEMA, 7, with_labels=False)


def test_id_follows_schema_and_weights(tmp_path: Path) -> None:
    other = Elsewhere()
    with torch.no_grad():
        other.items.weight[0] += 1.0
    ids = [
        export_module(module, schema, rows(), out=tmp_path / str(place)).signature.run_id
        for place, (module, schema) in enumerate(
            [(Elsewhere(), SCHEMA), (Elsewhere(), SCHEMA), (other, SCHEMA), (Elsewhere(), renamed())]
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.slow
def test_id_follows_buffers_that_the_state_leaves_out(tmp_path: Path) -> None:
    ids = set()
    for shift in (0.0, 1.0):
        module = Elsewhere()
        module.register_buffer("shift", torch.tensor(shift), persistent=False)
        ids.add(export_module(module, SCHEMA, rows(), out=tmp_path / str(shift)).signature.run_id)
    assert len(ids) == 2


def renamed() -> pr.Schema:
    return msgspec.structs.replace(SCHEMA, name="other")


def test_smaller_numbers_are_measured_on_labels(tmp_path: Path) -> None:
    options = ExportOptions(precision=Precision(dense="fp16"))
    bundle = export_module(Elsewhere(), SCHEMA, rows(), out=tmp_path / "bundle", options=options)
    assert {loss.task for loss in bundle.parity().losses} == {"click", "stars"}


def test_smaller_numbers_without_labels_are_refused(tmp_path: Path) -> None:
    options = ExportOptions(precision=Precision(dense="fp16"))
    with pytest.raises(DataError, match="clicked"):
        export_module(Elsewhere(), SCHEMA, rows().drop(["clicked"]), out=tmp_path / "bundle", options=options)
    assert not (tmp_path / "bundle").exists()


class Answering(Elsewhere):
    """Answers something else."""

    def __init__(self, change: Callable[[dict[str, Tensor], Tensor], Any]) -> None:
        super().__init__()
        self.change = change

    def forward(self, ids: Tensor, dense: Tensor, weights: Tensor | None) -> Any:
        return self.change(super().forward(ids, dense, weights), dense)


def failing(_answers: dict[str, Tensor], _dense: Tensor) -> Any:
    raise IndexError("index out of range in self")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda answers, _: answers["click"], r"module must return a dict of click, stars, got float32 \(201,\)"),
        (
            lambda answers, _: {"click": answers["click"]},
            "module must return a dict of click, stars, got a dict of click",
        ),
        (
            lambda answers, _: answers | {"click": torch.zeros(len(answers["click"]), 2)},
            r"module must answer 201 rows of 'click' with float \(201, 1\) or \(201,\), got float32 \(201, 2\)",
        ),
        (
            lambda answers, _: answers | {"click": answers["click"] > 0},
            r"module must answer 201 rows of 'click' with float \(201, 1\) or \(201,\), got bool \(201,\)",
        ),
        (
            lambda answers, dense: answers | {"click": dense[:, 0]},
            "module answers a row of 'click' with a number that is not finite; rows with missing values",
        ),
        (
            lambda answers, _: answers | {"click": (answers["click"] - answers["click"].mean()).sigmoid()},
            "module answers a row of 'click' with 0.5 alone and .* among other rows; a server mixes requests",
        ),
        (failing, "module fails on 201 encoded rows: index out of range in self; it is called as module"),
    ],
    ids=["tensor", "task missing", "two columns", "bool", "NaN", "other rows", "raises"],
)
def test_wrong_answers_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        export_module(Answering(change), SCHEMA, rows(), out=tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def with_transform() -> pr.Schema:
    return pr.Schema.from_toml(TOML.replace('kind = "numeric"', 'kind = "numeric"\ntransform = ["log1p"]'))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"module": print}, ConfigError, "module must be a module of PyTorch, got"),
        ({"module": Elsewhere().to("meta")}, ConfigError, r"module must be on the CPU, got 'items.weight' on meta"),
        (
            {"schema": with_transform()},
            ConfigError,
            "feature 'age' has transform, but a module of yours gets numbers as",
        ),
        ({"schema": "schema.toml"}, ConfigError, r"^schema must be a Schema, such as Schema.load\(path\), got 'schema"),
        ({"rows": None}, ConfigError, "^rows must be a table, a frame, a list of dicts or files, got None$"),
        ({"rows": rows(0)}, DataError, "row"),
        ({"rows": rows().drop(["city"])}, DataError, "city"),
        ({"options": ExportOptions(precision=Precision(prune_rows=True))}, ExportError, "leave prune_rows out"),
    ],
    ids=["no module", "elsewhere", "transform", "path of a schema", "None", "no rows", "no column", "pruned"],
)
def test_wrong_arguments_are_refused(
    tmp_path: Path, arguments: dict[str, Any], error: type[PolyrankError], message: str
) -> None:
    given: dict[str, Any] = {"module": Elsewhere(), "schema": SCHEMA, "rows": rows(), "out": tmp_path / "bundle"}
    with pytest.raises(error, match=message):
        export_module(**(given | arguments))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["files/none.parquet", "memory://module/none.parquet"])
def test_files_without_a_row_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("files").mkdir()
    with fsspec.open(place, "wb") as file:
        pq.write_table(rows()[:0], file)
    with pytest.raises(DataError, match=r"none\.parquet holds no row"):
        export_module(Elsewhere(), SCHEMA, place, out=tmp_path / "bundle")


class Untraceable(Elsewhere):
    """Decides by the values of a batch, which a graph cannot."""

    def forward(self, ids: Tensor, dense: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        answers = super().forward(ids, dense, weights)
        return answers if bool(dense.nansum() > 0) else {name: -answer for name, answer in answers.items()}


def test_module_that_decides_by_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises((ExportError, ParityError)):
        export_module(Untraceable(), SCHEMA, rows(), out=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_card_says_what_is_not_known(tmp_path: Path) -> None:
    card = (export_module(Elsewhere(), SCHEMA, rows(), out=tmp_path / "bundle").path / "MODEL_CARD.md").read_text()
    assert "Elsewhere`, trained elsewhere |" in card
    assert "| `item` | categorical | item | `item` | id |" in card
    assert "| `city` | categorical | context | `city` | fingerprint |" in card
    assert "Trained elsewhere, on rows of which nothing is recorded here." in card
    assert "a table of" not in card


def test_block_of_the_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    (block,) = [
        text
        for text in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if "export_module" in text
    ]
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/export.md", "exec"), {})  # noqa: S102 (the page is ours)
    assert (tmp_path / "work" / "ours-models" / "ours" / "1" / "model.onnx").is_file()
