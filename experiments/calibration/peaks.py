"""Peaks of the GPUs in the profiles, for carrying a fit over to another one."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.calibration.request import named_memory_gb, plain_gpu
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
    "rtx4090": Peaks(165.2e12, 1008e9, 24 * 2**30),
    "rtxpro6000": Peaks(503.8e12, 1597e9, 96 * 2**30),
    "a6000": Peaks(154.8e12, 768e9, 48 * 2**30),
    "tpuv6e1": Peaks(918e12, 1640e9, 32 * 2**30),
}
"""Common knowledge, unconfirmed, for GPUs that have no chip file; the profiles reach 170e12 and 400e12 FLOP/s on the
RTX cards. Cards sold as of 24 GB hold 24 GiB. Bandwidth of the RTX PRO 6000: LLMServingSim @5daddb2
bench/examples/configs."""
_SEVERAL_SIZES = {"a100": "40 and 80 GB"}
"""GPUs of which the plain name does not tell the memory; their peaks below are those of the larger."""
_CHIPS = {"a100": "a100-80g", "h100": "h100-sxm", "h200": "h200-sxm"}


def peaks_of(gpu: str) -> Peaks:
    """Return the peaks of a GPU, whatever its spelling; those of the chip with the memory that its name states, if any.

    Raises
    ------
    InputError
        When they are not known.
    """
    plain, stated = plain_gpu(gpu), named_memory_gb(gpu)
    chip = find_chip(f"{plain}-{stated}g") or find_chip(_CHIPS.get(plain, gpu)) or find_chip(plain)
    found = _UNCONFIRMED.get(plain)
    if chip is not None:
        found = Peaks(chip.fp16_flops, chip.bandwidth_bytes_s, chip.memory_bytes)
    if found is not None and stated in (None, round(found.memory_bytes / 2**30)):
        return found
    raise InputError(f"no data sheet of {gpu!r} is known (orsched list hardware shows the chips)")


def memory_bytes_of(gpu: str) -> float:
    """Return the memory of a GPU.

    Raises
    ------
    InputError
        When it is not known, or the GPU is sold with several sizes and its name does not say which.
    """
    sizes = _SEVERAL_SIZES.get(plain_gpu(gpu))
    if sizes and named_memory_gb(gpu) is None:
        raise InputError(f"{gpu!r} is sold with {sizes}: its name does not say which")
    return peaks_of(gpu).memory_bytes
