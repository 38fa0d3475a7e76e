"""Speed of the service models: one call of each kind, and the engine on entries of the catalogue."""

from __future__ import annotations

import timeit
from typing import Any

from experiments.bench.cases import Case
from experiments.bench.yardstick import TIMEOUTS, simpy_timeouts_per_s
from orsched.catalogue import hardware
from orsched.service import Batch

ENTRIES = ("reference", "llama2-7b/a100-80g", "llama3.1-8b/rtx4090", "llama3-8b/h100-sxm")
"""An entry of each form: affine, hinged, tabulated, roofline."""

MIXED = Batch(512, 512 * 768.0, 512, 48, 48 * 700)
"""A chunk of 512 tokens after 512 others, beside 48 decodes of 700 tokens each."""

DECODE = Batch(num_seqs=48, kv_tokens=48 * 700)
CALLS = 20_000
REPEATS = 5


def bench_service(requests: int = 20_000) -> dict[str, Any]:
    """Time calls of service models, and vLLM v1 on the reference workload at load 0.9 on their devices.

    Parameters
    ----------
    requests : int
        Per simulation.

    Returns
    -------
    dict
        ``requests``, ``simpy_timeouts_per_s`` and ``entries``, one object each: ``name``, ``form``, microseconds per
        call of ``iteration_s`` with (``mixed_us``) and without (``decode_us``) a prompt chunk and of ``decode_curve``
        (``curve_us``), ``requests_per_s`` and ``timeouts_per_request`` of the simulation.
    """
    timeouts = min(TIMEOUTS, 2 * requests)
    yardstick = simpy_timeouts_per_s(timeouts)
    entries = [_entry(name, requests) for name in ENTRIES]
    yardstick = max(yardstick, simpy_timeouts_per_s(timeouts))
    for entry in entries:
        entry["timeouts_per_request"] = yardstick / entry["requests_per_s"]
    return {"requests": requests, "simpy_timeouts_per_s": yardstick, "entries": entries}


def _entry(name: str, requests: int) -> dict[str, Any]:
    service = hardware(name).service
    return {
        "name": name,
        "form": type(service).__name__.lower(),
        "mixed_us": _microseconds(lambda: service.iteration_s(MIXED)),
        "decode_us": _microseconds(lambda: service.iteration_s(DECODE)),
        "curve_us": _microseconds(lambda: service.decode_curve(48)),
        "requests_per_s": requests / Case("vllm-v1", hardware=name).seconds(requests, 2),
    }


def _microseconds(call: Any) -> float:
    """Least mean time of a call over some repeats, microseconds."""
    return 1e6 * min(timeit.repeat(call, number=CALLS, repeat=REPEATS)) / CALLS
