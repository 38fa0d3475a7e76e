"""Calibration: from published profiles to the coefficients of the hardware catalogue.

`python -m experiments.calibration` recomputes the fitted entries of `orsched/data/hardware`
from the profiles bundled in `orsched/data/profiles`.
"""

from experiments.calibration.calibration import Calibration, CrossCheck
from experiments.calibration.catalogue import calibrate, fitted_names
from experiments.calibration.fit import AFFINE_TERMS, HINGED_TERMS, Fit, RegimeError, fit_profile

__all__ = [
    "AFFINE_TERMS",
    "HINGED_TERMS",
    "Calibration",
    "CrossCheck",
    "Fit",
    "RegimeError",
    "calibrate",
    "fit_profile",
    "fitted_names",
]
