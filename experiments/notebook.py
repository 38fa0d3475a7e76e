"""Results as a notebook shows them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def frames_html(frames: Mapping[str, pd.DataFrame]) -> str:
    """Data frames below each other, each under its title, as long as pandas shows them."""
    return "".join(f"<h4>{escape(title)}</h4>\n{frame._repr_html_()}\n" for title, frame in frames.items())
