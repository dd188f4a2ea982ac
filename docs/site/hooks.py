"""What MkDocs asks of this project: pages that lie outside docs, sections of the README, and links that leave the site.

Pages are written to be read in the repository, so links are those of files there; the site's own are made of them here.
"""

import re
from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

ADOPTED = {
    "architecture.md": ROOT / "ARCHITECTURE.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "security.md": ROOT / "SECURITY.md",
    "examples.md": ROOT / "examples" / "README.md",
    "kuairand.md": ROOT / "examples" / "kuairand" / "README.md",
}
"""Pages of the site that are files outside docs."""

_FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)\s*?$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]+)\)")
_SECTION = re.compile(r"^<!-- README: (.+?) -->$", re.MULTILINE)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages that lie outside docs."""
    from mkdocs.structure.files import File

    for name, path in ADOPTED.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:  # noqa: ARG001 (MkDocs' names)
    """Give a page's text as the site shows it."""
    return site_text(markdown, page.file.src_uri)


def site_text(markdown: str, name: str) -> str:
    """Give the text of page `name`, a path below docs, with links of the site and sections of the README."""
    origin = ADOPTED.get(name, DOCS / name)
    text = _outside_fences(markdown, lambda part: _with_site_links(part, origin, name))
    return _SECTION.sub(lambda found: _readme_section(found[1], name), text)


def _readme_section(title: str, name: str) -> str:
    readme = ROOT / "README.md"
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", readme.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"docs/{name} asks for the section '{title}', which README.md lacks; name one of its headings")
    return _outside_fences(found[0], lambda part: _with_site_links(part, readme, name))


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Change what is no block of code."""
    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*pieces, change(markdown[end:])])


def _with_site_links(text: str, origin: Path, name: str) -> str:
    """Turn links of the file `origin` into those of page `name`; what the site lacks is named, not linked."""

    def turned(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, hash_, anchor = target.partition("#")
        place = _place(Path(relpath(origin.parent / path, ROOT)))
        return words if place is None else f"[{words}]({relpath(place, Path(name).parent)}{hash_}{anchor})"

    return _LINK.sub(turned, text)


def _place(file: Path) -> str | None:
    """Say where the site has a file of the repository, below docs; None where it has not."""
    for name, adopted in ADOPTED.items():
        if ROOT / file == adopted:
            return name
    if file == Path("README.md"):
        return "index.md"
    return str(file.relative_to("docs")) if file.is_relative_to("docs") else None
