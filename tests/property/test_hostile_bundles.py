"""Bundles and journals that somebody damaged are published, recovered, or refused in one line."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from artefacts.hostile import bounded, hostile, mutated
from artefacts.runs import make_run, make_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.export import Bundle, ServingOptions, export_onnx
from polyrank.export.bundle import require_golden
from polyrank.export.servable import servables_of
from polyrank.impressions import Journal, recover
from polyrank.run_record import RunRecord
from polyrank.signature import Signature

FILES = ("signature.json", "run.json", "parity.json", "golden.npz", "model.onnx")
QUICK, MANY = 60, 1_500


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make_run(folder / "run", make_schema("only numeric"))
    return export_onnx(folder / "run", out=folder / "bundle").path


@pytest.fixture(scope="module")
def copy(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(whole, tmp_path_factory.mktemp("copy") / "bundle"))


def prove(folder: Path) -> None:
    """Do what publishing does before anything is written."""
    bundle = Bundle.load(folder)
    for servable in servables_of(bundle, "toy", ServingOptions(raw=True)):
        require_golden(servable.golden, bundle.model_file, shown=bundle.model_file)


def check(name: str, whole: Path, copy: Path, data: st.DataObject) -> None:
    content = (whole / name).read_bytes()
    (copy / name).write_bytes(data.draw(hostile(content)))
    try:
        with bounded():
            prove(copy)
    finally:
        (copy / name).write_bytes(content)


def test_bundle_that_nobody_damaged_is_proven(whole: Path) -> None:
    prove(whole)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=QUICK)
@given(data=st.data())
def test_hostile_file_of_a_bundle_is_refused_or_harmless(
    name: str, whole: Path, copy: Path, data: st.DataObject
) -> None:
    check(name, whole, copy, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=MANY)
@given(data=st.data())
def test_hostile_file_of_a_bundle_is_refused_or_harmless_in_many_cases(
    name: str, whole: Path, copy: Path, data: st.DataObject
) -> None:
    check(name, whole, copy, data)


@settings(max_examples=300)
@given(data=st.data())
def test_hostile_signature_is_read_or_refused(whole: Path, data: st.DataObject) -> None:
    with bounded():
        Signature.from_json(data.draw(mutated((whole / "signature.json").read_bytes())))


@settings(max_examples=300)
@given(data=st.data())
def test_hostile_record_is_read_or_refused(whole: Path, copy: Path, data: st.DataObject) -> None:
    (copy / "run.json").write_bytes(data.draw(mutated((whole / "run.json").read_bytes())))
    with bounded():
        RunRecord.load(copy)
    shutil.copy(whole / "run.json", copy / "run.json")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    batch = pa.record_batch({"item": np.arange(50), "text": [f"word {number}" for number in range(50)]})
    written = Journal(tmp_path_factory.mktemp("journal"), batch.schema, 1_700_000_000.0)
    for _ in range(3):
        written.append(batch)
    written.forget()
    return written.path


def check_journal(journal: Path, folder: Path, content: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / journal.name).write_bytes(content)
    with bounded():
        recover(folder)


def test_journal_with_a_name_that_is_no_text_is_left(journal: Path, tmp_path: Path) -> None:
    check_journal(journal, tmp_path / "log", journal.read_bytes().replace(b"text", b"\x80ext"))
    assert [path.name for path in (tmp_path / "log").glob(".*.journal")] == [journal.name]


@settings(max_examples=200)
@given(data=st.data())
def test_hostile_journal_is_recovered_or_left(
    journal: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "recovered"
    check_journal(journal, folder, data.draw(hostile(journal.read_bytes())))


@pytest.mark.slow
@settings(max_examples=3_000)
@given(data=st.data())
def test_hostile_journal_is_recovered_or_left_in_many_cases(
    journal: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "recovered"
    check_journal(journal, folder, data.draw(hostile(journal.read_bytes())))
