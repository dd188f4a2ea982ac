"""A picture of a report as a file of its own: SVG, PNG or PDF, on light ground."""

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ConfigError, MissingExtraError
from polyrank.staging import real_file, staged_file

if TYPE_CHECKING:
    from .blocks import Picture

_SUFFIXES = (".svg", ".png", ".pdf")
_LIBRARIES = ("altair", "vl_convert")
_SIZE = {"width": 800, "height": 400, "padding": 16}
_SCALE = 2.0
"""Pixels of a PNG for each of the picture, so that it is sharp on any screen."""

_THEME = Path(__file__).with_name("page") / "theme.css"
_COLOUR = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]+), ")
_CONFIG = {
    "background": "#ffffff",
    "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
    "view": {"stroke": "transparent"},
    "legend": {"orient": "top"},
    "title": {"anchor": "start"},
}


def check_still(file: Path) -> None:
    """Refuse a picture that cannot be written, before what it is of takes minutes.

    Raises:
        ConfigError: its name says no known format.
        OutputError: it cannot be written.
        MissingExtraError: the extra `report` is not installed.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"picture must end in {', '.join(_SUFFIXES)}, got {file}")
    real_file(file)
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"pictures need {missing[0]}; pip install 'polyrank[report]'")


def write_still(picture: "Picture", file: Path, title: str) -> None:
    """Write a picture with a title, whole or not at all.

    Raises:
        ConfigError, OutputError, MissingExtraError: as `check_still`.
    """
    check_still(file)
    content = _drawn(picture, title, file.suffix.lower())
    with staged_file(file) as partial:
        partial.write_bytes(content)


def _drawn(picture: "Picture", title: str, suffix: str) -> bytes:
    import vl_convert

    colours = dict(_COLOUR.findall(_THEME.read_text(encoding="utf-8")))
    spec = json.dumps(picture.spec | _SIZE | {"title": title})
    spec = re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: colours[found[1]], spec)
    if suffix == ".png":
        return vl_convert.vegalite_to_png(spec, scale=_SCALE, config=_CONFIG)
    if suffix == ".pdf":
        return vl_convert.vegalite_to_pdf(spec, config=_CONFIG)
    return vl_convert.vegalite_to_svg(spec, config=_CONFIG).encode()
