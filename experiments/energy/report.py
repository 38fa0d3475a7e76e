"""The numbers of docs/energy.md, in one text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.energy.chip import fit_chip, prompt_scan, shapes, splitwise_check
from experiments.energy.clock import power_exponents, power_limit_shapes, work_exponents
from experiments.energy.composition import composed_errors, mean_error
from experiments.energy.data import table
from experiments.energy.per_token import per_token_fits
from experiments.energy.share import compare, fit_scaling, scaling_errors
from orsched.service import Scaling

HARD = Scaling(saturation_share=0.465)
"""What `Scaling` was: arithmetic as 1/share, memory traffic a hard limit (its share fitted to the same decodes)."""


def report() -> str:
    """Run every fit and say what it found; takes some seconds."""
    return "\n".join(line for part in (_per_token, _chips, _splitwise, _shares, _clocks, _kernels) for line in part())


def _per_token() -> Iterator[str]:
    found = per_token_fits()
    yield (
        f"energy per token e0 + e1/b: {len(found)} systems, {found['points'].sum()} points, "
        f"MAPE {found['mape'].mean():.1%}, a batch size left out {found['left_out_mape'].mean():.1%} "
        f"(worst system {found['left_out_mape'].max():.1%})"
    )


def _chips() -> Iterator[str]:
    for gpu in ("a100", "h100"):
        found = fit_chip(gpu)
        chip = found.energy
        yield (
            f"{gpu}: {chip.running_w:.1f} W running, {chip.byte_j * 1e12:.0f} pJ/byte, {chip.flop_j * 1e12:.2f} pJ/op; "
            f"MAPE {found.inside.mape:.1%}, a model left out {found.outside.mape:.1%} (p95 {found.outside.p95_ape:.0%})"
        )
        for name, (inside, outside) in shapes(gpu).items():
            yield f"  {name}: {inside.mape:.1%}, a model left out {outside.mape:.1%}"
        for tokens, fit in prompt_scan(gpu).items():
            yield (
                f"  prompts of {tokens} tokens assumed: {fit.energy.running_w:.1f} W running, "
                f"{fit.energy.byte_j * 1e12:.0f} pJ/byte, {fit.energy.flop_j * 1e12:.2f} pJ/op, "
                f"a model left out {fit.outside.mape:.2%}"
            )


def _splitwise() -> Iterator[str]:
    rows = splitwise_check()
    decode = rows[rows["compared"]]
    wrong = decode["decode_frac_tdp"] / decode["mean_power_frac_tdp"] - 1
    yield (
        f"splitwise decode power (not fitted): {len(decode)} points, MAPE {wrong.abs().mean():.1%}, "
        f"p95 {np.percentile(wrong.abs(), 95):.1%}, bias {wrong.mean():+.1%}"
    )
    prefill = rows[rows["peak_power_frac_tdp"] < 0.95]
    wrong = prefill["prefill_frac_tdp"] / prefill["peak_power_frac_tdp"] - 1
    yield (
        f"splitwise prefill peaks below the limit (not fitted): {len(prefill)} points, MAPE {wrong.abs().mean():.1%}, "
        f"bias {wrong.mean():+.1%}"
    )


def _shares() -> Iterator[str]:
    for phase in ("decode", "prefill"):
        for row in compare(phase).itertuples():
            yield (
                f"{phase} {row.shape}: MAPE {row.mape:.1%}, p95 {row.p95_ape:.1%}; "
                f"a model left out {row.model_mape:.1%}, a share left out {row.share_mape:.1%}"
            )
    scaling, decode, prefill = fit_scaling()
    yield (
        f"scaling: saturation_share {scaling.saturation_share}, compute_share {scaling.compute_share}, "
        f"sharpness {scaling.sharpness}; decode {decode.mape:.1%} ({decode.points}), "
        f"prefill {prefill.mape:.1%} ({prefill.points})"
    )
    for phase in ("decode", "prefill"):
        error = scaling_errors(scaling, phase, 8)
        yield f"  65B on 8 GPUs, {phase}: {error.mape:.1%} (p95 {error.p95_ape:.0%}, {error.points} points, not fitted)"
    new, old = composed_errors(scaling), composed_errors(HARD)
    for phase in ("decode", "prefill"):
        after, before = mean_error(new, phase), mean_error(old, phase)
        yield f"  whole 7B iterations below 100%, {phase}: {after:.1%}, before {before:.1%}"


def _clocks() -> Iterator[str]:
    for idle in (0.0, 63.0):
        found = work_exponents(idle)
        light = found[found["lightest"]]["exponent"]
        yield (
            f"exponent of work at {idle:.0f} W idle (digitised): median {light.median():.2f}, "
            f"{light.min():.2f} to {light.max():.2f}"
        )
    for static in (0.0, 39.0):
        rows = power_exponents(static)
        a100 = rows[(rows["gpu"] == "a100") & (rows["workload"] == "llama")]
        h100 = rows[(rows["gpu"] == "h100") & (rows["workload"] == "llama")]
        yield (
            f"1 + alpha at {static:.0f} W static, batch 1: A100 {a100['exponent'].item():.2f} "
            f"(beta {a100['beta'].item():.2f}), H100 {h100['exponent'].item():.2f} (beta {h100['beta'].item():.2f})"
        )
    shape = power_limit_shapes().groupby("gpu")[["gamma_without", "rmse_without", "gamma_static", "rmse_static"]]
    for gpu, row in shape.median().iterrows():
        yield (
            f"power limits, training on {gpu}: gamma {row['gamma_without']:.2f} (rmse {row['rmse_without']:.3f}) "
            f"without static power, {row['gamma_static']:.2f} (rmse {row['rmse_static']:.3f}) "
            "with 90% of the least power"
        )


def _kernels() -> Iterator[str]:
    rows = table("aiconfigurator_kernel_power_h200")
    rows = rows[rows["log10_time"] >= -4]
    regimes = {
        "decode attention at >= 80% of bandwidth": (rows["kernel"] == "decode attention") & (rows["memory_use"] >= 0.8),
        "gemm at >= 80% of bandwidth": (rows["kernel"] == "gemm") & (rows["memory_use"] >= 0.8),
        "gemm at 60 to 80% of peak arithmetic": (rows["kernel"] == "gemm") & rows["compute_use"].between(0.6, 0.8),
    }
    for name, chosen in regimes.items():
        part: pd.DataFrame = rows[chosen]
        watts = np.average(part["power_w"], weights=part["kernels"])
        yield f"H200 kernels of 0.1 ms and more, {name}: {watts:.0f} W of 700 ({part['kernels'].sum()} kernels)"
