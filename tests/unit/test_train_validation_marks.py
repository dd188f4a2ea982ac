"""The rows that a training validates on are found again without encoding them."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from toy import toy_table

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.train import TrainConfig
from polyrank.train.config_sections import ValidationConfig
from polyrank.train.preparing import prepare, validation_marks

TABLE = toy_table(400).append_column("side", pa.array(np.where(np.arange(400) % 3, "train", "validation")))
SPLITS: dict[str, ValidationConfig] = {
    "the newest share": ValidationConfig(share=0.2),
    "the newest hours": ValidationConfig(hours=1.0),
    "a random share": ValidationConfig(split="random", share=0.3),
    "a random share by its own seed": ValidationConfig(split="random", seed=9),
    "some groups": ValidationConfig(split="group", share=0.3),
    "what a column says": ValidationConfig(column="side"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = tmp_path_factory.mktemp("marks")
    for number, start in enumerate((0, 150, 300)):
        pq.write_table(TABLE.slice(start, 150), rows / f"{number}.parquet")
    return rows


def grouped(schema: Schema) -> Schema:
    return msgspec.structs.replace(schema, group="user_id")


@pytest.mark.parametrize("case", SPLITS)
def test_marks_are_the_rows_that_training_validates_on(folder: Path, toy_schema: Schema, case: str) -> None:
    schema, config = grouped(toy_schema), TrainConfig(seed=3, validation=SPLITS[case])
    marks = validation_marks(schema, folder, config)
    chunks = list(prepare(schema, folder, config).validation.chunks())
    numbers = np.concatenate([rows.dense[:, 0] for rows in chunks])
    assert 0 < marks.sum() < 400
    assert_array_equal(numbers, TABLE["score"].to_numpy().astype(np.float32)[marks])


def test_split_that_leaves_too_few_rows_names_the_file(tmp_path: Path, toy_schema: Schema) -> None:
    pq.write_table(TABLE.slice(0, 3), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet: the split leaves 2 rows to train on and 1 to validate on; "):
        validation_marks(toy_schema, tmp_path / "rows.parquet", TrainConfig(validation=ValidationConfig(share=0.4)))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no column": ({"column": "part"}, r"0\.parquet: column 'part' is missing"),
    "no group": ({"split": "group"}, r"^\$\.validation\.split = 'group' needs a group column"),
    "no side": ({"column": "device"}, r"0\.parquet: split column 'device' holds .* at row 1; 'train' or 'validation'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_rows_that_do_not_fit_the_split_are_refused(folder: Path, toy_schema: Schema, case: str) -> None:
    validation, message = WRONG[case]
    with pytest.raises(DataError, match=message):
        validation_marks(toy_schema, folder, TrainConfig(validation=ValidationConfig(**validation)))
