"""The layers of ARCHITECTURE.md and docs/imports.svg, drawn of what pyproject.toml allows and of what modules import.

python docs/site/layers.py           # the layers, as text
python docs/site/layers.py --write   # renew both
python docs/site/layers.py --check   # say whether both are as they would be drawn now
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
PAGE, PICTURE = ROOT / "ARCHITECTURE.md", ROOT / "docs" / "imports.svg"
ROOM = "polyrank"
WIDTH = 118
CELL, LABEL, MARGIN = 13, 118, 8
"""Of the picture: sides of a cell, room for names, and around all."""
_PLACE = re.compile(r"(<!-- layers: docs/site/layers.py -->\n```\n).*?(\n```\n<!-- end of layers -->)", re.DOTALL)

Layers = Sequence[Sequence[str]]
Imports = Mapping[str, frozenset[str]]


def main() -> None:
    """Print the layers, or renew or compare what is drawn of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--write", action="store_true")
    actions.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    layers = layers_of(tomllib.loads((ROOT / "pyproject.toml").read_text()))
    text = layers_text(layers)
    if not arguments.write and not arguments.check:
        sys.stdout.write(f"{text}\n")
        return
    drawn = {PAGE: with_layers(PAGE.read_text(), text), PICTURE: picture(layers, imports(ROOM))}
    for file, content in drawn.items():
        if arguments.write:
            file.write_text(content)
        elif not file.exists() or file.read_text() != content:
            raise SystemExit(
                f"{file.relative_to(ROOT)} is not as it would be drawn: python docs/site/layers.py --write"
            )


def layers_of(project: Mapping[str, Any]) -> Layers:
    """Return the packages of each layer, the uppermost first, as import-linter is told of them."""
    contracts = project["tool"]["importlinter"]["contracts"]
    lines = next(each["layers"] for each in contracts if each["type"] == "layers")
    return [[name.strip().removeprefix(f"{ROOM}.") for name in line.split("|")] for line in lines]


def imports(package: str) -> Imports:
    """Return which parts of a package import which others, as their sources say it, but for the sake of types."""
    import grimp

    graph = grimp.build_graph(package, exclude_type_checking_imports=True)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        part = _part(module)
        found.setdefault(part, set()).update(_part(each) for each in graph.find_modules_directly_imported_by(module))
    return {part: frozenset(others - {part, ""}) for part, others in found.items() if part}


def layers_text(layers: Layers) -> str:
    """Write the layers in lines; `|` is between packages that never import one another."""
    lines = [""]
    for layer in layers:
        longer = f"{lines[-1]} → {' | '.join(layer)}"
        if len(longer) > WIDTH:
            lines.append(f"   → {' | '.join(layer)}")
        else:
            lines[-1] = longer
    return "\n".join(lines).removeprefix(" → ")


def with_layers(page: str, text: str) -> str:
    """Return the page with the layers in their place.

    Raises:
        SystemExit: the page has no such place, or several.
    """
    page, count = _PLACE.subn(lambda found: f"{found[1]}{text}{found[2]}", page)
    if count != 1:
        raise SystemExit(f"ARCHITECTURE.md has {count} places for the layers, between marks; one is needed")
    return page


def picture(layers: Layers, found: Imports) -> str:
    """Draw a row and a column for each package, in the order of layers, with a mark where the row imports the column.

    Raises:
        SystemExit: a package is in no layer, or a layer names one that is not there.
    """
    names = [name for layer in layers for name in layer]
    if odd := sorted(set(names) ^ set(found)):
        raise SystemExit(f"{ROOM}.{odd[0]} is in one of source code and layers; correct the layers of pyproject.toml")
    side, top = len(names) * CELL, LABEL + MARGIN
    size = top + side + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" role="img">',
            "<style>text { font: 10px sans-serif; fill: #1f2937 } .mark { fill: #1d4ed8 }</style>",
            "<title>Which package imports which, in the order of layers</title>",
            f'<rect width="{size}" height="{size}" fill="#ffffff"/>',
            *_layer_blocks(layers, top, side),
            *(line for place, name in enumerate(names) for line in _labels(name, top, top + place * CELL)),
            *_marks(names, found, top),
            "</svg>\n",
        ]
    )


def _layer_blocks(layers: Layers, top: int, side: int) -> list[str]:
    """Draw a band across for every other layer, and for each a block on the diagonal."""
    lines, start = [], top
    for number, layer in enumerate(layers):
        length = len(layer) * CELL
        if number % 2 == 0:
            lines.append(
                f'<rect x="{MARGIN}" y="{start}" width="{top - MARGIN + side}" height="{length}" fill="#f3f4f6"/>'
            )
        lines.append(f'<rect x="{start}" y="{start}" width="{length}" height="{length}" fill="#d1d5db"/>')
        start += length
    return lines


def _labels(name: str, top: int, place: int) -> list[str]:
    middle, shown = place + CELL - 3, escape(name)
    return [
        f'<text x="{top - 4}" y="{middle}" text-anchor="end">{shown}</text>',
        f'<text transform="translate({middle} {top - 4}) rotate(-90)">{shown}</text>',
    ]


def _marks(names: Sequence[str], found: Imports, top: int) -> list[str]:
    mark = CELL - 4
    return [
        f'<rect class="mark" x="{top + column * CELL + 2}" y="{top + row * CELL + 2}" width="{mark}" height="{mark}"/>'
        for row, name in enumerate(names)
        for column, other in enumerate(names)
        if other in found[name]
    ]


def _part(module: str) -> str:
    """Return the part of the package that a module belongs to; empty for the package itself and for other packages."""
    return ".".join(module.split(".")[1:2])


if __name__ == "__main__":
    main()
