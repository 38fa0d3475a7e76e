"""A chart of the report: one or several variants of a Vega-Lite specification, and what they show in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Variant:
    """One specification.

    Parameters
    ----------
    label : str
        What the reader chooses it by: a load, a policy, a metric.
    spec : dict
        Vega-Lite, data included, no colours of its own (`experiments.report.palette`).
    words : str
        What it shows, for those who do not see it.
    """

    label: str
    spec: dict[str, Any]
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title and caption.

    Parameters
    ----------
    name : str
        Of its files: letters, digits and dashes.
    title, caption : str
        Above and below it.
    choice : str
        What the variants differ in.
    variants : sequence of Variant
        At least one.
    first : int
        The variant shown first and written to files.
    span : {2, 3, 6}
        How many sixths of the page's width it takes.
    keys : sequence of (str, str)
        Legend of its own, beside that of the series: class in the style sheet, and meaning.
    """

    name: str
    title: str
    caption: str
    choice: str
    variants: Sequence[Variant]
    first: int = 0
    span: int = 2
    keys: Sequence[tuple[str, str]] = ()

    @property
    def shown(self) -> Variant:
        """The variant that is shown first."""
        return self.variants[self.first]
