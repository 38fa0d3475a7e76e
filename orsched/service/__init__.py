"""Service-time models: how long an iteration takes on a piece of hardware."""

from orsched.service.affine import Affine
from orsched.service.hinged import Hinged
from orsched.service.lockstep import Lockstep
from orsched.service.minorant import Minorant
from orsched.service.model import Batch, ServiceModel
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling
from orsched.service.power import PowerLaw
from orsched.service.tabulated import Curve, Grid, Tabulated

__all__ = [
    "FULL",
    "Affine",
    "Batch",
    "Curve",
    "Grid",
    "Hinged",
    "Lockstep",
    "Minorant",
    "OperatingPoint",
    "PiecewiseLinear",
    "PowerLaw",
    "Scaling",
    "ServiceModel",
    "Tabulated",
]
