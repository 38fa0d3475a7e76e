"""What runs operators: the times an operator can be bound by, as affine functions of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orsched.service.roofline.work import Form, Work

Line = Form
"""Seconds of one run: ``(constant, one coefficient for each variable)``. An operator takes the largest of its lines."""


class Engine(Protocol):
    """Runs operators."""

    def lines(self, work: Work) -> tuple[Line, ...]:
        """Return the lines whose maximum is the time of one run; the first is the dispatch time alone."""
        ...


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """A processor whose weights, KV cache and activations cross one memory interface: GPUs, TPUs, PIM chips alone.

    ``max(dispatch, F / R, (W + A) / B)`` with FLOPs ``F``, stream bytes ``W`` and activation bytes ``A``.

    Parameters
    ----------
    flops_s, bytes_s : float
        Achievable FLOP/s and bytes/s.
    dispatch_s : float
        Least time of an operator.
    """

    flops_s: float
    bytes_s: float
    dispatch_s: float

    def lines(self, work: Work) -> tuple[Line, ...]:
        """Dispatch, compute and memory line."""
        compute = tuple(f / self.flops_s for f in work.flops)
        moved = zip(work.stream_bytes, work.activation_bytes, strict=True)
        memory = tuple((stream + activation) / self.bytes_s for stream, activation in moved)
        return ((self.dispatch_s,) + (0.0,) * (len(memory) - 1), compute, memory)


@dataclass(frozen=True, slots=True)
class SeparateTransfer:
    """An engine to which activations travel before and after the work: compute-in-memory and compute-in-DRAM.

    ``max(dispatch, F / R + A / B_transfer, W / B_stream + A / B_transfer)``: the two-resource model.

    Parameters
    ----------
    flops_s : float
        Achievable FLOP/s.
    stream_bytes_s : float
        Bytes/s at which it reads weights and KV cache: inside the DRAM, or from it into the arrays.
    transfer_bytes_s : float
        Bytes/s of activations between the engines.
    dispatch_s : float
        Least time of an operator.
    """

    flops_s: float
    stream_bytes_s: float
    transfer_bytes_s: float
    dispatch_s: float

    def lines(self, work: Work) -> tuple[Line, ...]:
        """Dispatch, compute and stream line."""
        transfer = tuple(a / self.transfer_bytes_s for a in work.activation_bytes)
        compute = tuple(f / self.flops_s + t for f, t in zip(work.flops, transfer, strict=True))
        stream = tuple(w / self.stream_bytes_s + t for w, t in zip(work.stream_bytes, transfer, strict=True))
        return ((self.dispatch_s,) + (0.0,) * (len(transfer) - 1), compute, stream)
