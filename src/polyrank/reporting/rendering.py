"""From sections to HTML: one file with its style, its scripts and its pictures."""

import base64
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

import polyrank

from .numerals import brief
from .sections import all_sections
from .sources import Sources
from .words import summary

_LIBRARIES = "window.vegaEmbed = vegaEmbed;"
"""Makes of the bundle what the page's own script calls."""

_STYLES = ("theme.css", "layout.css", "parts.css", "print.css")
_PAGE = Path(__file__).with_name("page")


def page_of(sources: Sources, title: str | None = None) -> str:
    """Return the page of what was given."""
    scripts = [_script(vl_convert.javascript_bundle(_LIBRARIES)), _script(_text("report.js"))]
    folder = jinja2.FileSystemLoader(_PAGE)
    environment = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["json"] = as_json
    return environment.get_template("report.html").render(
        title=brief(title) if title else title_of(sources),
        made=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=polyrank.__version__,
        run_id=sources.main_id,
        answers=summary(sources),
        sections=all_sections(sources),
        style=Markup("\n".join(map(_text, _STYLES))),  # noqa: S704 (our own files)
        scripts=scripts,
        digests=[_digest(script) for script in scripts],
    )


def title_of(sources: Sources) -> str:
    """Name a page after the schema of its main run."""
    names = [run.schema.name for run in sources.runs]
    names += [each.found.model.name for each in sources.evaluations]
    names += [bundle.signature.schema.name for bundle in sources.bundles]
    names += [each.found.model for each in sources.loads]
    return brief(names[0]) if names else "Comparison"


def as_json(value: Any) -> Markup:
    """Write JSON that stays within its script element, whatever text it holds."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for each in "<>&":
        text = text.replace(each, f"\\u{ord(each):04x}")
    return Markup(text)  # noqa: S704 (nothing in it can end the element)


def _script(code: str) -> Markup:
    """Let nothing in a script end its element."""
    return Markup(code.replace("</script", "<\\/script"))  # noqa: S704 (our own files, and Vega)


def _digest(script: str) -> str:
    """Return how a content security policy names a script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
