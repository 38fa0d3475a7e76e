"""One HTML file that needs nothing else: texts, tables, charts and the library that draws them."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from experiments.report.contents import Contents
from experiments.report.palette import DASHES, SHAPES, page_config, style_variables

_TEMPLATES = "templates"


def page(contents: Contents) -> str:
    """Lay the contents out.

    Every text is escaped: in the markup by the template engine, in the data of the charts by `script_json`. A content
    security policy lets the browser run the page's own two scripts, by their hashes, and load nothing at all: no
    network, no evaluated text (Vega interprets its expressions).
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("experiments.report", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    library, script = chart_library(), _file("report.js")
    style = _file("report.css") + style_variables()
    return environment.get_template("report.html").render(
        contents=contents,
        marks=_marks(contents),
        charts=Markup(script_json(_charts(contents))),
        library=Markup(library),
        script=Markup(script),
        style=Markup(style),
        policy=_policy(style, library, script),
    )


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: ASCII, without a character that means something to HTML.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def packed(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification whose data sets are columns, a third of the size; the page's script unpacks them again.

    A column of texts is ``{"of": distinct texts, "at": positions in them}``, any other a list.
    """
    return spec | {"datasets": {name: _columns(rows) for name, rows in spec["datasets"].items()}}


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in rows[0] if rows else ():
        column = [row[name] for row in rows]
        if all(isinstance(value, str) for value in column):
            texts = {text: place for place, text in enumerate(dict.fromkeys(column))}
            found[name] = {"of": list(texts), "at": [texts[text] for text in column]}
        else:
            found[name] = column
    return found


@cache
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that sets ``vegaEmbed``."""
    import vl_convert

    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return library.replace("</script", "<\\/script")


def _policy(style: str, *scripts: str) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {allowed}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _charts(contents: Contents) -> dict[str, Any]:
    axis = next((part.setting.axis_name for part in contents.parts), "")
    figures = {
        figure.name: [packed(variant.spec) for variant in figure.variants]
        for part in contents.parts
        for figure in part.figures
    }
    return {"config": page_config(), "axis": axis, "figures": figures}


def _marks(contents: Contents) -> list[dict[str, str]]:
    most = max((len(part.setting.series) for part in contents.parts), default=0)
    return [
        {"shape": SHAPES[i % len(SHAPES)], "dash": " ".join(map(str, DASHES[i % len(DASHES)]))} for i in range(most)
    ]


def _file(name: str) -> str:
    return (resources.files("experiments.report") / _TEMPLATES / name).read_text(encoding="utf-8")
