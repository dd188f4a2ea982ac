"""`polyrank demo --web` before there is a page."""

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest

from polyrank.__main__ import main
from polyrank.serving.web.versions import notes_of


def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith("polyrank.serving.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["demo", "--web", "--folder", str(tmp_path), "--port", "0"]) == 1
    expected = "polyrank: the demo's page needs starlette and uvicorn; pip install 'polyrank[demo]'\n"
    assert capsys.readouterr().err == expected


def test_folder_without_a_repository_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["demo", "--web", "--folder", str(tmp_path), "--port", "0"]) == 1
    assert capsys.readouterr().err == (
        f"polyrank: {tmp_path}/model_repository is not a folder; `make demo` makes it, and --folder or --url name "
        "another\n"
    )


def test_port_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["demo", "--web", "--folder", str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"polyrank: port {port} cannot be listened on: address already in use; choose another, or 0 for a free one\n"
    )


def test_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--web", "--port", "65536"]) == 1
    assert capsys.readouterr().err == "polyrank: port must be in [0, 65535], got 65536\n"


def test_demo_without_web_is_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["demo"])


def test_versions_that_do_not_say_have_no_note(tmp_path: Path) -> None:
    for version, text in (("1", "{}"), ("2", "not JSON")):
        (tmp_path / "toy" / version).mkdir(parents=True)
        (tmp_path / "toy" / version / "signature.json").write_text(text)
    assert notes_of(tmp_path, "toy") == {}


def test_version_without_a_graph_over_requests_has_that_in_its_note(toy_bundle: Path, tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / "toy" / version).mkdir(parents=True)
        shutil.copy(toy_bundle / "signature.json", tmp_path / "toy" / version)
    (tmp_path / "toy_rank" / "2").mkdir(parents=True)
    run = json.loads((toy_bundle / "signature.json").read_text())["run_id"][:8]
    assert notes_of(tmp_path, "toy") == {
        "1": f"embeddings fp32, dense fp32; run {run}; without a graph over requests",
        "2": f"embeddings fp32, dense fp32; run {run}",
    }
