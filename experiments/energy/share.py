"""How iteration times stretch with the share of the SMs: shapes compared on MuxServe's A100 measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from experiments.energy.data import table
from experiments.energy.relative_fit import errors
from orsched.catalogue import FitError
from orsched.service import Scaling
from orsched.service.point import stretch
from orsched.work import Floats

MOST_DECODES = 32
"""Largest batch whose decode time counts as memory traffic."""

LEAST_PROMPT_TOKENS = 2048
"""Least prompt tokens of an iteration whose time counts as arithmetic."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A factor on time as a function of the share and parameters; `start` is where the fit begins."""

    factor: Callable[[Floats, Floats], Floats]
    start: tuple[float, ...]


def _soft(share: Floats, p: Floats) -> Floats:
    c, k = abs(p[0]) + 1e-9, max(1.0, p[1])
    return np.array([stretch(s, c, k) for s in share])


SHAPES = {
    "1/s": Shape(lambda s, p: 1 / s, ()),
    "max(1, c/s)": Shape(lambda s, p: np.maximum(1.0, p[0] / s), (0.6,)),
    "s^-g": Shape(lambda s, p: s ** -p[0], (0.5,)),
    "1 + w (1/s - 1)": Shape(lambda s, p: 1 + p[0] * (1 / s - 1), (0.4,)),
    "soft(c, k)": Shape(_soft, (0.7, 2.5)),
}
"""What was compared, simplest first; the last is `orsched.service.Scaling`."""


def ratios(phase: str, num_gpus: int = 1) -> pd.DataFrame:
    """Time over the time at 100% of the SMs, of the iterations that one resource bounds.

    Parameters
    ----------
    phase : {"decode", "prefill"}
        Decodes of at most `MOST_DECODES` sequences, or prompts of at least `LEAST_PROMPT_TOKENS` tokens in all.
    num_gpus : int
        1 (LLaMA 7B and 13B) or 8 (65B).
    """
    rows = table("muxserve_sm_share")
    rows = rows[(rows["phase"] == phase) & (rows["num_gpus"] == num_gpus)]
    decode = rows["batch_size"] <= MOST_DECODES
    prefill = rows["batch_size"] * rows["seq_tokens"] >= LEAST_PROMPT_TOKENS
    rows = rows[decode if phase == "decode" else prefill]
    keys = ["model", "batch_size", "seq_tokens"]
    full = rows[rows["sm_percent"] == 100].set_index(keys)["time_s"].rename("full_s")
    rows = rows[rows["sm_percent"] < 100].join(full, on=keys).dropna(subset=["full_s"])
    share, ratio = rows["sm_percent"] / 100, rows["time_s"] / rows["full_s"]
    return rows.assign(share=share, ratio=ratio).reset_index(drop=True)


def compare(phase: str) -> pd.DataFrame:
    """Errors of every shape on one phase: in sample, with a model left out, with a share left out (one GPU)."""
    rows = ratios(phase)
    found = []
    for name, shape in SHAPES.items():
        inside = errors("fit", shape.factor(rows["share"].to_numpy(), fit_shape(shape, rows)), rows["ratio"].to_numpy())
        model, share = (_left_out(shape, rows, column) for column in ("model", "share"))
        found.append([name, inside.mape, inside.p95_ape, model.mape, model.p95_ape, share.mape, share.p95_ape])
    names = ["shape", "mape", "p95_ape", "model_mape", "model_p95_ape", "share_mape", "share_p95_ape"]
    return pd.DataFrame(found, columns=names)


def fit_shape(shape: Shape, rows: pd.DataFrame) -> Floats:
    """Fit the parameters of a shape by least squares of relative error."""
    if not shape.start:
        return np.empty(0)
    share, ratio = rows["share"].to_numpy(), rows["ratio"].to_numpy()
    return _least(lambda p: float(np.mean((shape.factor(share, p) / ratio - 1) ** 2)), shape.start)


def fit_scaling() -> tuple[Scaling, FitError, FitError]:
    """Fit the scaling of one A100: a share for each phase, one sharpness for both; errors of decode and prefill."""
    decode, prefill = ratios("decode"), ratios("prefill")

    def loss(p: Floats) -> float:
        wrong = [
            np.mean((_soft(rows["share"].to_numpy(), np.array([c, p[2]])) / rows["ratio"].to_numpy() - 1) ** 2)
            for c, rows in ((p[0], decode), (p[1], prefill))
        ]
        return float(sum(wrong))

    found = _least(loss, (0.4, 1.0, 2.5))
    scaling = Scaling(
        saturation_share=round(float(found[0]), 3),
        compute_share=round(float(found[1]), 3),
        sharpness=round(float(found[2]), 2),
        source=(
            "SM shares: fitted to hao-ai-lab/MuxServe @22314803 examples/placement/llama.json, LLaMA 7B and 13B on one "
            f"A100 80 GB at 30 to 100% of the SMs (decode of at most {MOST_DECODES} sequences, prefill of at least "
            f"{LEAST_PROMPT_TOKENS} tokens). Clock exponents assumed: arithmetic 1, memory 0."
        ),
    )
    return scaling, scaling_errors(scaling, "decode"), scaling_errors(scaling, "prefill")


def scaling_errors(scaling: Scaling, phase: str, num_gpus: int = 1) -> FitError:
    """Errors of a scaling on one phase of the measurements."""
    rows = ratios(phase, num_gpus)
    c = scaling.saturation_share if phase == "decode" else scaling.compute_share
    predicted = np.array([stretch(s, c, scaling.sharpness) for s in rows["share"]])
    return errors(phase, predicted, rows["ratio"].to_numpy())


def _left_out(shape: Shape, rows: pd.DataFrame, column: str) -> FitError:
    predicted = np.empty(len(rows))
    for value in rows[column].unique():
        out = (rows[column] == value).to_numpy()
        predicted[out] = shape.factor(rows["share"].to_numpy()[out], fit_shape(shape, rows[~out]))
    return errors(f"leave one {column} out", predicted, rows["ratio"].to_numpy())


def _least(loss: Callable[[Floats], float], start: Sequence[float]) -> Floats:
    tries = [minimize(loss, scale * np.array(start), method="Nelder-Mead") for scale in (0.7, 1.0, 1.4)]
    return np.asarray(min(tries, key=lambda found: found.fun).x)
