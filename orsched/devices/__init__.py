"""Chips and models as data: what a roofline follows from."""

from orsched.devices.all_reduce_times import AllReduce
from orsched.devices.chip_facts import Chip, Fact, Price
from orsched.devices.chip_files import chip, chip_names, find_chip
from orsched.devices.latent_attention import LatentAttention
from orsched.devices.model_files import find_model, model_config, model_names
from orsched.devices.model_shape import ModelConfig

__all__ = [
    "AllReduce",
    "Chip",
    "Fact",
    "LatentAttention",
    "ModelConfig",
    "Price",
    "chip",
    "chip_names",
    "find_chip",
    "find_model",
    "model_config",
    "model_names",
]
