"""Interpolation between the points of a grid, some of which were measured several times."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from experiments.calibration.grids import along

POINTS = st.lists(
    st.tuples(st.integers(1, 5), st.floats(0.0, 1e3, allow_subnormal=False)),
    min_size=1,
    max_size=12,
)


@given(POINTS)
def test_of_equal_points_the_median_counts(points):
    """Claim: at the points themselves the result is the median of what was measured there, as pandas has it."""
    frame = pd.DataFrame(points, columns=["x", "y"])
    medians = frame.groupby("x")["y"].median()
    found = along(frame, "x", "y", medians.index.to_numpy(np.float64))
    assert found.tolist() == medians.tolist()


def test_beyond_the_points():
    """Claim: constant before the first point; as in the last piece after the last one, never falling."""
    frame = pd.DataFrame({"x": [4, 2, 2], "y": [5.0, 1.0, 3.0]})
    assert along(frame, "x", "y", np.array([1.0, 3.0, 6.0])).tolist() == [2.0, 3.5, 8.0]
    frame = pd.DataFrame({"x": [2, 4], "y": [5.0, 1.0]})
    assert along(frame, "x", "y", np.array([6.0])).tolist() == [1.0]
