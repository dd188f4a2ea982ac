"""Arguments of publishing that are of a wrong type, before anything is read or written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrank.__main__ import main
from polyrank.errors import ConfigError, RepositoryError
from polyrank.export import list_versions, publish, publish_remote, rollback
from polyrank.export.model_directory import highest_version, parsed_highest
from polyrank.export.together import require_together
from polyrank.triton_config import read_config


@pytest.mark.parametrize("verb", [publish, publish_remote])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bundle": None}, r"^bundle must be a path, got None$"),
        ({"bundle": ""}, r"^bundle must be a path, got ''$"),
        ({"repository": None}, r"^repository must be (a path|text, without lone surrogates), got None$"),
        ({"name": 5}, r"^name must be text, without lone surrogates, got 5$"),
        ({"options": "serving.toml"}, r"^options must be ServingOptions, got 'serving\.toml'$"),
        ({"keep": "2"}, r"^keep must be an integer of 1 or above, got '2'; leave it out to keep all versions$"),
        ({"keep": True}, r"^keep must be an integer of 1 or above, got True; leave it out to keep all versions$"),
        ({"keep": 2.5}, r"^keep must be an integer of 1 or above, got 2\.5; leave it out to keep all versions$"),
        ({"server": "localhost:8001"}, r"^server must be a ModelControl, got 'localhost:8001'$"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_argument_of_a_wrong_type_is_refused(
    verb: Callable[..., Any], arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"bundle": tmp_path / "absent", "repository": str(tmp_path / "models")} | arguments
    with pytest.raises(ConfigError, match=message):
        verb(given.pop("bundle"), given.pop("repository"), **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rollback(None, name="a"), r"^repository must be a path, got None$"),  # type: ignore[arg-type]
        (lambda: rollback("models", name=5), r"^name must be text, .*, got 5$"),  # type: ignore[arg-type]
        (lambda: rollback("models", name="a", to="1"), r"^to must be an integer in \[1, 2\*\*63\), got '1'$"),  # type: ignore[arg-type]
        (lambda: rollback("models", name="a", server=5), r"^server must be a ModelControl, got 5$"),  # type: ignore[arg-type]
        (lambda: list_versions(None), r"^repository must be a path, got None$"),  # type: ignore[arg-type]
    ],
)
def test_argument_of_going_back_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["publish", "a", "b", "--keep", "0"],
            "--keep must be an integer of 1 or above, got 0; leave it out to keep all versions",
        ),
        (["publish", "a", "b", "--threads", "0"], "--threads must be in [1, 1025), got 0"),
        (["rollback", "b", "--name", "a", "--to", "0"], "--to must be an integer in [1, 2**63), got 0"),
    ],
)
def test_commands_name_options_as_they_are_typed(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"


def test_server_in_the_place_of_a_version_is_told_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["rollback", "models", "--name", "a", "--to", "localhost:8000"])
    message = "argument --to: must be a version, such as 3, got 'localhost:8000'; a server goes to --url\n"
    assert capsys.readouterr().err.endswith(message)


@pytest.mark.parametrize(
    ("held", "shown"),
    [("many\n", "'many'"), ("9" * 23, f"'{'9' * 23}'"), ("9" * 40, f"'{'9' * 12}...{'9' * 13}'")],
)
def test_highest_number_that_is_none_is_shown_with_what_removing_it_means(held: str, shown: str) -> None:
    message = (
        rf"^file must hold .*, of at most 18 digits, got {shown}; write it there, or remove the file, and numbers "
    )
    with pytest.raises(RepositoryError, match=message):
        parsed_highest(held, "file")


def test_highest_number_of_a_model_without_versions_is_zero(tmp_path: Path) -> None:
    assert highest_version(tmp_path / "absent") == 0


def test_empty_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").touch()
    with pytest.raises(RepositoryError, match=rf"^{tmp_path}/config\.pbtxt is empty; publish the bundle again$"):
        read_config(tmp_path)


def test_going_back_advises_what_it_can() -> None:
    record = type("Record", (), {"models": ("a", "a_rank")})()
    message = r"^models has model 'a_rank', .* with newer weights; go back to a version with it, or move 'a_rank' away$"
    with pytest.raises(RepositoryError, match=message):
        require_together(["a"], {"a": None, "a_rank": record}.get, where="models", is_older=True)
