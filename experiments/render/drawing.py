"""Matplotlib figures without a screen, and files that are the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orsched.atomic import replacing

ENDINGS = (".png", ".svg", ".pdf")
"""What `save` writes."""

PLAIN = {"parse_math": False}
"""Property of a text that others wrote: a dollar in it is a dollar."""

UNDATED: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""What is left out of a file because it changes from one time to the next."""


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Any]:
    """Lend an empty figure of this size in inches, and save it as the ending of `path` says, whole or not at all.

    The same drawing by the same version of matplotlib gives the same bytes.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "orsched", "svg.fonttype": "none"}):
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as part:
            figure.savefig(part, format=path.suffix[1:], metadata=UNDATED[path.suffix])
