"""Peaks of the GPUs in the profiles, for carrying a fit over to another one."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.calibration.request import plain_gpu
from orsched.devices import find_chip
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Peaks:
    """Data sheet of one GPU.

    Parameters
    ----------
    flops : float
        Dense 16-bit FLOP/s.
    bandwidth : float
        Memory bandwidth, B/s.
    memory_bytes : float
        Memory.
    """

    flops: float
    bandwidth: float
    memory_bytes: float


_UNCONFIRMED = {
    "rtx4090": Peaks(165.2e12, 1008e9, 24e9),
    "rtxpro6000": Peaks(503.8e12, 1597e9, 96e9),
    "a6000": Peaks(154.8e12, 768e9, 48e9),
    "tpuv6e1": Peaks(918e12, 1640e9, 32e9),
}
"""Common knowledge, unconfirmed, for GPUs that have no chip file; the profiles reach 170e12 and 400e12 FLOP/s on the
RTX cards. Bandwidth of the RTX PRO 6000: LLMServingSim @5daddb2 bench/examples/configs."""
_CHIPS = {"a100": "a100-80g", "h100": "h100-sxm", "h200": "h200-sxm"}


def peaks_of(gpu: str) -> Peaks:
    """Return the peaks of a GPU, whatever its spelling.

    Raises
    ------
    InputError
        When they are not known.
    """
    plain = plain_gpu(gpu)
    chip = find_chip(_CHIPS.get(plain, gpu)) or find_chip(plain)
    if chip is not None:
        return Peaks(chip.fp16_flops, chip.bandwidth_bytes_s, chip.memory_bytes)
    if plain in _UNCONFIRMED:
        return _UNCONFIRMED[plain]
    raise InputError(f"no data sheet of {gpu!r} is known (orsched list hardware shows the chips)")
