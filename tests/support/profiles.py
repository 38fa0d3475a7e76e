"""Profiles of made-up devices with known service models, in the shared formats."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.calibration.order import Order, Outcome, accepted, attempt
from orsched.service import Batch, Hinged, ServiceModel

DEVICE = Hinged(
    base_s=0.011,
    prompt_token_s=3e-5,
    sequence_s=4e-5,
    kv_token_s=2e-7,
    hinge_tokens=200.0,
    hinge_token_s=5e-5,
    chunk_attention_s=2e-9,
    past_token_s=6e-7,
    mixed_kv_token_s=1e-7,
    mixed_sequence_s=1e-5,
)
"""The model behind `iteration_table`."""

LAYERS = 4
"""Layers of the model of `operator_tables`."""


def iteration_table(service: ServiceModel = DEVICE, gpu: str = "NewGPU", model: str = "NewModel") -> pd.DataFrame:
    """An iteration profile over a grid that doubles, timed by `service` without noise."""
    rows = []
    for prompt, past in product((0, 16, 64, 256, 1024), (0, 512, 4096)):
        if not prompt and past:
            continue
        for seqs, context in product((0, 1, 8, 32, 128), (64, 512, 2048)):
            if not seqs and (not prompt or context != 64):
                continue
            batch = Batch(prompt, prompt * (past + prompt / 2), past, seqs, seqs * context)
            rows.append((gpu, model, 1, prompt, past, seqs, context if seqs else 0, service.iteration_s(batch)))
    columns = "gpu model tensor_parallel prefill_tokens prefill_past_kv_tokens decode_requests kv_tokens_per_decode"
    return pd.DataFrame(rows, columns=[*columns.split(), "iteration_s"])


def operator_tables(gpu: str = "NewGPU", model: str = "NewModel", tensor_parallel: int = 1) -> dict[str, pd.DataFrame]:
    """Attention of mixed batches and operators, in LLMServingSim's formats, of a device linear in everything."""
    label = {"gpu": gpu, "model": model, "tensor_parallel": tensor_parallel}
    attention = iteration_table().drop(columns="iteration_s").assign(**label)
    prompt, past, seqs, context = (attention[name].to_numpy(float) for name in attention.columns[3:])
    attention["time_s"] = 5e-6 + 1e-10 * prompt * (past + prompt / 2) + 1e-8 * seqs * context
    counts = np.array([1, 2, 8, 32, 128, 512, 2048])
    dense = pd.DataFrame(
        [
            (name, "dense", "tokens", x)
            for name, x in product(("qkv_proj", "o_proj", "gate_up_proj", "down_proj"), counts)
        ],
        columns=["operator", "counted_in", "x_name", "x"],
    )
    head = pd.DataFrame({"operator": "lm_head", "counted_in": "per_sequence", "x_name": "sequences", "x": counts[:5]})
    dense["time_s"], head["time_s"] = (1e-4 + 1e-6 * dense["x"]) / 4, 2e-4 + 1e-6 * head["x"]
    operators = pd.concat([dense, head], ignore_index=True).assign(**label, x2=np.nan)
    return {"attention": attention, "operators": operators}


def write(table: pd.DataFrame, path: Path) -> Path:
    """Write a table by the ending of `path`, and return the path."""
    if path.name.endswith(".parquet"):
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


def carry_out(order: Order) -> Outcome:
    """Calibrate and hold the error against the limit, as the command does."""
    return accepted(attempt(order), order)
