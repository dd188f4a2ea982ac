"""The Chinese pages say what the English ones say: the same code, commands, figures and headings."""

import re
from pathlib import Path

import pytest
from artefacts.pages import DOCS, ROOT, blocks, links

PAIRS = {
    "README.md": (ROOT / "README.md", DOCS / "zh" / "README.md"),
    "tutorial.md": (DOCS / "tutorial.md", DOCS / "zh" / "tutorial.md"),
}
both = pytest.mark.parametrize(("english", "chinese"), PAIRS.values(), ids=PAIRS)


def prose(page: Path) -> str:
    """Return a page without its blocks of code and the targets of its links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def targets(page: Path) -> list[str]:
    """Return where the links of a page lead, sorted; a page's twin counts as the page."""
    english = {str(chinese): str(twin) for twin, chinese in PAIRS.values()}
    found = [link.partition("#")[0] for link in links(page)]
    paths = [link if "://" in link else str((page.parent / link).resolve() if link else page) for link in found]
    return sorted(english.get(path, path) for path in paths)


@both
def test_links_lead_to_the_same_pages(english: Path, chinese: Path) -> None:
    assert targets(chinese) == targets(english)


@both
def test_blocks_of_code_are_the_same(english: Path, chinese: Path) -> None:
    assert [(block.language, block.text) for block in blocks(chinese)] == [
        (block.language, block.text) for block in blocks(english)
    ]


@both
def test_names_and_commands_in_lines_are_the_same(english: Path, chinese: Path) -> None:
    assert set(re.findall(r"`[^`]+`", prose(chinese))) == set(re.findall(r"`[^`]+`", prose(english)))


@both
def test_figures_are_the_same(english: Path, chinese: Path) -> None:
    found = [set(re.findall(r"\d[\d,]*\.?\d+", prose(page))) for page in (english, chinese)]
    assert found[0] == found[1]


@both
def test_headings_are_as_many(english: Path, chinese: Path) -> None:
    found = [re.findall(r"^#+", prose(page), flags=re.MULTILINE) for page in (english, chinese)]
    assert found[0] == found[1]


@both
def test_translation_is_chinese(english: Path, chinese: Path) -> None:
    ideographs = len(re.findall(r"[\u4e00-\u9fff]", prose(chinese)))
    assert ideographs > 0.15 * len(prose(english))
