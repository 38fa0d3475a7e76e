"""Colours, shapes and dashes of the report's charts, and the two ways to dress them: for the page and for files."""

from __future__ import annotations

from typing import Any

LIGHT = ("#022F77", "#8F0400", "#728873", "#732854", "#EE6F00", "#1997FF", "#000000", "#C1834F")
"""Ours, found by search: on white each has a contrast of at least 3:1, and any two differ by at least 20 in CIELAB to
people who see all colours, no red, no green or no blue (as simulated after Machado, Oliveira and Fernandes, 2009). The
colours of Okabe and Ito have 2.2:1, and the darker yellow that white needs is 3 from their vermilion without green."""

DARK = ("#0084FF", "#F44285", "#65F4A5", "#AF34A6", "#F19E33", "#D09DE3", "#F5F5F5", "#786913")
"""The same on a dark background."""

SHAPES = (
    "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",  # circle
    "M-0.9,-0.9H0.9V0.9H-0.9Z",  # square
    "M0,-1.1L1.05,0.8H-1.05Z",  # triangle up
    "M0,-1.25L1,0L0,1.25L-1,0Z",  # diamond
    "M0,1.1L1.05,-0.8H-1.05Z",  # triangle down
    "M-0.4,-1.1H0.4V-0.4H1.1V0.4H0.4V1.1H-0.4V0.4H-1.1V-0.4H-0.4Z",  # plus
    "M0,-1.2L0.28,-0.38L1.14,-0.37L0.46,0.15L0.7,0.97L0,0.48L-0.7,0.97L-0.46,0.15L-1.14,-0.37L-0.28,-0.38Z",  # star
    "M1.1,0L-0.8,1.05V-1.05Z",  # triangle right
    "M-1.1,0L0.8,1.05V-1.05Z",  # triangle left
)
"""Marker of the i-th series, a path in Vega's unit square; nine, so that with the colour 72 series differ."""

DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 2))
"""Line of the i-th series: drawn and left out, pixels."""

PHASES = ("waiting", "prefill", "decode")
"""What a request of the time line goes through, in the order of `PHASE_COLOURS`."""

PHASE_COLOURS = ("#868B94", "#C48700", "#0072B2")
PHASE_COLOURS_DARK = ("#8A8F98", "#E69F00", "#4A9FDD")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
FILE_FONT = "Liberation Sans, DejaVu Sans, Arial, sans-serif"


def page_config() -> dict[str, Any]:
    """Vega-Lite configuration of charts on the page, whose colours follow the style sheet and thus the reader's theme.

    Legends are left to the page, which has one for all charts of a setting.
    """
    names = [f"var({name})" for name in _names("series", len(LIGHT))]
    phases = [f"var({name})" for name in _names("phase", len(PHASES))]
    return _config("currentColor", FONT, names, phases) | {
        "background": None,
        "legend": {"disable": True},
        "aria": False,  # the page describes each chart in words
    }


def file_config(markers: bool) -> dict[str, Any]:
    """Vega-Lite configuration of charts in files: on white, with legends, of `markers` or of lines."""
    return _config("#1f2328", FILE_FONT, list(LIGHT), list(PHASE_COLOURS)) | {
        "background": "white",
        "legend": {
            "labelLimit": 400,
            "symbolSize": 90 if markers else 900,
            "symbolStrokeWidth": 0 if markers else 1.8,
            "title": None,
        },
        "padding": 12,
    }


def style_variables() -> str:
    """Style sheet that gives every series and phase its colour, in both themes; paper is white."""
    light = _variables("series", LIGHT) + _variables("phase", PHASE_COLOURS)
    dark = _variables("series", DARK) + _variables("phase", PHASE_COLOURS_DARK)
    keys = "".join(
        f".series-{i} .mark {{ fill: var({name}); }}\n.series-{i} .line {{ stroke: var({name}); }}\n"
        for i, name in enumerate(_names("series", len(LIGHT)))
    )
    return f":root {{{light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n{keys}"


def _names(kind: str, count: int) -> list[str]:
    return [f"--{kind}-{i}" for i in range(count)]


def _variables(kind: str, colours: tuple[str, ...]) -> str:
    return "".join(f" {name}: {colour};" for name, colour in zip(_names(kind, len(colours)), colours, strict=True))


def _config(ink: str, font: str, colours: list[str], phases: list[str]) -> dict[str, Any]:
    return {
        "font": font,
        "axis": {
            **{"labelColor": ink, "titleColor": ink, "domainColor": ink, "tickColor": ink, "gridColor": ink},
            **{"gridOpacity": 0.14, "domainOpacity": 0.45, "tickOpacity": 0.45, "labelFontSize": 12},
            **{
                "titleFontSize": 12,
                "titleFontWeight": 500,
                "titlePadding": 8,
                "labelOverlap": True,
                "labelSeparation": 6,
            },
        },
        "text": {"color": ink, "fontSize": 12},
        "rule": {"color": ink},
        "title": {"color": ink, "fontSize": 14, "subtitleColor": ink, "anchor": "start"},
        "view": {"stroke": None},
        "range": {"category": colours, "ordinal": phases},
        "style": {"ink-line": {"stroke": ink}, "ink-mark": {"fill": ink}},
    }
