"""``orsched heavy-traffic`` as a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.scaling import BALANCED_TOY, D0, D1, KV, SCALES, scaling_order
from experiments.orders.values import Numbers

if TYPE_CHECKING:
    import pandas as pd

    from orsched.policy import Policy
    from proofs_check.heavy_traffic import PromptType


class ScalingFrames(NamedTuple):
    """How a policy scales with the horizon at fixed memory.

    Parameters
    ----------
    means : pandas.DataFrame
        One row per type, metric and scale: type (``all`` or its number), metric, scale, horizon_s (seconds), mean,
        half_width (95%), n (replications); the facts of the run in ``attrs``.
    slopes : pandas.DataFrame
        One row per type and metric: the log-log slope, half_width (95%, jackknife), n.
    values : pandas.DataFrame
        Every number: policy, scale, horizon_s, replication, type, metric, value.
    """

    means: pd.DataFrame
    slopes: pd.DataFrame
    values: pd.DataFrame

    def _repr_html_(self) -> str:
        return frames_html({"slopes": self.slopes, "means": self.means})


@taken
def heavy_traffic(
    *,
    type: str | PromptType | Iterable[str | PromptType] = BALANCED_TOY,
    d0: float = D0,
    d1: float = D1,
    kv: int = KV,
    policy: str | Policy = "wait",
    thresholds: Numbers | None = None,
    scales: Numbers = SCALES,
    horizon: float | None = None,
    replications: int = 20,
    seed: int = 0,
) -> ScalingFrames:
    """Scale rates up and iteration times down at fixed memory: throughput gap, delay, their log-log slopes.

    Parameters
    ----------
    type : str, PromptType or several
        Types, as ``"RATE:PROMPT:DECODE"`` (1/s, tokens, decode steps) or `proofs_check.heavy_traffic.PromptType`.
    d0, d1 : float
        Seconds of an empty iteration, and per KV token of the batch.
    kv : int
        KV tokens that fit.
    policy : str or Policy
        Which policy.
    thresholds : str or sequence of int, optional
        WAIT only: one number per type, ``"critical"`` (no slack, the default) or ``"slack"``.
    scales : str or sequence of float
        At least two.
    horizon : float, optional
        Seconds at scale 1; by default those of 256 arrivals on average.
    replications, seed : int
        Sample paths, and the seed of every random stream.

    Returns
    -------
    ScalingFrames
        Means by scale, slopes, and every number.

    Raises
    ------
    InputError
        As ``orsched heavy-traffic`` for the same options.
    """
    found = scaling_order(
        type,
        d0=d0,
        d1=d1,
        kv=kv,
        policy=policy,
        thresholds=thresholds,
        scales=scales,
        horizon=horizon,
        replications=replications,
        seed=seed,
    )
    means = found.means_frame()
    means.attrs.update(found.about)
    return ScalingFrames(means, found.slopes_frame(), found.frame)
