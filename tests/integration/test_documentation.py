"""Facts about the pages of documentation that hold without building their site."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import markdown
import pytest
import yaml
from artefacts.pages import DOCS, ROOT, anchors, block_counts, element_counts, links, pages

PAGES = pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
ROOMS = ("polyrank", "polyrank.train", "polyrank.export", "polyrank.serving", "polyrank.metrics")


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name functions of Python."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda _loader, _suffix, _node: None)


def site() -> Any:
    return yaml.load((ROOT / "mkdocs.yml").read_text(), Loader=_Loader)  # noqa: S506 (a subclass of the safe one)


def entries(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [name for part in parts for name in entries(part)]


def hooks() -> dict[str, Any]:
    names: dict[str, Any] = {"__file__": str(DOCS / "site" / "hooks.py"), "__name__": "hooks"}
    exec(compile((DOCS / "site" / "hooks.py").read_text(), "hooks.py", "exec"), names)  # noqa: S102 (MkDocs does so)
    return names


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `polyrank train`: how, why\n\n## Same\n\n## Same\n\n## 中文 标题\n")
    assert anchors(page) == {"polyrank-train-how-why", "same", "same-1", "中文-标题"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_page_has_one_outline_in_both_dialects(page: Path) -> None:
    html = markdown.markdown(page.read_text(), extensions=["tables", "fenced_code", "sane_lists"])
    assert element_counts(html) == block_counts(page)


def test_every_page_is_in_the_navigation_once() -> None:
    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    listed = entries(site()["nav"])
    assert sorted(listed) == sorted(written | set(hooks()["ADOPTED"]))


def test_site_asks_no_other_host_for_fonts() -> None:
    assert site()["theme"]["font"] is False


@pytest.mark.parametrize("room", ROOMS)
def test_reference_has_every_public_name(room: str) -> None:
    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    described = set(re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE))
    module = import_module(room)
    names = [name for name in module.__all__ if name != "__version__"]
    # A module that is named as its function hides it from the reference, so that is named in full.
    places = {name: {f"polyrank.{name}", f"{room}.{name}", f"{room}.{name}.{name}"} for name in names}
    lacking = [name for name in names if not places[name] & described]
    assert lacking == []


def test_reference_has_every_error() -> None:
    from polyrank import errors

    text = (DOCS / "api" / "errors.md").read_text()
    names = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert names == set(re.findall(r"^::: polyrank\.(?:errors\.)?(\w+)$", text, flags=re.MULTILINE))


def test_links_that_leave_the_site_become_words_or_pages() -> None:
    turned = hooks()["site_text"]
    text = "[a](../ARCHITECTURE.md#layers) [`b`](../src/polyrank/schema.py) [c](data.md) [d](https://x.org) [e](#f)"
    assert turned(text, "client.md") == "[a](architecture.md#layers) `b` [c](data.md) [d](https://x.org) [e](#f)"
    assert turned("[a](../../docs/data.md)", "kuairand.md") == "[a](data.md)"
    assert turned("[a](../data.md) [b](../../README.md)", "zh/README.md") == "[a](../data.md) [b](../index.md)"


def test_links_in_blocks_of_code_stay() -> None:
    block = "```\n[a](../LICENSE)\n```\n"
    assert hooks()["site_text"](block, "client.md") == block


def test_section_of_the_readme_takes_its_place() -> None:
    turned = hooks()["site_text"]
    assert "## The demo\n" in turned("<!-- README: The demo -->\n", "index.md")
    assert "](demo.md)" in turned("<!-- README: The demo -->\n", "index.md")
    with pytest.raises(ValueError, match=r"docs/index\.md asks for the section 'Nope', which README\.md lacks"):
        turned("<!-- README: Nope -->\n", "index.md")


def test_figures_beside_other_systems_are_those_of_the_benchmarks() -> None:
    figure = r"\d[\d,]*\.\d+|\d+,\d{3}|\d+ k\b"
    measured = set(re.findall(figure, (DOCS / "benchmarks.md").read_text()))
    compared = set(re.findall(figure, (DOCS / "comparison.md").read_text()))
    assert len(compared) > 10
    assert compared - measured == set()
