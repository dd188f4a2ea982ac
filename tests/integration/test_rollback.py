"""Going back to an older version: what comes back, and what is refused."""

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from artefacts.runs import make_run, make_schema

from polyrank.__main__ import main
from polyrank.errors import OutputError, RepositoryError
from polyrank.export import (
    Bundle,
    ExportOptions,
    ServingOptions,
    export_onnx,
    list_versions,
    publish,
    rollback,
)
from polyrank.export.bundle import check_golden
from polyrank.export.model_directory import VersionRecord, versions
from polyrank.signature import SIGNATURE_KEY
from polyrank.triton_config import read_config


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model with the same name, another schema, and no metrics."""
    folder = tmp_path_factory.mktemp("other")
    make_run(folder / "run", make_schema("one of each"))
    return export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None)).path


def run_id_of(config: Any) -> str:
    return str(json.loads(config.parameters[SIGNATURE_KEY].string_value)["run_id"])


def publish_all(models: Path, *bundles: Path) -> None:
    for bundle in bundles:
        publish(bundle, models, name="toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(4096)):
            pass


def test_rollback_brings_the_older_files_as_a_new_version(toy_bundle: Path, other_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, other_bundle)
    published = rollback(models, name="toy")
    assert (published.version, published.path) == (3, models / "toy" / "3")
    check_golden(Bundle.load(toy_bundle), published.path / "model.onnx")
    assert run_id_of(read_config(models / "toy")) == Bundle.load(toy_bundle).signature.run_id


def test_answers_that_go_are_a_warning(
    toy_bundle: Path, other_bundle: Path, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    assert caplog.messages == []
    publish_all(models, other_bundle)
    lost = "toy no longer answers rating, watch_s, which the version before did: callers miss it"
    assert lost in caplog.messages


def test_rollback_takes_no_room_for_the_model(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    published = rollback(models, name="toy")
    assert (published.path / "model.onnx").samefile(models / "toy" / "1" / "model.onnx")


def test_rollback_brings_the_older_options(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, options=ServingOptions(max_batch_size=8))
    publish(toy_bundle, models, options=ServingOptions(max_batch_size=16))
    rollback(models, name="toy")
    assert read_config(models / "toy").max_batch_size == 8


def test_each_rollback_goes_one_version_further(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle, toy_bundle)
    found = [rollback(models, name="toy").path for _ in range(2)]
    assert [VersionRecord.load(path).origin for path in found] == [2, 1]


def test_rollback_after_a_publish_goes_to_what_was_live_before(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    rollback(models, name="toy")
    publish_all(models, toy_bundle)
    published = rollback(models, name="toy")
    assert (published.version, VersionRecord.load(published.path).origin) == (5, 1)


def test_publish_after_a_rollback_is_live(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    rollback(models, name="toy")
    assert publish(toy_bundle, models).version == 4
    assert [info.version for info in list_versions(models) if info.is_live] == [4]


def test_rollback_goes_to_the_version_that_is_named(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle, toy_bundle)
    assert VersionRecord.load(rollback(models, name="toy", to=1).path).origin == 1


def test_rolled_back_version_stays_when_its_origin_is_dropped(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    rollback(models, name="toy")
    publish(toy_bundle, models, keep=2)
    assert versions(models / "toy") == [3, 4]
    check_golden(Bundle.load(toy_bundle), models / "toy" / "3" / "model.onnx")


def cut_off(version: Path) -> None:
    os.truncate(version / "model.onnx", 5_000)


def no_record(version: Path) -> None:
    (version / "version.json").unlink()


def damaged_record(version: Path) -> None:
    (version / "version.json").write_text("{}")


def no_golden(version: Path) -> None:
    (version / "golden.npz").unlink()


def other_model(version: Path) -> None:
    shutil.copyfile(version.parent / "2" / "model.onnx", version / "model.onnx")


DAMAGE = {
    cut_off: "/toy/1/model.onnx is damaged: not an ONNX file",
    no_record: "/toy/1 has no version.json: an earlier Polyrank published it; publish its bundle again",
    damaged_record: "/toy/1/version.json cannot be read: Object missing required field `published`",
    no_golden: "/toy/1 is not a bundle: golden.npz is missing",
    other_model: "/toy/1: signature.json is not that of model.onnx; export the run anew",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_rollback_to_a_damaged_version_changes_nothing(
    toy_bundle: Path, other_bundle: Path, models: Path, damage: Any
) -> None:
    publish_all(models, toy_bundle, other_bundle)
    damage(models / "toy" / "1")
    before = contents(models)
    with pytest.raises(RepositoryError) as caught:
        rollback(models, name="toy")
    assert DAMAGE[damage] in str(caught.value)
    assert contents(models) == before
    assert [path.name for path in models.parent.iterdir()] == ["models"]


def test_first_version_has_none_to_go_back_to(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    with pytest.raises(RepositoryError, match=r"/toy has no version before 1, whose files are live; say which to go b"):
        rollback(models, name="toy")


def test_unknown_version_is_refused_with_those_there_are(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    with pytest.raises(RepositoryError, match=r"/toy has no version 7; it has 1, 2$"):
        rollback(models, name="toy", to=7)


def test_model_without_live_version_needs_a_number(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    shutil.rmtree(models / "toy" / "1")
    with pytest.raises(RepositoryError, match=r"/toy has no live version; say which to go back to$"):
        rollback(models, name="toy")


@pytest.mark.parametrize("small_disk", ["8m"], indirect=True)
def test_rollback_on_a_full_disk_is_told_and_changes_nothing(toy_bundle: Path, small_disk: Path) -> None:
    models = small_disk / "models"
    publish_all(models, toy_bundle, toy_bundle)
    fill(small_disk / "filler")
    before = contents(models)
    with pytest.raises(OutputError, match=r"^cannot write .*/models/toy: no space left on device"):
        rollback(models, name="toy")
    assert contents(models) == before
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "models"]


def test_verb_rolls_back_and_says_where(toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    assert main(["rollback", str(models), "--name", "toy", "--to", "1"]) == 0
    assert capsys.readouterr().out == f"toy version 3 in {models}/toy/3\n"
