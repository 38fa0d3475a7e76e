"""One HTML file that needs nothing else: texts, tables, charts and the library that draws them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from experiments.report.contents import Contents, Part
from experiments.report.packing import by_columns, packed, plain_json, script_json
from experiments.report.palette import DASHES, SHAPES, page_config, style_variables

_TEMPLATES = "templates"


def page(contents: Contents) -> str:
    """Lay the contents out.

    The summary, every gap matrix of mean latency and all texts are markup that needs no script. Charts and the other
    tables of a setting, and the chart library, are carried packed (`experiments.report.packing`) and unpacked when
    the setting is shown.

    Every text is escaped: in the markup by the template engine, in the data of the charts by being data. A content
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
    marks = _marks(contents)
    rest = environment.get_template("rest.html")
    library, script = chart_library(), _file("report.js")
    styles = {"style": _file("report.css") + style_variables(), "unscripted": _file("unscripted.css")}
    axis = next((part.setting.axis_name for part in contents.parts), "")
    return environment.get_template("report.html").render(
        contents=contents,
        rests={part.setting.name: Markup(_rest(part, rest.render(part=part, marks=marks))) for part in contents.parts},
        common=Markup(script_json({"config": page_config(), "axis": axis})),
        library=Markup(packed(library)),
        script=Markup(script),
        policy=_policy(list(styles.values()), [library, script]),
        **{name: Markup(style) for name, style in styles.items()},
    )


def _rest(part: Part, markup: str) -> str:
    """What is unpacked when a setting is shown: markup, and the specifications of its charts by their name."""
    figures = {figure.name: [by_columns(variant.spec) for variant in figure.variants] for figure in part.figures}
    return packed(plain_json({"markup": markup, "figures": figures}))


@cache
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that sets ``vegaEmbed``."""
    import vl_convert

    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return library


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {' '.join(map(_hash, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _marks(contents: Contents) -> list[dict[str, str]]:
    most = max((len(part.setting.series) for part in contents.parts), default=0)
    return [
        {"shape": SHAPES[i % len(SHAPES)], "dash": " ".join(map(str, DASHES[i % len(DASHES)]))} for i in range(most)
    ]


def _file(name: str) -> str:
    return (resources.files("experiments.report") / _TEMPLATES / name).read_text(encoding="utf-8")
