"""A service model that interpolates measured profiles."""

from orsched.service.tabulated.curve import Curve
from orsched.service.tabulated.grid import Grid
from orsched.service.tabulated.tabulated import Tabulated

__all__ = ["Curve", "Grid", "Tabulated"]
