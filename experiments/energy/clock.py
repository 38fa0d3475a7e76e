"""What published measurements say about the exponents of the clock law, and what they do not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.energy.data import table

WORK_EXPONENT = 1.5
"""Exponent of the energy of work against the clock, as the catalogue states it: see `work_exponents`."""

_FULL_MHZ, _LOW_MHZ, _WINDOW_S = 1410.0, 1005.0, 120.0
_GPUS = {"Ministral-3B": 4, "Llama-3.1-8B": 4, "Qwen3-32B": 8}


def work_exponents(idle_w: float) -> pd.DataFrame:
    """Exponent of the energy of work from VoltanaLLM's digitised totals at 1410 and 1005 MHz (A100).

    Both totals are of the same window and requests. With ``A`` idle watts per GPU the energy beyond idling is
    ``E - A GPUs window``; its ratio at the two clocks is ``(1005/1410)^alpha``.

    Parameters
    ----------
    idle_w : float
        ``A``, watts per GPU; not published.

    Returns
    -------
    DataFrame
        One row per point: model, workload, rate_rps, ``lightest`` (lowest rate of its panel), ``exponent``.

    Notes
    -----
    Assumed, because the figure does not state it: a window of 120 s (the demo's), 4 GPUs, 8 for Qwen3-32B (two a
    server). Past the knee the low clock does less work in the window, so that only the lightest rates identify it.
    """
    rows = table("voltana_energy_digitised")
    idle_j = idle_w * _WINDOW_S * rows["model"].map(_GPUS)
    ratio = (rows["energy_1005mhz_j"] - idle_j) / (rows["energy_1410mhz_j"] - idle_j)
    panel = rows.groupby(["model", "workload"])["rate_rps"]
    return rows[["model", "workload", "rate_rps"]].assign(
        lightest=rows["rate_rps"] == panel.transform("min"),
        exponent=np.log(ratio) / np.log(_LOW_MHZ / _FULL_MHZ),
    )


def power_exponents(static_w: float) -> pd.DataFrame:
    """``1 + alpha`` of power and ``beta`` of time between the full clock and the least-EDP clock, two points each.

    Parameters
    ----------
    static_w : float
        ``A``, watts; one point below the full clock cannot tell it from ``alpha``.

    Returns
    -------
    DataFrame
        Per GPU and workload: ``clock`` (share of the full one), ``power_w`` and ``full_power_w``, ``exponent``
        (NaN where `static_w` is not below the measured power) and ``beta``.
    """
    rows = table("dvfs_optima")
    clock = rows["optimal_frequency_mhz"] / rows["max_frequency_mhz"]
    stretch = 1 + rows["time_added_percent"] / 100
    power = rows["optimal_energy_j"] / rows["optimal_time_s"]
    full = power * stretch / (1 - rows["energy_saved_percent"] / 100)
    above = (power > static_w).to_numpy()
    ratio = np.where(above, (power - static_w) / (full - static_w), np.nan)
    return rows[["gpu", "workload"]].assign(
        clock=clock,
        power_w=power,
        full_power_w=full,
        exponent=np.log(ratio) / np.log(clock),
        beta=-np.log(stretch) / np.log(clock),
    )


def power_limit_shapes(static_share: float = 0.9) -> pd.DataFrame:
    """Shape of time against mean power under a power limit: ``log T = c - gamma log(P - A)`` (training, not serving).

    Under the clock law ``gamma = beta / (1 + alpha)``. Fitted where the limit binds (mean power above 93% of it) and at
    least four limits did, with ``A = 0`` and with ``A`` a share of the least measured power.

    Returns
    -------
    DataFrame
        One row per GPU, network and batch size: ``points``, ``gamma_without``, ``rmse_without`` for ``A = 0``, and
        ``gamma_static``, ``rmse_static`` for the given share; rmse of ``log T``.
    """
    rows = []
    data = table("zeus_power_limits")
    data = data[data["mean_power_w"] > 0.93 * data["power_limit_w"]]
    for (gpu, dataset, network, batch), points in data.groupby(["gpu", "dataset", "network", "batch_size"]):
        if len(points) < 4:
            continue
        power = points["mean_power_w"].to_numpy(float)
        time = np.log(points["time_per_epoch_s"].to_numpy(float))
        found = [_slope(np.log(power - share * power.min()), time) for share in (0.0, static_share)]
        rows.append([gpu, dataset, network, batch, len(points), *found[0], *found[1]])
    names = ["points", "gamma_without", "rmse_without", "gamma_static", "rmse_static"]
    return pd.DataFrame(rows, columns=["gpu", "dataset", "network", "batch_size", *names])


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    columns = np.column_stack([np.ones(len(x)), -x])
    found, *_ = np.linalg.lstsq(columns, y, rcond=None)
    return float(found[1]), float(np.sqrt(np.mean((columns @ found - y) ** 2)))
