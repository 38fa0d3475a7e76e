"""The hinged form fitted to measured batch times, and held against a batch size it has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.fit import fit_profile
from experiments.calibration.profile_frame import profile_frame
from experiments.validation.batch_times_table import batches

TERMS = ("base_s", "prompt_token_s", "sequence_s", "kv_token_s", "hinge_token_s", "chunk_attention_s")
"""Terms that prompts without a past, and decodes alone, can identify."""


def hinged_left_out(points: pd.DataFrame) -> pd.DataFrame:
    """Predict every cell by a fit to its source, GPU, model and tensor-parallel degree without its batch size.

    Parameters
    ----------
    points : DataFrame
        As `batch_times`, of the whole device.

    Returns
    -------
    DataFrame
        `points` with ``prompt_predicted_s`` and ``token_predicted_s``; groups with a single batch size are left out.
    """
    found = []
    for _, part in points.groupby(["source", "gpu", "model", "tensor_parallel"], sort=True):
        sizes = part["batch_size"].to_numpy()
        if np.unique(sizes).size < 2:
            continue
        profile = _profile(part)
        predicted = np.empty(len(profile))
        for size in np.unique(sizes):
            unseen = np.tile(sizes == size, 2)
            predicted[unseen] = fit_profile(profile[~unseen], TERMS).predict_s(profile[unseen])
        prompt_s, token_s = predicted.reshape(2, -1)
        found.append(part.assign(prompt_predicted_s=prompt_s, token_predicted_s=token_s))
    return pd.concat(found)


def _profile(part: pd.DataFrame) -> pd.DataFrame:
    """All prompt iterations, then all decode iterations."""
    pairs = list(batches(part))
    frames = []
    for kind, column in ((0, "prompt_s"), (1, "token_s")):
        fields = zip(*(pair[kind] for pair in pairs), strict=True)
        prompt, attention, past, seqs, kv, _ = map(np.array, fields)
        frames.append(
            profile_frame(
                prompt_tokens=prompt,
                chunk_attention=attention,
                past_tokens=past,
                num_seqs=seqs,
                kv_tokens=kv,
                time_s=part[column].to_numpy(np.float64),
                group=part["batch_size"].to_numpy(),
            )
        )
    return pd.concat(frames, ignore_index=True)
