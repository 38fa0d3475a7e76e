"""All-reduce over the links of a tensor-parallel group."""

from __future__ import annotations

from orsched.devices import Chip
from orsched.errors import InputError

_PAYLOAD_BYTES = 256.0
_HEADER_BYTES = 16.0


def all_reduce_line(chip: Chip, gpus: int) -> tuple[float, float]:
    """Return ``(seconds, seconds per byte)`` of an all-reduce over `gpus` chips.

    The formulas of LLMCompass (PrincetonUniversity/LLMCompass @2e015fd), with packets of 256 bytes and a header of 16,
    fractional packets, and the achievable share `link_efficiency` of the links:

    - ring: ``2 (g - 1) (latency + e / B)``,
    - fully connected: ``(g - 1) (latency + e / (2 B')) + e / B'`` with ``B' = B / (g - 1)`` between each pair,

    ``e`` the bytes of one part, ``n / g``, with headers.

    Raises
    ------
    InputError
        When the chip has no links, or they are not known for a group of that size.
    """
    if gpus == 1:
        return 0.0, 0.0
    if chip.link_bytes_s is None or chip.link_latency_s is None:
        raise InputError(f"tensor_parallel = {gpus}: no links are known for {chip.name}, only 1 is possible")
    if chip.link_chips is not None and gpus > chip.link_chips:
        raise InputError(
            f"tensor_parallel = {gpus}: links of {chip.name} are known for groups of at most {chip.link_chips}"
        )
    rate = chip.link_bytes_s * chip.link_efficiency
    part = (1.0 + _HEADER_BYTES / _PAYLOAD_BYTES) / gpus
    hops = gpus - 1
    if chip.topology == "ring":
        latency, per_part_byte = 2 * hops * chip.link_latency_s, 2 * hops / rate
        headers = 2 * hops * _HEADER_BYTES / rate
    else:
        pair = rate / hops
        latency, per_part_byte = hops * chip.link_latency_s, hops / (2 * pair) + 1 / pair
        headers = _HEADER_BYTES * per_part_byte
    return latency + headers, part * per_part_byte
