"""Pictures as files of their own."""

import importlib.util
import struct
from pathlib import Path

import pytest
from artefacts.invented_result import as_text, load_test

from polyrank.commands.loadtest import draw_loads
from polyrank.errors import ConfigError, DataError, MissingExtraError, OutputError
from polyrank.reporting.stills import check_still

LOAD = as_text(load_test())


def test_vectors_have_title_lines_and_the_colours_of_a_light_page(tmp_path: Path) -> None:
    draw_loads(LOAD, tmp_path / "load.svg")
    text = (tmp_path / "load.svg").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    for word in ("toy version 3, 100 rows a request", "latency from arrival, ms", "p50", "p99.9", "#0b5cad"):
        assert word in text
    assert "var(--" not in text


def test_pixels_are_sharp(tmp_path: Path) -> None:
    draw_loads(LOAD, tmp_path / "load.png")
    content = (tmp_path / "load.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    width, _ = struct.unpack(">II", content[16:24])
    assert width >= 1_600


def test_document_is_written(tmp_path: Path) -> None:
    draw_loads(LOAD, tmp_path / "LOAD.PDF")
    assert (tmp_path / "LOAD.PDF").read_bytes().startswith(b"%PDF")


def test_load_without_an_answer_is_not_drawn(tmp_path: Path) -> None:
    silent = load_test()["loads"][0] | dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"))
    with pytest.raises(DataError, match=r"^nothing was answered at any rate, so there is nothing to draw$"):
        draw_loads(as_text(load_test() | {"loads": [silent]}), tmp_path / "load.svg")
    assert list(tmp_path.iterdir()) == []


def test_format_that_is_unknown_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^picture must end in \.svg, \.png, \.pdf, got load\.gif$"):
        check_still(Path("load.gif"))


def test_place_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "load.svg").mkdir()
    with pytest.raises(OutputError, match=r"is a directory; choose another output file$"):
        check_still(tmp_path / "load.svg")


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else found(name))
    with pytest.raises(MissingExtraError, match=rf"^pictures need {library}; pip install 'polyrank\[report\]'$"):
        check_still(Path("load.svg"))
