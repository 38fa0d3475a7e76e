"""How well a fit carries over to a GPU, a model or a tensor-parallel degree that it has not seen.

The rule (ours): every coefficient of the hinged form is an efficiency, the same everywhere, times what the data
sheets say. Reading the weights (of experts: the visited ones) costs bytes over bandwidth; a token costs two operations
per active parameter over FLOP/s; KV reads cost bytes over bandwidth; a pair of tokens in attention four operations per
head dimension over FLOP/s; every layer costs a constant. The hinge is a multiple of the tokens at which arithmetic
overtakes the reading of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from experiments.calibration.errors import regime_errors
from experiments.calibration.experts import activated_experts
from experiments.calibration.fit import HINGED_TERMS, design_matrix
from experiments.calibration.peaks import peaks_of
from experiments.calibration.profile import Profile
from orsched.catalogue import FitError
from orsched.devices import ModelConfig
from orsched.errors import InputError

Floats = NDArray[np.float64]

_HINGES = np.geomspace(0.1, 4.0, 25)


@dataclass(frozen=True, slots=True)
class Sized:
    """A profile and the sizes of its model and GPU that times follow from.

    Parameters
    ----------
    profile : Profile
        Timed iterations.
    shape : ModelConfig
        Shape of the model.
    kept : DataFrame
        The iterations that are used.
    """

    profile: Profile
    shape: ModelConfig
    kept: pd.DataFrame

    def scales(self) -> Floats:
        """Data-sheet seconds per unit of each of `HINGED_TERMS`, and of a layer; shape ``(terms + 1,)``."""
        peaks, gpus, shape = peaks_of(self.profile.gpu), self.profile.tensor_parallel, self.shape
        token = 2 * shape.active_params / gpus / peaks.flops
        kv = shape.kv_bytes_per_token_on(gpus) / peaks.bandwidth
        by_term = {
            "base_s": 1.0,
            "prompt_token_s": token,
            "sequence_s": token,
            "hinge_token_s": token,
            "mixed_sequence_s": token,
            "kv_token_s": kv,
            "past_token_s": kv,
            "mixed_kv_token_s": kv,
            "chunk_attention_s": shape.layers * shape.prefill_pair_flops / gpus / peaks.flops,
        }
        return np.array([*(by_term[term] for term in HINGED_TERMS), float(shape.layers)])

    def weights_s(self) -> Floats:
        """Data-sheet seconds of reading the weights that each batch needs: experts only if a token visits them."""
        shape, gpus = self.shape, self.profile.tensor_parallel
        experts = shape.expert_layers * shape.experts * shape.expert_params * shape.dtype_bytes
        tokens = self.kept["prompt_tokens"].to_numpy(np.float64) + self.kept["num_seqs"].to_numpy(np.float64)
        awake = activated_experts(shape, tokens, shape.experts) / shape.experts if shape.experts else 0.0 * tokens
        read = shape.weight_bytes - experts + experts * awake
        return np.asarray(read / gpus / peaks_of(self.profile.gpu).bandwidth, np.float64)

    def ridge_tokens(self) -> float:
        """Tokens at which arithmetic takes as long as reading the weights."""
        peaks, shape = peaks_of(self.profile.gpu), self.shape
        return (shape.weight_bytes / peaks.bandwidth) / (2 * shape.active_params / peaks.flops)

    def columns(self, hinge: float) -> Floats:
        """What each efficiency multiplies, seconds; shape ``(n, terms + 1)``."""
        design = design_matrix(self.kept, hinge * self.ridge_tokens())
        design[:, 0] = self.weights_s()
        return np.column_stack([design, np.ones(len(design))]) * self.scales()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One group predicted from the others."""

    group: str
    trained_on: int
    errors: tuple[FitError, ...]
    bias: float


KEYS: Mapping[str, Callable[[Sized], str]] = {
    "gpu": lambda one: one.profile.gpu,
    "model": lambda one: one.shape.name,
    "tensor-parallel": lambda one: str(one.profile.tensor_parallel),
}
"""What a group is left out by: its value of it."""
LEAVE_OUT = tuple(KEYS)
"""What can be left out."""


def leave_out(groups: Sequence[Sized], what: str) -> tuple[LeftOut, ...]:
    """Fit efficiencies to all groups but those of one GPU, model or tensor-parallel degree, and predict these.

    Parameters
    ----------
    groups : sequence of Sized
        At least two different values of `what`.
    what : str
        One of `LEAVE_OUT`.

    Raises
    ------
    InputError
        When there is nothing left to fit.
    """
    if what not in KEYS:
        raise InputError(f"--leave-out {what!r}: one of {', '.join(LEAVE_OUT)}")
    key = KEYS[what]
    values = sorted({key(one) for one in groups})
    if len(values) < 2:
        raise InputError(f"the profile has one {what} only ({values[0]}): nothing is left to fit when it is left out")
    found = []
    for value in values:
        rest = [one for one in groups if key(one) != value]
        hinge, efficiencies = _fit(rest)
        for one in groups:
            if key(one) == value:
                predicted = one.columns(hinge) @ efficiencies
                bias = float(np.mean(predicted / one.kept["time_s"].to_numpy(np.float64) - 1))
                found.append(LeftOut(one.profile.group, len(rest), regime_errors(one.kept, predicted), bias))
    return tuple(found)


def _fit(groups: Sequence[Sized]) -> tuple[float, Floats]:
    """Hinge multiple and efficiencies of least relative error, every regime of every group weighing the same."""
    measured = np.concatenate([one.kept["time_s"].to_numpy(np.float64) for one in groups])
    label = np.concatenate([[f"{k} {name}" for name in one.kept["regime"]] for k, one in enumerate(groups)])
    _, member, sizes = np.unique(label, return_inverse=True, return_counts=True)
    weight = 1.0 / (measured * np.sqrt(sizes[member]))
    best: tuple[float, float, Floats] | None = None
    for hinge in _HINGES:
        columns = np.vstack([one.columns(hinge) for one in groups]) * weight[:, None]
        scale = np.linalg.norm(columns, axis=0)
        scale[scale == 0] = 1.0
        _, triangle = np.linalg.qr(np.column_stack([columns / scale, measured * weight]))
        solved, norm = nnls(triangle[:, :-1], triangle[:, -1])
        if best is None or norm < best[0]:
            best = (float(norm), float(hinge), solved / scale)
    if best is None:
        raise InputError("no group is left to fit")
    return best[1], best[2]
