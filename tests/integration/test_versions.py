"""Versions of a model count up for ever, are dropped, listed and brought back."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from artefacts.runs import make_run, make_schema

from polyrank.__main__ import main
from polyrank.errors import ConfigError, RepositoryError
from polyrank.export import (
    Bundle,
    ExportOptions,
    ServingOptions,
    export_onnx,
    list_versions,
    publish,
    rollback,
)
from polyrank.export.model_directory import VersionRecord, highest_version, versions


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model with the same name, another schema, and no metrics."""
    folder = tmp_path_factory.mktemp("other")
    make_run(folder / "run", make_schema("one of each"))
    return export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None)).path


@pytest.fixture
def old_bundle(tmp_path: Path, toy_bundle: Path) -> Path:
    """A bundle as an earlier Polyrank made it."""
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "old"))
    (folder / "run.json").unlink()
    return folder


def publish_all(models: Path, *bundles: Path) -> None:
    for bundle in bundles:
        publish(bundle, models, name="toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_number_of_a_removed_version_is_not_given_again(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    shutil.rmtree(models / "toy" / "2")
    assert publish(toy_bundle, models).version == 3


def test_number_that_was_ever_highest_is_kept_in_the_model(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    assert (models / "toy" / ".highest_version").read_text() == "2\n"
    shutil.rmtree(models / "toy" / "2")
    assert highest_version(models / "toy") == 2


def test_damaged_highest_number_is_named(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / ".highest_version").write_bytes(b"\xff")
    with pytest.raises(
        RepositoryError, match=r"/toy/\.highest_version must hold the highest version number that the mod"
    ):
        publish(toy_bundle, models)


def test_bundle_is_no_repository(toy_bundle: Path, models: Path) -> None:
    copy = Path(shutil.copytree(toy_bundle, models.parent / "copy"))
    before = contents(copy)
    for place, what in ((copy, "is a bundle"), (copy / "in" / "it", f"lies in the bundle {copy}")):
        with pytest.raises(
            RepositoryError, match=rf"^repository {place} {what}, which publishing would change; name an"
        ):
            publish(copy, place)
    assert contents(copy) == before


def test_newest_versions_are_kept(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle, toy_bundle)
    assert publish(toy_bundle, models, keep=2).version == 4
    assert versions(models / "toy") == [3, 4]


def test_all_versions_are_kept_by_default(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle, toy_bundle, toy_bundle)
    assert versions(models / "toy") == [1, 2, 3, 4]


def test_live_versions_are_never_dropped(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle, toy_bundle)
    publish(toy_bundle, models, keep=1, options=ServingOptions(specific_versions=(1, 4)))
    assert versions(models / "toy") == [1, 4]


def test_file_of_the_owner_stays_when_versions_are_dropped(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / "1" / "1").mkdir()
    (models / "toy" / "labels").mkdir()
    (models / "toy" / "labels" / "1").write_text("mine")
    publish(toy_bundle, models, keep=1)
    assert (models / "toy" / "labels" / "1").read_text() == "mine"


@pytest.mark.parametrize("keep", [0, -1])
def test_keeping_no_version_is_refused(toy_bundle: Path, models: Path, keep: int) -> None:
    message = rf"^keep must be an integer of 1 or above, got {keep}; leave it out to keep all versions$"
    with pytest.raises(ConfigError, match=message):
        publish(toy_bundle, models, keep=keep)
    assert not models.exists()


def test_live_version_that_does_not_exist_is_refused(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    with pytest.raises(ConfigError, match=r"^specific_versions must be versions of toy, which are 1, 2, got 7, 9$"):
        publish(toy_bundle, models, options=ServingOptions(specific_versions=(1, 7, 9)))
    assert versions(models / "toy") == [1]


def test_live_versions_with_other_tensors_are_refused(toy_bundle: Path, other_bundle: Path, models: Path) -> None:
    publish_all(models, other_bundle)
    with pytest.raises(
        RepositoryError, match=r"^version 1 of toy takes other features or gives other answers than version 2, "
    ):
        publish(toy_bundle, models, options=ServingOptions(latest_versions=2))
    assert versions(models / "toy") == [1]


def test_live_versions_with_the_same_tensors_go_together(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle)
    publish(toy_bundle, models, options=ServingOptions(latest_versions=2))
    assert [info.is_live for info in list_versions(models)] == [True, True]


def test_version_carries_what_its_bundle_says(toy_bundle: Path, models: Path) -> None:
    published = publish(toy_bundle, models)
    for name in ("model.onnx", "golden.npz", "signature.json", "parity.json", "run.json", "MODEL_CARD.md"):
        assert (published.path / name).read_bytes() == (toy_bundle / name).read_bytes()


def test_record_tells_options_and_time(toy_bundle: Path, models: Path) -> None:
    options = ServingOptions(threads=3)
    record = VersionRecord.load(publish(toy_bundle, models, options=options).path)
    assert (record.options, record.models, record.origin) == (options, ("toy",), None)
    assert record.published.tzinfo is not None


def test_bundle_without_run_record_is_published(old_bundle: Path, models: Path) -> None:
    publish(old_bundle, models)
    (info,) = list_versions(models)
    assert info.validation == {}


def test_bundle_carries_the_metrics_of_its_run(toy_run: Path, toy_bundle: Path) -> None:
    metrics = json.loads((toy_run / "metrics.json").read_text())
    record = json.loads((toy_bundle / "run.json").read_text())
    kept = ("run_id", "train_rows", "validation_rows", "data_digest", "validation", "counts", "intervals", "kept")
    assert {key: record[key] for key in kept} == {key: metrics[key] for key in kept}


def test_bundle_carries_the_configuration_of_its_run(toy_run: Path, toy_bundle: Path) -> None:
    record = json.loads((toy_bundle / "run.json").read_text())
    assert record["config"] == tomllib.loads((toy_run / "config.toml").read_text())


def test_damaged_metrics_refuse_the_export(toy_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(toy_run, tmp_path / "run"))
    (run / "metrics.json").write_text("{")
    with pytest.raises(RepositoryError, match=r"/metrics\.json cannot be read: .*; train and export anew$"):
        export_onnx(run, out=tmp_path / "bundle")


@pytest.mark.parametrize("verb", [rollback, list_versions])
def test_unknown_model_is_refused(toy_bundle: Path, models: Path, verb: Any) -> None:
    publish(toy_bundle, models)
    with pytest.raises(RepositoryError, match=r"/models has no model 'ranker'; name one that was published$"):
        verb(models, name="ranker")


@pytest.mark.parametrize("verb", [rollback, list_versions])
def test_url_is_no_folder(verb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RepositoryError, match=r"^s3://bucket/models is a URL, a folder is expected; publish_remote "):
        verb("s3://bucket/models", name="toy")
    assert list(tmp_path.iterdir()) == []


def test_url_is_no_folder_to_publish_to(toy_bundle: Path) -> None:
    with pytest.raises(RepositoryError, match=r"^gs://bucket/models is a URL, a folder is expected; publish_remote "):
        publish(toy_bundle, "gs://bucket/models")


def test_absent_repository_is_not_made_by_a_look(models: Path) -> None:
    with pytest.raises(RepositoryError, match=r"/models is not a folder; `polyrank publish` makes one$"):
        list_versions(models)
    assert not models.exists()


def test_configuration_that_is_none_is_named(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / "config.pbtxt").write_text("name: 3 {")
    with pytest.raises(RepositoryError, match=r"/toy/config\.pbtxt cannot be read: 1:7 : "):
        list_versions(models)
    (models / "toy" / "config.pbtxt").write_bytes(b"\xff")
    with pytest.raises(RepositoryError, match=r"/toy is no model: it has no config\.pbtxt that can be read$"):
        list_versions(models)


def test_file_that_grows_too_large_is_told_and_changes_nothing(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    before = contents(models)
    command = 'ulimit -f 16; exec "$0" -m polyrank publish "$1" "$2"'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, str(toy_bundle), str(models)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"polyrank: cannot write {models}/toy: file too large")
    assert contents(models) == before
    assert [path.name for path in models.parent.iterdir()] == ["models"]


def test_versions_are_listed_with_what_is_known(toy_run: Path, toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    rollback(models, name="toy")
    found = list_versions(models, name="toy")
    assert [(info.version, info.is_live, info.origin) for info in found] == [
        (3, True, 1),
        (2, False, None),
        (1, False, None),
    ]
    assert {info.run_id for info in found} == {Bundle.load(toy_bundle).signature.run_id}
    assert found[0].validation == json.loads((toy_run / "metrics.json").read_text())["validation"]
    assert found[0].size_bytes == sum(path.stat().st_size for path in (models / "toy" / "3").iterdir())


def test_version_of_an_earlier_release_is_listed(toy_bundle: Path, models: Path) -> None:
    path = publish(toy_bundle, models).path
    for file in path.iterdir():
        if file.name != "model.onnx":
            file.unlink()
    (info,) = list_versions(models)
    assert (info.run_id, info.published, info.validation) == (None, None, {})


def test_verb_prints_a_line_for_each_version(
    toy_run: Path, toy_bundle: Path, other_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_all(models, other_bundle, toy_bundle)
    assert main(["versions", str(models)]) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    auc = json.loads((toy_run / "metrics.json").read_text())["validation"]["click"]["auc"]
    assert head.split() == ["model", "version", "run", "published", "(UTC)", "MB", "validation"]
    assert newest.split()[:3] == ["toy", "2", "live"]
    assert f"click auc {auc:.4f}, like auc" in newest
    assert oldest.split()[:2] == ["toy", "1"]
    assert oldest.endswith("  -")


def test_verb_prints_json(toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(toy_bundle, models)
    assert main(["versions", str(models), "--name", "toy", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["model"], entry["version"], entry["is_live"]) == ("toy", 1, True)


def test_verb_keeps_as_many_as_it_is_told(toy_bundle: Path, models: Path) -> None:
    publish_all(models, toy_bundle, toy_bundle)
    assert main(["publish", str(toy_bundle), str(models), "--keep", "1"]) == 0
    assert versions(models / "toy") == [3]
