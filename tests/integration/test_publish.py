"""A bundle becomes the next version of a model, whole, or the repository stays as it was."""

import errno
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import onnx
import pytest
from artefacts.runs import make_run, make_schema
from artefacts.small_disks import remount
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from polyrank.__main__ import main
from polyrank.errors import OutputError, RepositoryError
from polyrank.export import Bundle, ExportOptions, export_onnx, model_directory, publish
from polyrank.export.serving_options import ServingOptions
from polyrank.serving.servable import servable_models
from polyrank.signature import SIGNATURE_KEY


@pytest.fixture
def bundle(tmp_path: Path, toy_bundle: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model with the same name and another schema."""
    folder = tmp_path_factory.mktemp("other")
    make_run(folder / "run", make_schema("one of each"))
    return export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None)).path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def config_of(models: Path, name: str = "toy") -> Any:
    return text_format.Parse((models / name / "config.pbtxt").read_text(), pb.ModelConfig())


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file with its bytes and every directory, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_exchange_that_is_not_flushed_is_undone(
    toy_bundle: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(toy_bundle, models)

    def fail(place: Path) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error", str(place))

    monkeypatch.setattr("polyrank.export.repository.flush", fail)
    with pytest.raises(OutputError, match=r"^cannot write .*: input/output error"):
        publish(toy_bundle, models)
    assert model_directory.versions(models / "toy") == [1]


def test_first_version_is_one(toy_bundle: Path, models: Path) -> None:
    published = publish(toy_bundle, models)
    assert (published.model, published.version, published.path) == ("toy", 1, models / "toy" / "1")
    files = ["MODEL_CARD.md", "golden.npz", "model.onnx", "parity.json", "run.json", "signature.json", "version.json"]
    assert sorted(contents(models)) == [
        "toy",
        "toy/.highest_version",
        "toy/1",
        *(f"toy/1/{name}" for name in files),
        "toy/config.pbtxt",
    ]


def test_model_file_is_that_of_the_bundle(toy_bundle: Path, models: Path) -> None:
    published = publish(toy_bundle, models)
    assert (published.path / "model.onnx").read_bytes() == (toy_bundle / "model.onnx").read_bytes()


def test_versions_count_up_and_earlier_ones_stay(toy_bundle: Path, other_bundle: Path, models: Path) -> None:
    assert [publish(each, models).version for each in (toy_bundle, other_bundle, toy_bundle)] == [1, 2, 3]
    for version, source in (("1", toy_bundle), ("2", other_bundle), ("3", toy_bundle)):
        assert (models / "toy" / version / "model.onnx").read_bytes() == (source / "model.onnx").read_bytes()


def test_count_goes_on_after_the_highest_version(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / "1").rename(models / "toy" / "9")
    assert publish(toy_bundle, models).version == 10


def test_folder_that_is_no_version_does_not_count(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    for name in ("099", "latest", "0", "-3"):
        (models / "toy" / name).mkdir()
    assert publish(toy_bundle, models).version == 2
    assert (models / "toy" / "latest").is_dir()


def test_absent_model_has_no_versions(models: Path) -> None:
    assert model_directory.versions(models / "toy") == []


def test_file_of_the_owner_is_kept(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / "notes.txt").write_text("mine")
    publish(toy_bundle, models)
    assert (models / "toy" / "notes.txt").read_text() == "mine"


def test_bundle_is_left_as_it_was(bundle: Path, models: Path) -> None:
    before = contents(bundle)
    publish(Bundle.load(bundle), models)
    assert contents(bundle) == before


def test_nothing_is_left_beside_the_repository(toy_bundle: Path, tmp_path: Path) -> None:
    for _ in range(2):
        publish(toy_bundle, tmp_path / "models")
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_config_follows_the_graph(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    config, graph = config_of(models), onnx.load(toy_bundle / "model.onnx").graph
    types = {onnx.TensorProto.INT64: pb.TYPE_INT64, onnx.TensorProto.FLOAT: pb.TYPE_FP32}
    for entries, values in ((config.input, graph.input), (config.output, graph.output)):
        described = [(each.name, each.data_type, list(each.dims)) for each in entries]
        tensors = [(each.name, each.type.tensor_type) for each in values]
        expected = [(name, types[kind.elem_type], [kind.shape.dim[1].dim_value]) for name, kind in tensors]
        assert described == expected


def test_config_carries_defaults_and_signature(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    config = config_of(models)
    assert (config.name, config.backend, config.max_batch_size) == ("toy", "onnxruntime", 4096)
    assert config.instance_group[0].kind == pb.ModelInstanceGroup.KIND_AUTO
    assert config.HasField("dynamic_batching")
    assert config.parameters["intra_op_thread_count"].string_value == "2"
    assert config.parameters[SIGNATURE_KEY].string_value + "\n" == (toy_bundle / "signature.json").read_text()


def test_options_reach_the_config(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, options=ServingOptions(max_batch_size=8, queue_delay_us=50, threads=1))
    config = config_of(models)
    assert config.max_batch_size == 8
    assert config.dynamic_batching.max_queue_delay_microseconds == 50
    assert config.parameters["intra_op_thread_count"].string_value == "1"


def test_config_of_the_new_version_replaces_the_old(toy_bundle: Path, other_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    publish(other_bundle, models)
    assert config_of(models).parameters[SIGNATURE_KEY].string_value == Bundle.load(other_bundle).signature.to_json()


def observed(model: Path) -> tuple[str, int] | None:
    """Return run id of the config and newest version, as one state; None when it was exchanged meanwhile."""
    descriptor = os.open(model, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.fdopen(os.open("config.pbtxt", os.O_RDONLY, dir_fd=descriptor)) as file:
            config = text_format.Parse(file.read(), pb.ModelConfig())
        newest = max(int(name) for name in os.listdir(descriptor) if name.isdigit())  # noqa: PTH208 (of a descriptor)
        is_in_place = os.path.samestat(os.fstat(descriptor), model.stat())
    except (FileNotFoundError, ValueError):  # of a state that was exchanged and is being removed
        return None
    finally:
        os.close(descriptor)
    run_id = json.loads(config.parameters[SIGNATURE_KEY].string_value)["run_id"]
    return (run_id, newest) if is_in_place else None


def test_config_and_version_appear_together(toy_bundle: Path, other_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    sources = [other_bundle, toy_bundle] * 2
    run_ids = {"toy": Bundle.load(toy_bundle).signature.run_id, "other": Bundle.load(other_bundle).signature.run_id}
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(lambda: [publish(source, models) for source in sources])
        states = set()
        while not publishing.done():
            states.add(observed(models / "toy"))
    publishing.result()
    whole = {(run_ids["toy" if version % 2 else "other"], version) for version in range(1, 6)}
    assert states - {None} <= whole
    assert len(states - {None}) > 2


def test_name_of_the_model_can_be_chosen(toy_bundle: Path, models: Path) -> None:
    assert publish(toy_bundle, models, name="ranker-2_b").path == models / "ranker-2_b" / "1"
    assert config_of(models, "ranker-2_b").name == "ranker-2_b"


def test_models_count_their_versions_apart(toy_bundle: Path, models: Path) -> None:
    assert [publish(toy_bundle, models, name=name).version for name in ("a", "b", "a")] == [1, 1, 2]
    assert servable_models(models) == ("a", "b")


def test_longest_name_is_accepted(toy_bundle: Path, models: Path) -> None:
    assert publish(toy_bundle, models, name="m" * 128).version == 1


@pytest.mark.parametrize(
    "name", ["", ".hidden", "_a", "-a", "a/b", "../a", "a b", "a\n", "ü", "a.b", "$(id)", "m" * 129, "a;b"]
)
def test_name_that_is_no_model_name_is_refused(toy_bundle: Path, models: Path, name: str) -> None:
    with pytest.raises(RepositoryError, match=r"^model name must be letters, digits, '_' or '-', the first a letter"):
        publish(toy_bundle, models, name=name)
    assert not models.exists()


@pytest.mark.parametrize("entry", ["toy/1/model.onnx", "toy/readme.txt", "toy"])
def test_directory_or_file_that_is_no_model_is_refused(toy_bundle: Path, models: Path, entry: str) -> None:
    (models / entry).parent.mkdir(parents=True)
    (models / entry).write_text("something else")
    before = contents(models)
    with pytest.raises(RepositoryError, match=r"/toy exists and is no model: it has no config\.pbtxt; move it away$"):
        publish(toy_bundle, models)
    assert contents(models) == before


@pytest.mark.slow
def test_publishers_at_once_make_one_version_each(toy_bundle: Path, models: Path) -> None:
    command = [sys.executable, "-m", "polyrank", "publish", str(toy_bundle), str(models)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(each.communicate(timeout=60)[0] for each in both)
    assert said == [f"toy version {version} in {models}/toy/{version}\n" for version in (1, 2)]
    assert model_directory.versions(models / "toy") == [1, 2]


def test_many_publishers_in_threads_lose_no_version(toy_bundle: Path, models: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: publish(toy_bundle, models).version, range(12)))
    assert sorted(made) == list(range(1, 13))
    assert model_directory.versions(models / "toy") == list(range(1, 13))


@pytest.mark.parametrize("place", ["file", "file/models", "file/a/models"])
def test_repository_at_or_under_a_file_is_refused(toy_bundle: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    what = "is" if place == "file" else f"lies under {tmp_path}/file, which is"
    with pytest.raises(OutputError, match=rf"^repository {tmp_path}/{place} {what} a file; name a folder$"):
        publish(toy_bundle, tmp_path / place)
    assert contents(tmp_path) == {"file": b"mine"}


def test_dangling_link_in_place_of_the_model_is_refused(toy_bundle: Path, models: Path) -> None:
    models.mkdir()
    (models / "toy").symlink_to("nowhere")
    with pytest.raises(OutputError, match=r"^cannot write .*/models/toy: not a directory$"):
        publish(toy_bundle, models)


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_full_disk_is_told_and_leaves_nothing(toy_bundle: Path, small_disk: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*: no space left on device"):
        publish(toy_bundle, small_disk / "models")
    assert contents(small_disk) == {"models": None}


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_export_to_a_full_disk_is_told_and_leaves_nothing(toy_run: Path, small_disk: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*/disk/bundle: 2 graph\(s\) take .* free"):
        export_onnx(toy_run, out=small_disk / "bundle")
    assert contents(small_disk) == {}


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_repository_that_is_a_mount_is_refused_with_a_way_out(bundle: Path, small_disk: Path) -> None:
    remount(small_disk, "size=8m")
    with pytest.raises(
        RepositoryError, match=r"/disk is a mount point, .*; publish to a folder inside it, such as .*/d"
    ):
        publish(bundle, small_disk)
    assert contents(small_disk) == {}
    assert publish(bundle, small_disk / "models").version == 1


def test_disk_that_fills_while_versions_are_copied_is_told(
    toy_bundle: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(toy_bundle, models)
    before = contents(models)

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(OutputError, match=r"^cannot write .*/models/toy: .*No space left on device"):
        publish(toy_bundle, models)
    assert contents(models) == before


def test_file_system_without_hard_links_gets_copies(
    toy_bundle: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(toy_bundle, models)

    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert publish(toy_bundle, models).version == 2
    assert (models / "toy" / "1" / "model.onnx").read_bytes() == (toy_bundle / "model.onnx").read_bytes()


def test_verb_publishes_and_says_where(toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--name", "r", "--max-batch-size", "16", "--queue-delay-us", "9", "--threads", "3"]
    assert main(["publish", str(toy_bundle), str(models), *options]) == 0
    assert capsys.readouterr().out == f"r version 1 in {models}/r/1\n"
    config = config_of(models, "r")
    assert (config.max_batch_size, config.dynamic_batching.max_queue_delay_microseconds) == (16, 9)
    assert config.parameters["intra_op_thread_count"].string_value == "3"


def test_verb_reads_a_file_of_options_after_its_flags(toy_bundle: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "serving.toml").write_text("threads = 3\nmax_batch_size = 32\nqueue_timeout_us = 7")
    options = ["--config", str(tmp_path / "serving.toml"), "--max-batch-size", "16"]
    assert main(["publish", str(toy_bundle), str(models), *options]) == 0
    config = config_of(models)
    assert (config.max_batch_size, config.parameters["intra_op_thread_count"].string_value) == (16, "3")
    assert config.dynamic_batching.default_queue_policy.default_timeout_microseconds == 7


def test_verb_reports_a_refusal_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(tmp_path), str(tmp_path / "models")]) == 1
    captured = capsys.readouterr()
    assert (
        captured.err == f"polyrank: {tmp_path} is not a bundle: model.onnx is missing; make one with: polyrank export\n"
    )
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [[], ["bundle"], ["bundle", "models", "--threads", "many"]])
def test_wrong_usage_of_the_verb_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["publish", *arguments])
    assert caught.value.code == 2
    assert "usage: polyrank publish" in capsys.readouterr().err


def test_wrong_option_is_refused_before_anything_is_written(
    toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(toy_bundle), str(models), "--max-batch-size", "0"]) == 1
    assert capsys.readouterr().err == "polyrank: --max-batch-size must be in [1, 2**31), got 0\n"
    assert not models.exists()
