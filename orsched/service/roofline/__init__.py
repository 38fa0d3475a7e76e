"""Rooflines: iteration times from the data sheet of a chip and the shape of a model."""

from orsched.service.roofline.device_power import DevicePower
from orsched.service.roofline.mapping import MAPPINGS, EngineMapping
from orsched.service.roofline.roofline import MOST_GPUS, Roofline
from orsched.service.roofline.two_resource import TwoResource

__all__ = ["MAPPINGS", "MOST_GPUS", "DevicePower", "EngineMapping", "Roofline", "TwoResource"]
