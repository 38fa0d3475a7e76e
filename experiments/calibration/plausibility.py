"""What a data sheet says no iteration can undercut: reading the weights, and reading the KV memory."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.calibration.peaks import peaks_of
from experiments.calibration.profile import Profile
from experiments.calibration.request import Wanted
from orsched.errors import InputError

LEAST_OF_WEIGHTS = 0.8
"""A decode iteration shorter than this share of the data-sheet time of reading the weights is not believed. Not 1: the
embedding table is counted as read whole, and data sheets are not exact."""
MOST_OF_WEIGHTS = 50.0
"""Nor is a profile whose shortest decode iteration takes more than this many times as long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Data-sheet times of one instance.

    Parameters
    ----------
    weights_s : float
        Seconds to read the weights that one token needs; of experts those it visits, evenly spread over ranks.
    kv_token_s : float
        Seconds to read the KV of one token.
    """

    weights_s: float
    kv_token_s: float


def limits_of(wanted: Wanted, complete: bool = True) -> Limits | None:
    """Return the limits of a group; None where the data sheet of its GPU or the shape of its model is not known."""
    if not complete:
        return None
    try:
        bandwidth = peaks_of(wanted.gpu).bandwidth
    except InputError:
        return None
    shape, gpus = wanted.shape, wanted.tensor_parallel
    experts = shape.expert_layers * shape.experts * shape.expert_params * shape.dtype_bytes
    visited = experts * shape.active_experts / shape.experts / wanted.ranks if shape.experts else 0.0
    weights = (shape.weight_bytes - experts + visited) / gpus
    return Limits(weights / bandwidth, shape.kv_bytes_per_token_on(gpus) / bandwidth)


def implausible(profile: Profile, limits: Limits | None) -> str:
    """Say what is wrong with the shortest decode iteration of a profile; empty when nothing is."""
    rows = profile.iterations
    decode = rows.loc[rows["regime"] == "decode", "time_s"]
    if limits is None or decode.empty:
        return ""
    shortest = float(decode.min())
    share = shortest / limits.weights_s
    if LEAST_OF_WEIGHTS <= share <= MOST_OF_WEIGHTS:
        return ""
    unit = "are these milliseconds?" if share > MOST_OF_WEIGHTS else "are these other units, or is the precision lower?"
    return (
        f"the shortest decode iteration of {profile.group} takes {shortest:.3g} s, {share:.3g} times the "
        f"{limits.weights_s:.3g} s in which its {profile.gpu} can read the weights; {unit}"
    )


def too_short(profile: Profile, limits: Limits | None) -> str:
    """Say that the shortest decode iteration undercuts the data sheet, for notes; empty when it does not."""
    rows = profile.iterations
    decode = rows.loc[rows["regime"] == "decode", "time_s"]
    if limits is None or decode.empty or decode.min() >= limits.weights_s:
        return ""
    return (
        f"the shortest decode iteration takes {1e3 * decode.min():.3g} ms, less than the {1e3 * limits.weights_s:.3g} "
        "ms in which the data sheet's bandwidth reads the weights: times of few decodes are too short"
    )
