"""Calibration: from profiles of a device to service models and entries of the hardware catalogue.

`orsched calibrate` turns any profile in a known format into a hardware file; ``python -m experiments.calibration``
recomputes the fitted entries of `orsched/data/hardware` from the profiles bundled in `orsched/data/profiles`.
"""
