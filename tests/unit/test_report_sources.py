"""What a report is made of: everything is recognised by what it is, and what is none of it is refused."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from artefacts.invented_result import as_text, comparison, load_test, rich_result

from polyrank.errors import DataError, RepositoryError, SchemaError
from polyrank.reporting.reading import ACCEPTED, read_sources
from polyrank.reporting.sources import Sources


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    """A copy of a run, to be damaged."""
    return Path(shutil.copytree(toy_run, tmp_path / "run"))


def test_run_directory_is_recognised(toy_run: Path) -> None:
    (found,) = read_sources([toy_run]).runs
    said = json.loads((toy_run / "metrics.json").read_text())
    assert (found.run_id, found.name) == (said["run_id"], str(toy_run))
    assert found.metrics.validation == said["validation"]
    assert [task.name for task in found.schema.tasks] == ["click", "like", "rating", "watch_s"]
    assert found.config["batch_size"] == 128
    assert found.train_s == json.loads((toy_run / "times.json").read_text())["train_s"]


def test_run_without_times_is_a_run(run: Path) -> None:
    (run / "times.json").unlink()
    assert read_sources([run]).runs[0].train_s is None


def test_bundle_is_recognised(toy_bundle: Path) -> None:
    (found,) = read_sources([toy_bundle]).bundles
    said = json.loads((toy_bundle / "parity.json").read_text())
    assert (len(found.parity.differences), found.parity.tolerance) == (len(said["differences"]), 1e-5)
    assert found.record is None


def test_bundle_over_requests_is_found_within_its_bundle(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))
    shutil.copytree(toy_bundle, bundle / "rank")
    assert [each.name for each in read_sources([bundle]).bundles] == [str(bundle), str(bundle / "rank")]


def test_published_version_tells_when(toy_bundle: Path, tmp_path: Path) -> None:
    version = Path(shutil.copytree(toy_bundle, tmp_path / "1"))
    written(version, "version.json", '{"published": "2026-03-01T10:00:00Z", "models": ["toy"], "options": {}}')
    record = read_sources([version]).bundles[0].record
    assert record is not None
    assert f"{record.published:%Y-%m-%d %H:%M}" == "2026-03-01 10:00"


def test_files_are_recognised_by_their_fields(tmp_path: Path) -> None:
    rich_result().save(tmp_path / "a.json")
    given = [tmp_path / "a.json", written(tmp_path, "b.json", as_text(load_test()))]
    given.append(written(tmp_path, "c.json", as_text(comparison())))
    found = read_sources(given)
    assert [each.found for each in found.evaluations] == [rich_result()]
    assert [each.found.model for each in found.loads] == ["toy"]
    assert [each.found.baseline for each in found.comparisons] == ["one_per_task"]


def test_path_given_twice_is_read_once(toy_run: Path) -> None:
    again = toy_run.parent / "elsewhere" / ".." / toy_run.name
    assert len(read_sources([toy_run, again]).runs) == 1


def test_what_is_of_the_first_run_comes_first(toy_run: Path, tmp_path: Path) -> None:
    own = json.loads((toy_run / "metrics.json").read_text())["run_id"]
    rich_result("another").save(tmp_path / "other.json")
    rich_result(own).save(tmp_path / "own.json")
    found = read_sources([tmp_path / "other.json", toy_run, tmp_path / "own.json"])
    assert found.main_id == own
    assert [each.run_id for each in found.evaluations] == [own, "another"]


def test_what_is_of_no_given_run_is_named(toy_run: Path, tmp_path: Path) -> None:
    load = written(tmp_path, "load.json", as_text(load_test("another")))
    assert read_sources([toy_run, load]).strangers() == (str(load),)


def test_nothing_is_a_stranger_where_all_is_of_one_run(tmp_path: Path) -> None:
    rich_result().save(tmp_path / "a.json")
    load = written(tmp_path, "b.json", as_text(load_test()))
    assert read_sources([tmp_path / "a.json", load]).strangers() == ()


def test_comparisons_alone_have_no_main_run() -> None:
    assert Sources().main_id is None


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_sources([path])
    return str(caught.value)


def test_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    assert refusal(path) == f"{path} does not exist; give {ACCEPTED}"


def test_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} holds neither metrics.json nor signature.json; give {ACCEPTED}"


NO_OBJECT = {
    "task,auc\nclick,0.7\n": "JSON is malformed",
    "[1, 2]": "Expected `object`, got `array`",
    "\udcff": "JSON is malformed",
    "": "Input data was truncated",
    '{"a":' * 100_000: "it is nested too deep",
}


@pytest.mark.parametrize("text", NO_OBJECT, ids=["CSV", "a list", "bytes", "nothing", "deep"])
def test_file_of_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    said = refusal(path)
    assert said.startswith(f"{path} is no JSON object: {NO_OBJECT[text]}")
    assert said.endswith(f"; give {ACCEPTED}")


def test_device_is_refused() -> None:
    assert refusal(Path("/dev/null")) == f"/dev/null is neither a file nor a directory; give {ACCEPTED}"


def test_json_of_something_else_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "other.json", '{"answer": 42}')
    assert refusal(path) == f"{path} is no file of Polyrank; give {ACCEPTED}"


def test_load_test_of_another_form_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "load.json", '{"loads": []}')
    message = refusal(path)
    assert message.startswith(f"{path} cannot be read: Object missing required field")
    assert message.endswith("; make it anew with this Polyrank")


def test_histogram_without_all_its_ends_is_refused(tmp_path: Path) -> None:
    result = rich_result()
    areas = {task: msgspec.structs.replace(found, counts=(1, 2)) for task, found in result.group_areas.items()}
    msgspec.structs.replace(result, group_areas=areas).save(tmp_path / "e.json")
    message = f"{tmp_path / 'e.json'} has 21 edges for 2 bins; evaluate anew with this Polyrank"
    assert refusal(tmp_path / "e.json") == message


def test_damaged_metrics_are_refused(run: Path) -> None:
    written(run, "metrics.json", "{")
    assert refusal(run).startswith(f"{run / 'metrics.json'} cannot be read: ")


def test_damaged_configuration_is_refused(run: Path) -> None:
    written(run, "config.toml", "epochs = ")
    assert refusal(run).startswith(f"{run / 'config.toml'} cannot be read: ")


def test_missing_configuration_is_refused(run: Path) -> None:
    (run / "config.toml").unlink()
    assert refusal(run) == f"{run / 'config.toml'} cannot be read: no such file or directory"


def test_damaged_schema_is_refused(run: Path) -> None:
    written(run, "schema.toml", "name = 1")
    with pytest.raises(SchemaError, match=r"schema\.toml"):
        read_sources([run])


def test_damaged_signature_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))
    written(bundle, "signature.json", "{}")
    with pytest.raises(RepositoryError, match=r"signature\.json: the model's signature cannot be read: "):
        read_sources([bundle])


def test_bundle_without_evidence_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))
    written(bundle, "parity.json", '{"differences": [], "onnxruntime": "1.24", "tolerance": 1e-5}')
    assert refusal(bundle) == f"{bundle / 'parity.json'} holds no difference; export the run anew"
