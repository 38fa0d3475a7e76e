"""The traces that come with the package (units, sources, licences: ``orsched/data/traces/README.md``)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from orsched.workloads.files import read_lengths, read_workload
from orsched.workloads.lengths import JointSample
from orsched.workloads.workload import Workload

TRACES = {
    "azure-conv": "Azure LLM inference 2023, conversation: 58 min of production, 5.5 req/s",
    "mooncake-conversation": "Mooncake FAST'25 conversation, 39 min, 3.3 req/s; coarse clock (787 instants)",
    "mooncake-synthetic": "Mooncake FAST'25 synthetic, 17 min, 3.9 req/s; arrivals on a coarse clock",
    "vllm-rtx4090-llama3.1-8b": "vLLM log: RTX 4090, Llama-3.1-8B, 300 requests, 10.3 req/s",
    "vllm-rtxpro6000-llama3.1-8b": "vLLM log: RTX PRO 6000, Llama-3.1-8B, 300 requests, 10.3 req/s",
    "vllm-rtxpro6000-qwen3-30b-a3b": "vLLM log: 2 RTX PRO 6000, Qwen3-30B-A3B, 300 requests, 10.3 req/s",
}
"""Bundled traces with arrival times: name and description (the vLLM runs have 300 requests each)."""


@cache
def bundled_trace(name: str) -> Workload:
    """Return the bundled trace `name`, one of `TRACES`."""
    with resources.as_file(_folder() / f"{name}.parquet") as path:
        return read_workload(path, name=name)


@cache
def bundled_lengths(name: str) -> JointSample:
    """Return the lengths of a bundled trace; ``arxiv-summarization`` has nothing but lengths."""
    with resources.as_file(_folder() / f"{name}.parquet") as path:
        return read_lengths(path)


def _folder() -> Traversable:
    return resources.files("orsched") / "data" / "traces"
