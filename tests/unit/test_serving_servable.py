import re
from pathlib import Path

import pytest

from polyrank.errors import RepositoryError
from polyrank.serving.servable import backends, servable_models
from polyrank.serving.server import serve


def add(repository: Path, model: str, *files: str) -> None:
    for file in files:
        (repository / model / file).parent.mkdir(parents=True, exist_ok=True)
        (repository / model / file).touch()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    add(tmp_path, "ranker", "config.pbtxt", "1/model.onnx", "2/model.onnx")
    add(tmp_path, "b-2.x", "config.pbtxt", "10/model.onnx")
    return tmp_path


def test_finished_models_are_found_in_order(repository: Path) -> None:
    assert servable_models(repository) == ("b-2.x", "ranker")


@pytest.mark.parametrize(
    ("model", "files"),
    [
        (".ranker.partial", ("config.pbtxt", "1/model.onnx")),
        ("no_config", ("1/model.onnx",)),
        ("no_version", ("config.pbtxt", "model.onnx")),
        ("hidden_version", ("config.pbtxt", ".2/model.onnx")),
        ("named_version", ("config.pbtxt", "2.partial/model.onnx")),
        ("version_zero", ("config.pbtxt", "0/model.onnx")),
        ("no_graph", ("config.pbtxt", "1/signature.json")),
    ],
)
def test_unfinished_model_is_passed_over(repository: Path, model: str, files: tuple[str, ...]) -> None:
    add(repository, model, *files)
    assert servable_models(repository) == ("b-2.x", "ranker")


@pytest.mark.parametrize("link", ["ranker", "ranker/2", "ranker/2/model.onnx", "ranker/config.pbtxt", "ranker/2/more"])
def test_link_that_leads_out_is_refused(repository: Path, tmp_path_factory: pytest.TempPathFactory, link: str) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    (repository / "ranker" / "2" / "more").mkdir()
    (repository / link).rename(elsewhere)
    (repository / link).symlink_to(elsewhere)
    line = f"{repository / link} is a link that leads out of the repository; put there what it leads to"
    with pytest.raises(RepositoryError, match=f"^{re.escape(line)}$"):
        servable_models(repository)
    assert servable_models(repository, ["b-2.x"]) == ("b-2.x",)


def test_link_within_the_repository_is_followed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (repository / "ranker" / "3").symlink_to("2")
    current = tmp_path_factory.mktemp("releases") / "current"
    current.symlink_to(repository)
    assert servable_models(current) == ("b-2.x", "ranker")


def test_models_asked_for_are_taken_alone(repository: Path) -> None:
    assert servable_models(repository, ["ranker", "ranker"]) == ("ranker",)


def test_missing_model_is_named_with_those_there(repository: Path) -> None:
    with pytest.raises(RepositoryError, match=r"model 'rank' is not in .*; it holds b-2\.x, ranker$"):
        servable_models(repository, ["rank"])


def test_empty_repository_says_to_publish(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=f"{tmp_path} holds no finished model; `polyrank publish` a bundle first"):
        servable_models(tmp_path)


def test_missing_repository_says_to_publish(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"none is not a folder; `polyrank publish` makes one"):
        servable_models(tmp_path / "none")


def test_name_that_a_shell_would_read_is_refused(repository: Path) -> None:
    add(repository, "a;b", "config.pbtxt", "1/model.onnx")
    with pytest.raises(RepositoryError, match=r"model name 'a;b' must be letters, digits"):
        servable_models(repository)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; publish the bundle again"),
        ("# nothing\n", "is empty; publish the bundle again"),
        ("name: 3 {", "cannot be read: 1:7 : .*"),
    ],
)
def test_config_that_says_nothing_is_refused_before_anything_starts(repository: Path, text: str, message: str) -> None:
    for model in ("ranker", "b-2.x"):
        (repository / model / "config.pbtxt").write_text('backend: "onnxruntime"')
    assert backends(repository, ["ranker"]) == {"ranker": "onnxruntime"}
    (repository / "ranker" / "config.pbtxt").write_text(text)
    with pytest.raises(RepositoryError, match=rf"^{repository}/ranker/config\.pbtxt {message}$"):
        serve(repository)
