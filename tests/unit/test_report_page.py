"""The page of a report: one file, whole or not at all, out of which no text of the data breaks."""

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from artefacts.invented_result import EXPRESSION, HOSTILE, as_text, load_test, rich_result

from polyrank.__main__ import main
from polyrank.errors import ConfigError, MissingExtraError, OutputError
from polyrank.reporting import write_report
from polyrank.reporting.numerals import brief, change, distinct, numeral, percent, rounded, span, tiny
from polyrank.reporting.rendering import as_json, title_of
from polyrank.reporting.sources import Sources


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, and the text within scripts of data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.specs: list[str] = []
        self._is_spec = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._is_spec = tag == "script" and dict(attrs).get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._is_spec = False

    def handle_data(self, data: str) -> None:
        if self._is_spec:
            self.specs.append(data)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation in a folder and a file with a hostile name."""
    folder = tmp_path_factory.mktemp("report") / HOSTILE.replace("/", "")
    folder.mkdir()
    rich_result().save(folder / "evaluation.json")
    return folder / "evaluation.json"


@pytest.fixture(scope="module")
def page(evaluation: Path) -> str:
    out = evaluation.with_name("report.html")
    return write_report([evaluation], out, title=HOSTILE).read_text(encoding="utf-8")


def test_hostile_text_becomes_no_element(page: str) -> None:
    tags = {tag for tag, _ in Elements(page).found}
    assert "img" not in tags
    assert not any(name.startswith("on") for _, attributes in Elements(page).found for name in attributes)


def test_hostile_text_is_shown_as_it_is(page: str) -> None:
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in page
    assert any(HOSTILE in json.dumps(json.loads(spec)) for spec in Elements(page).specs)
    assert any(EXPRESSION in json.dumps(json.loads(spec)) for spec in Elements(page).specs)


def test_pictures_are_json_without_an_end_of_their_element(page: str) -> None:
    specs = Elements(page).specs
    assert len(specs) == 26
    assert not any("<" in spec or "&" in spec for spec in specs)


def test_page_names_nothing_to_fetch(page: str) -> None:
    linked = [attributes.get(name) for _, attributes in Elements(page).found for name in ("src", "href", "data")]
    assert {link for link in linked if link and not link.startswith("#")} == {"data:,"}
    assert "url(" not in "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))


def test_policy_lets_the_scripts_of_the_page_alone_run(page: str) -> None:
    policy = next(each["content"] for tag, each in Elements(page).found if tag == "meta" and "http-equiv" in each)
    assert policy is not None
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    assert policy.count("'sha256-") == 2
    assert "unsafe-eval" not in policy


def test_contents_lead_to_every_section(page: str) -> None:
    elements = Elements(page).found
    sections = [attributes["id"] for tag, attributes in elements if tag == "section"]
    links = [each["href"] for tag, each in elements if tag == "a" and each.get("class") != "skip"]
    assert links == [f"#{section}" for section in sections]


def test_every_figure_says_what_it_shows(page: str) -> None:
    pictures = [attributes for _, attributes in Elements(page).found if attributes.get("class") == "picture"]
    assert len(pictures) == page.count("<figure>") == page.count("<figcaption>") == 26
    assert all(re.search(r"\d", attributes["aria-label"] or "") for attributes in pictures)


def test_what_is_missing_is_named_with_its_command(page: str) -> None:
    assert "<code>polyrank export RUN --out BUNDLE</code>" in page
    assert "<code>polyrank train ROWS --schema schema.toml --out RUN</code>" in page


def test_page_is_below_three_megabytes(page: str) -> None:
    assert len(page.encode()) < 3_000_000


@pytest.mark.parametrize("text", ["</script>", "<!--", "&lt;", "\u2028", "\udcff", '"\\', "é"])
def test_json_of_any_text_is_read_as_it_was(text: str) -> None:
    written = str(as_json({"value": text}))
    assert json.loads(written) == {"value": text}
    assert written.isascii()
    assert not set("<>&") & set(written)


def test_page_takes_the_place_of_an_older_one(evaluation: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("older")
    assert write_report([evaluation], out) == out
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [out]


def test_page_that_cannot_be_made_leaves_the_older_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    out.write_text("older")
    assert main(["report", str(tmp_path / "nothing"), "-o", str(out)]) == 1
    assert capsys.readouterr().err.startswith(
        f"polyrank: {tmp_path / 'nothing'} does not exist; give a run directory, "
    )
    assert out.read_text() == "older"


def test_place_that_is_a_directory_is_refused(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*: is a directory; choose another output file$"):
        write_report([evaluation], tmp_path)


def test_page_never_takes_the_place_of_what_it_is_made_of(evaluation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = evaluation.read_bytes()
    assert main(["report", str(evaluation), "-o", str(evaluation)]) == 1
    message = f"cannot write {evaluation}: it is {evaluation}, which is read; choose another output file"
    assert capsys.readouterr().err == f"polyrank: {message}\n"
    assert evaluation.read_bytes() == before


def test_page_never_lies_in_a_run_that_it_tells_of(toy_run: Path) -> None:
    out = toy_run / "weights.safetensors"
    before = out.read_bytes()
    message = f"^cannot write {re.escape(str(out))}: it would lie in {re.escape(str(toy_run))}, which is read"
    with pytest.raises(OutputError, match=message):
        write_report([toy_run], out)
    assert out.read_bytes() == before


def test_no_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^paths must be a list of one or more paths, got an empty one$"):
        write_report([], tmp_path / "report.html")


def test_title_that_is_no_text_is_refused(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^title must be text, without lone surrogates, got 5$"):
        write_report([evaluation], tmp_path / "report.html", title=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["altair", "jinja2", "vl_convert"])
def test_missing_library_names_the_extra(
    evaluation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else found(name))
    with pytest.raises(MissingExtraError, match=rf"^a report needs {library}; pip install 'polyrank\[report\]'$"):
        write_report([evaluation], tmp_path / "report.html")


def test_verb_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "load.json").write_text(as_text(load_test()))
    out = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "load.json"), "--out", str(out), "--title", "March"]) == 0
    size = out.stat().st_size / 2**20
    assert capsys.readouterr().out == f"{out}: {size:.1f} MiB, opens without a network\n"
    assert "<h1>March</h1>" in out.read_text(encoding="utf-8")


def test_path_that_is_no_text_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "load\udcff.json"
    path.write_text(as_text(load_test()))
    page = write_report([path], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "load\N{REPLACEMENT CHARACTER}.json" in page


def test_several_runs_stand_side_by_side(toy_run: Path, evaluation: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    rich_result().save(other)
    page = write_report([evaluation, other, toy_run], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Runs side by side" in page
    assert "Each evaluation" in page


def test_page_is_named_after_the_schema(toy_run: Path, tmp_path: Path) -> None:
    page = write_report([toy_run], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>toy</h1>" in page
    assert title_of(Sources()) == "Comparison"


MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.73124, "0.7312"),
        (-0.5, f"{MINUS}0.5000"),
        (1.0042, "1.004"),
        (23.108, "23.11"),
        (123.46, "123.5"),
        (12_345.6, "12,346"),
        (0.00012, f"1.2e{MINUS}04"),
        (0.0, "0.0000"),
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_numbers_have_four_digits(value: float | None, written: str) -> None:
    assert numeral(value) == written


def test_other_numbers_are_written_plainly() -> None:
    assert [change(value) for value in (0.0004, -0.0093, 1e-6, 2.0, 0.0)] == [
        *("+0.0004", f"{MINUS}0.0093", f"+1.0e{MINUS}06", "+2.000", "+0.0000"),
    ]
    assert [rounded(value) for value in (1.4, 0.05, 12_345.0, None)] == ["1.4", "0.05", "12,345", "\N{EN DASH}"]
    assert [percent(0.2137), percent(None), tiny(2e-7)] == ["21.4%", "\N{EN DASH}", f"2.0e{MINUS}07"]
    assert [span((0.1, 0.2)), span(None), span((None, 0.2))] == ["0.1000 to 0.2000", "", ""]


def test_long_text_is_shortened_and_what_cannot_be_shown_is_marked() -> None:
    assert brief("x" * 50 + "y" * 50) == "x" * 30 + "…" + "y" * 29
    assert brief("a\nb\tc\x00\u202e") == "a b c\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert distinct(["__proto__"]) == ["__proto__\N{NO-BREAK SPACE}"]  # no key in JavaScript
    assert distinct(["", "a", "a", "a (2)"]) == ["(empty)", "a", "a (2)", "a (2) (2)"]
