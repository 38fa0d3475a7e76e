"""The charts of a report as PNG, SVG and PDF files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.report.figure import Figure
from experiments.report.palette import file_config
from orsched.atomic import replacing

WIDTHS = {2: 420, 3: 560, 6: 900}
"""Pixels of a plot, by the sixths of the page that it takes."""

SCALE = 2
"""Pixels of a PNG per pixel of the chart."""


def write_figures(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write each figure's first variant as ``NAME.png``, ``NAME.svg`` and ``NAME.pdf``, making the folder.

    They are drawn from the page's specifications, on white and with legends. The same specification gives the same
    bytes, but for the date that a PDF carries.
    """
    import vl_convert

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures:
        title = {"text": figure.title, "subtitle": figure.shown.label}
        spec = figure.shown.spec | {
            "width": WIDTHS[figure.span],
            "config": file_config(_has_markers(figure.shown.spec)),
            "title": title,
        }
        svg = vl_convert.vegalite_to_svg(json.dumps(spec))
        contents = {
            ".svg": svg.encode(),
            ".png": vl_convert.svg_to_png(svg, scale=SCALE),
            ".pdf": vl_convert.svg_to_pdf(svg),
        }
        for ending, data in contents.items():
            path = folder / (figure.name + ending)
            with replacing(path) as part:
                part.write_bytes(data)
            written.append(path)
    return written


def _has_markers(spec: dict[str, Any]) -> bool:
    return any("shape" in layer["encoding"] for layer in spec.get("layer", [spec]))
