"""All-reduce over the links of a tensor-parallel group."""

from __future__ import annotations

from itertools import pairwise

from orsched.devices import Chip
from orsched.errors import InputError
from orsched.service.roofline.pieces import Pieces, upper_envelope

_PAYLOAD_BYTES = 256.0
_HEADER_BYTES = 16.0


def all_reduce(chip: Chip, gpus: int, token_bytes: float, least_s: float) -> Pieces:
    """Return the seconds of an all-reduce over `gpus` chips against tokens of `token_bytes` each.

    Where all-reduces of `chip` were measured on a group of that size, or else on the next larger one, it is the line
    through the measured points: constant below the first, going on with the last slope. Else it is `all_reduce_line`.
    It takes `least_s` at least.

    Raises
    ------
    InputError
        When the chip has no links, or they are not known for a group of that size.
    """
    _require_links(chip, gpus)
    measured = next((table for table in chip.all_reduces if table.gpus >= gpus), None)
    if measured is None:
        latency_s, byte_s = all_reduce_line(chip, gpus)
        return upper_envelope([(least_s, 0.0), (latency_s, byte_s * token_bytes)])
    points = [(size / token_bytes, max(least_s, time_s)) for size, time_s in measured.points()]
    segments = [(points[0][1], 0.0)]
    for (x, y), (right, above) in pairwise(points):
        slope = (above - y) / (right - x)
        segments.append((y - slope * x, slope))
    return Pieces(tuple(x for x, _ in points[:-1]), tuple(segments))


def _require_links(chip: Chip, gpus: int) -> None:
    if chip.link_bytes_s is None or chip.link_latency_s is None:
        raise InputError(f"tensor_parallel = {gpus}: no links are known for {chip.name}, only 1 is possible")
    if chip.link_chips is not None and gpus > chip.link_chips:
        fact = chip.facts.get("link_chips")
        raise InputError(
            f"tensor_parallel = {gpus}: links of {chip.name} are known for groups of at most {chip.link_chips}"
            + ("" if fact is None else f" ({fact.source})")
        )


def all_reduce_line(chip: Chip, gpus: int) -> tuple[float, float]:
    """Return ``(seconds, seconds per byte)`` of an all-reduce over `gpus` chips.

    The formulas of LLMCompass (PrincetonUniversity/LLMCompass @2e015fd), with packets of 256 bytes and a header of 16,
    fractional packets, and the achievable share `link_efficiency` of the links:

    - ring: ``2 (g - 1) (latency + e / B)``,
    - fully connected: ``(g - 1) (latency + e / (2 B')) + e / B'`` with ``B'`` between each pair: ``B / (L - 1)`` for
      machines of L chips (`Chip.link_chips`), whose links lead to one other chip each; L = g where it is not known,

    ``e`` the bytes of one part, ``n / g``, with headers.

    Raises
    ------
    InputError
        When the chip has no links, or they are not known for a group of that size.
    """
    if gpus == 1:
        return 0.0, 0.0
    _require_links(chip, gpus)
    assert chip.link_bytes_s is not None
    assert chip.link_latency_s is not None
    rate = chip.link_bytes_s * chip.link_efficiency
    part = (1.0 + _HEADER_BYTES / _PAYLOAD_BYTES) / gpus
    hops = gpus - 1
    if chip.topology == "ring":
        latency, per_part_byte = 2 * hops * chip.link_latency_s, 2 * hops / rate
        headers = 2 * hops * _HEADER_BYTES / rate
    else:
        pair = rate / ((chip.link_chips or gpus) - 1)
        latency, per_part_byte = hops * chip.link_latency_s, hops / (2 * pair) + 1 / pair
        headers = _HEADER_BYTES * per_part_byte
    return latency + headers, part * per_part_byte
