"""Which of two engines runs an operator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Side = Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class EngineMapping:
    """Where the operators of an iteration run.

    Parameters
    ----------
    name : str
        What it is called in hardware files.
    products : Side, optional
        Where products with weights run; None: by its tokens (the output head: its sequences), on the memory engine
        below ``b* = R / B`` of them (`TwoResource.switch_tokens`), on the compute engine from there on.
    prefill, decode : Side
        Where attention of prompt chunks and of decodes runs.
    """

    name: str
    products: Side | None
    prefill: Side
    decode: Side

    def switch_tokens(self, phase_switch: float) -> float:
        """Tokens from which products run on the compute engine, given the phase-aware value."""
        return {"compute": 0.0, "memory": math.inf, None: phase_switch}[self.products]


MAPPINGS: Mapping[str, EngineMapping] = {
    mapping.name: mapping
    for mapping in (
        EngineMapping("phase-aware", None, "compute", "memory"),
        EngineMapping("all-memory", "memory", "memory", "memory"),
        EngineMapping("all-compute", "compute", "compute", "compute"),
        EngineMapping("attention-on-memory", "compute", "memory", "memory"),
    )
}
"""HALO's mapping, the two extremes it studies (the first is CENT's), and AttAcc's.

That AttAcc's mapping puts attention of both phases on the memory side follows from its name; the exact split is not
published in what we have.
"""
