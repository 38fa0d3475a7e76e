"""How every chart shows a series: the same colour, marker and line everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from experiments.report.palette import DASHES, SHAPES

ScaleType = Literal["linear", "log"]

HEIGHT = 300
"""Pixels of a chart's plot; its width is that of the page's column."""

WIDE = 20
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""

MOST_WRITTEN = 256
"""Charts that are kept to be used again with other data."""

DIGITS = 6
"""Significant digits of a mean in a chart's data."""


class SeriesMarks:
    """Vega-Lite encodings of the series of a setting.

    Parameters
    ----------
    series : sequence of str
        All of them, in the order of their colours, whether or not a chart draws them.
    """

    def __init__(self, series: Sequence[str]) -> None:
        import altair as alt

        count = len(series)
        # Every range is as long as the domain: scales repeat what is too short, but legends of files then go wrong.
        self.colour = alt.Color("series:N", title=None, scale=alt.Scale(domain=list(series)))
        self.fill = alt.Fill("series:N", title=None, scale=alt.Scale(domain=list(series)))
        self.shape = alt.Shape(
            "series:N",
            title=None,
            scale=alt.Scale(domain=list(series), range=[SHAPES[i % len(SHAPES)] for i in range(count)]),
        )
        self.dash = alt.StrokeDash(
            "series:N",
            title=None,
            scale=alt.Scale(domain=list(series), range=[list(DASHES[i % len(DASHES)]) for i in range(count)]),
        )
        self.opacity = alt.condition("indexof(shown, datum.series) >= 0", alt.value(1), alt.value(0.06))
        self.shown = alt.param("shown", value=list(series))


def data(name: str = "rows") -> Any:
    """The data of a chart, which `specification` is given under this name."""
    import altair as alt

    return alt.NamedData(name)


def written(chart: Any) -> dict[str, Any]:
    """A chart without data as Vega-Lite, as wide as what it stands in; charts that are alike are written once."""
    found: dict[str, Any] = chart.properties(width="container", height=HEIGHT).to_dict()
    found.pop("config", None)  # colours and fonts come from the page or the file
    return found


def specification(chart: dict[str, Any], description: str, **datasets: Iterable[dict[str, object]]) -> dict[str, Any]:
    """Give a chart its data.

    Parameters
    ----------
    chart : dict
        `written`.
    description : str
        In words.
    **datasets : iterables of rows
        Under the names that the chart uses.
    """
    rows = {name: list(found) for name, found in datasets.items()}
    return chart | {"description": description, "datasets": rows}


def scale_type(numbers: Iterable[float]) -> ScaleType:
    """``log`` for positive numbers that differ much (`WIDE`), else ``linear``."""
    found = list(numbers)
    return "log" if found and min(found) > 0 and max(found) > WIDE * min(found) else "linear"


def value_axis(kind: ScaleType) -> Any:
    """The vertical axis of numbers; a logarithmic one has many lines, which are fainter."""
    import altair as alt

    return alt.Axis(format=",~r", gridOpacity=0.07 if kind == "log" else 0.14)


def short(value: float) -> float:
    """A mean with `DIGITS` digits."""
    return float(f"{value:.{DIGITS}g}")
