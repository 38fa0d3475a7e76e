"""Joules per byte and per operation of a chip, from the energy per token of many models on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.energy.clock import WORK_EXPONENT
from experiments.energy.data import models, table
from experiments.energy.relative_fit import errors, fit_relative, left_out
from orsched.catalogue import FitError
from orsched.energy import ChipEnergy
from orsched.service import Batch

IDLE_W = {"a100": 63.0, "h100": 75.0}
"""Assumption: idle watts of one GPU. Constants of a simulator (Mutinifni/splitwise-sim), not measurements."""

MOST_W = {"a100": 400.0, "h100": 700.0}
"""Power limits of the SXM parts, watts."""

PROMPT_TOKENS = 300.0
"""Assumption: mean prompt of the ML.ENERGY chat requests, which is not published.

Models left out are predicted best here on H100 (4.5%); on A100 the error falls further, from 8.5% here
to 8.2% at 600 to 1,000 tokens. It hardly depends on the number, the joules per operation do: see `prompt_scan`.
"""

TERMS = ("running", "bytes", "operations")


@dataclass(frozen=True, slots=True)
class ChipFit:
    """A chip's energy with its errors: in sample, and on models left out."""

    energy: ChipEnergy
    inside: FitError
    outside: FitError


def chat(gpu: str, task: str = "text/chat") -> pd.DataFrame:
    """Measured systems of one GPU whose model's size is known, with the joules of ``b`` tokens, one for each request.

    Columns beside those of the data: ``gpus``, ``span_s`` (``b`` tokens take so long) and ``energy_j``.
    """
    rows = table("mlenergy_v2")
    rows = rows[(rows["gpu"] == gpu) & (rows["task"] == task) & rows["model"].isin(models())]
    return rows.assign(
        gpus=rows["tensor_parallel"] * rows["pipeline_parallel"],
        span_s=rows["num_seqs"] / rows["output_tokens_per_s"],
        energy_j=rows["num_seqs"] * rows["energy_per_output_token_j"],
    ).reset_index(drop=True)


def columns_of(rows: pd.DataFrame, prompt_tokens: float, terms: Iterable[str] = TERMS) -> np.ndarray:
    """What the coefficients `terms` of a chip multiply: chip-seconds, bytes and operations, shape (n, terms)."""
    known = models()
    weights = np.array([2e9 * known[m]["parameters_b"] for m in rows["model"]])
    active = np.array([1e9 * known[m].get("active_b", known[m]["parameters_b"]) for m in rows["model"]])
    kv_bytes = np.array([known[m]["kv_token_bytes"] for m in rows["model"]])
    batch, output = rows["num_seqs"].to_numpy(float), rows["output_tokens_mean"].to_numpy(float)
    columns = {
        "running": rows["gpus"].to_numpy(float) * rows["span_s"].to_numpy(float),
        "bytes": weights + batch * (prompt_tokens + output / 2) * kv_bytes,
        "operations": 2 * active * batch * (1 + prompt_tokens / output),
        "tokens": batch,
    }
    return np.column_stack([columns[term] for term in terms])


def fit_chip(gpu: str, prompt_tokens: float = PROMPT_TOKENS) -> ChipFit:
    """Fit one GPU on its chat measurements; `prompt_tokens` is the assumed mean prompt."""
    rows = chat(gpu)
    columns, measured = columns_of(rows, prompt_tokens), rows["energy_j"].to_numpy(float)
    found = fit_relative(columns, measured)
    outside = left_out("model", columns, measured, rows["model"].to_numpy())
    energy = ChipEnergy(
        running_w=float(f"{found[0]:.4g}"),
        byte_j=float(f"{found[1]:.4g}"),
        flop_j=float(f"{found[2]:.4g}"),
        idle_w=IDLE_W[gpu],
        most_w=MOST_W[gpu],
        clock_exponent=WORK_EXPONENT,
        relative_error=round(outside.mape, 3),
        source=_source(gpu, outside),
    )
    return ChipFit(energy, errors("fit", columns @ found, measured), outside)


def prompt_scan(gpu: str) -> dict[int, ChipFit]:
    """Fits of one GPU by the assumed prompt tokens, 100 to 1,000."""
    return {tokens: fit_chip(gpu, tokens) for tokens in (100, 200, 300, 400, 600, 800, 1000)}


def shapes(gpu: str) -> dict[str, tuple[FitError, FitError]]:
    """Errors (in sample, models left out) of the law with fewer or more terms, on the chat measurements."""
    rows = chat(gpu)
    measured, groups = rows["energy_j"].to_numpy(float), rows["model"].to_numpy()
    found = {}
    for terms in (("running", "bytes"), ("running", "operations"), ("bytes", "operations"), TERMS, (*TERMS, "tokens")):
        columns = columns_of(rows, PROMPT_TOKENS, terms)
        inside = errors("fit", columns @ fit_relative(columns, measured), measured)
        found[" + ".join(terms)] = (inside, left_out("model", columns, measured, groups))
    return found


def splitwise_check() -> pd.DataFrame:
    """Predict the measured decode power of other models, servers and engines on A100s with the fitted law.

    The data are the mean power of whole runs of one prompt and 128 tokens and their peak power, as shares of the power
    limit. Compared are the decode iteration with the mean, for prompts of at most 2,048 tokens in all (decoding is then
    almost all of the run), and the prefill with the peak, where that is below the limit.

    Returns
    -------
    DataFrame
        The measured rows with ``decode_frac_tdp`` and ``prefill_frac_tdp`` predicted and ``compared`` (decode rows).
    """
    chip = fit_chip("a100").energy
    rows = table("splitwise_power")
    known = models()
    decode, prefill = [], []
    for row in rows.itertuples():
        model = known[row.model]
        law = chip.power_law(1e9 * model["parameters_b"], model["kv_token_bytes"], chips=int(row.tensor_parallel))
        context = row.input_tokens_per_request + row.output_tokens_per_request / 2
        step = Batch(num_seqs=row.batch_size, kv_tokens=row.batch_size * context)
        prompt = Batch(prompt_tokens=row.batch_size * row.input_tokens_per_request)
        decode.append(law.power_w(step, row.token_time_s) / law.most_w)
        prefill.append(law.power_w(prompt, row.prompt_time_s) / law.most_w)
    short = rows["batch_size"] * rows["input_tokens_per_request"] <= 2048
    return rows.assign(decode_frac_tdp=decode, prefill_frac_tdp=prefill, compared=short)


def _source(gpu: str, outside: FitError) -> str:
    return (
        f"joules per chip-second, byte and operation fitted to ml-energy/leaderboard-v2 @c3af7f31 ({gpu.upper()} chat, "
        f"{outside.points} configurations; {outside.mape:.1%} on models left out, p95 {outside.p95_ape:.0%}); idle_w "
        "assumed (constant of splitwise-sim, not a measurement); clock_exponent from digitised VoltanaLLM totals"
    )
