"""What the scaling of the parts gives for whole iterations: the catalogue's Llama-2-7B against every measured time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.energy.data import table
from experiments.energy.relative_fit import errors
from orsched.catalogue import FitError, hardware
from orsched.service import Batch, Hinged, OperatingPoint, Scaling


def composed_errors(scaling: Scaling) -> list[FitError]:
    """Errors of ``hardware("llama2-7b/a100-80g")`` under a scaling on all of LLaMA-7B's measured times.

    Returns
    -------
    list of FitError
        Groups ``"decode at 30%"`` to ``"prefill at 100%"``; at 100% they are the error of the model itself.
    """
    model = hardware("llama2-7b/a100-80g").service
    assert isinstance(model, Hinged)
    rows = table("muxserve_sm_share")
    rows = rows[rows["model"] == "llama-7b"]
    found = []
    for (phase, percent), points in rows.groupby(["phase", "sm_percent"]):
        scaled = replace(model, scaling=scaling).at(OperatingPoint(sm_share=percent / 100))
        predicted = np.array([scaled.iteration_s(batch) for batch in _batches(phase, points)])
        found.append(errors(f"{phase} at {percent}%", predicted, points["time_s"].to_numpy(float)))
    return found


def mean_error(found: list[FitError], phase: str) -> float:
    """Mean relative error over the shares below the whole device, of one phase."""
    below = [error for error in found if error.group.startswith(phase) and not error.group.endswith("100%")]
    return float(np.average([error.mape for error in below], weights=[error.points for error in below]))


def _batches(phase: str, points: pd.DataFrame) -> list[Batch]:
    pairs = zip(points["batch_size"].tolist(), points["seq_tokens"].tolist(), strict=True)
    if phase == "decode":
        return [Batch(num_seqs=b, kv_tokens=b * q) for b, q in pairs]
    return [Batch(prompt_tokens=b * q, chunk_attention=b * q * q / 2) for b, q in pairs]
