"""The two oldest fitted entries, each from measurements of several projects; see `a100_sums`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from experiments.calibration.a100_sums import a100_operator_sums, a100_prefill_kernels, muxserve_llama_7b
from experiments.calibration.calibrating import hinged_of
from experiments.calibration.calibration import Calibration, CrossCheck
from experiments.calibration.errors import mean_error, regime_errors
from experiments.calibration.fit import Fit, fit_profile
from experiments.calibration.leave_one_out import leave_one_group_out

_MIN_KERNEL_PROMPT_TOKENS = 128
_RANGE = ("prompt_tokens", "num_seqs", "kv_tokens")


def _llama2_7b_a100(entry: Mapping[str, Any]) -> Calibration:
    kernels = a100_prefill_kernels(num_kv_heads=32, min_prompt_tokens=_MIN_KERNEL_PROMPT_TOKENS)
    attention = fit_profile(kernels, terms=("base_s", "prompt_token_s", "chunk_attention_s"))
    fixed = {"chunk_attention_s": attention.coefficients["chunk_attention_s"]}
    profile = muxserve_llama_7b()
    fit = fit_profile(profile, fixed=fixed)
    most = entry["max_num_seqs"]
    sums = a100_operator_sums("Llama-2-7b-hf", 32, 32_000, most)
    long = sums["prompt_tokens"] >= 512
    proxy = a100_operator_sums("Llama-2-7b-hf", 8, 32_000, most)
    proxy = proxy[proxy["regime"] == "decode"].assign(kv_tokens=lambda rows: rows["kv_tokens"] / 4)
    proxy = proxy[proxy["kv_tokens"] <= entry["kv_capacity_tokens"]].reset_index(drop=True)
    comment = (
        "Vidur linear operators (A100, one layer x 32, and the embedding) + aiconfigurator {kernel} + output "
        "head scaled from a 65,536-wide product. Mean signed deviation of the model from the sums "
        "{bias:+.1%}. The sums lack the per-iteration cost of the engine; their attention kernels are newer."
    )
    mha = "MHA prefill kernels"
    gqa = "GQA decode kernels at four times the context (the same KV bytes; MHA decode was not measured)"
    return Calibration(
        hinged_of(fit),
        fit.errors,
        profile,
        (
            _left_out(profile, "batch size", lambda part: fit_profile(part, fixed=fixed)),
            _compared(fit, sums[long].reset_index(drop=True), "operator sums, prefill >= 512 tokens", comment, mha),
            _compared(fit, sums[~long].reset_index(drop=True), "operator sums, prefill < 512 tokens", comment, mha),
            _compared(fit, proxy, "operator sums, decode (proxy)", comment, gqa),
        ),
        range_columns=_RANGE,
    )


def _llama3_8b_a100(entry: Mapping[str, Any]) -> Calibration:
    sums = a100_operator_sums("Meta-Llama-3-8B", 8, 128_256, entry["max_num_seqs"])
    profile = sums[sums["kv_tokens"] <= entry["kv_capacity_tokens"]].reset_index(drop=True)
    fit = fit_profile(profile)
    return Calibration(
        hinged_of(fit),
        fit.errors,
        profile,
        (_left_out(profile, "batch size", fit_profile),),
        range_columns=_RANGE,
    )


def _left_out(profile: pd.DataFrame, what: str, refit: Callable[[pd.DataFrame], Fit]) -> CrossCheck:
    return CrossCheck(
        f"leave one {what} out",
        leave_one_group_out(profile, refit),
        f"Refitted (hinge included) without each {what} in turn and applied to it; mean over regimes.",
    )


def _compared(fit: Fit, sums: pd.DataFrame, against: str, comment: str, kernel: str) -> CrossCheck:
    predicted, measured = fit.predict_s(sums), sums["time_s"].to_numpy(np.float64)
    mape = mean_error(regime_errors(sums, predicted))
    bias = float(np.mean(predicted / measured - 1.0))
    return CrossCheck(against, mape, comment.format(kernel=kernel, bias=bias))


ENTRIES: Mapping[str, Callable[[Mapping[str, Any]], Calibration]] = {
    "llama2-7b/a100-80g": _llama2_7b_a100,
    "llama3-8b/a100-80g": _llama3_8b_a100,
}
"""By catalogue name: the entry as it is -> its calibration."""
