"""Splitwise's measured batches: prompt phase and mean token time of whole requests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.formats import SPLITWISE
from experiments.calibration.profile import Profile
from experiments.calibration.profile_frame import profile_frame
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Read the group: a prefill of all prompts, and a decode iteration at the mean KV of the decode phase.

    Raises
    ------
    InputError
        When the group is not there.
    """
    table = wanted.require_rows(tables.one(SPLITWISE), SPLITWISE.name)
    good = table[table["suspect"].str.lower() != "true"]
    notes = list(tables.notices)
    if len(good) < len(table):
        notes.append(f"{len(table) - len(good)} rows that the source marks as suspect left out")
    batch, length, kv = (
        good[name].to_numpy(np.float64) for name in ("batch_size", "input_tokens_per_request", "kv_tokens_mean")
    )
    prefill = profile_frame(
        prompt_tokens=batch * length,
        chunk_attention=batch * length**2 / 2,
        time_s=good["prompt_time_s"],
        group=batch,
    )
    prefill = prefill.groupby([c for c in prefill.columns if c != "time_s"], as_index=False)["time_s"].median()
    decode = profile_frame(num_seqs=batch, kv_tokens=kv, time_s=good["token_time_s"], group=batch)
    frame = pd.concat([decode, prefill], ignore_index=True)
    return Profile(wanted.gpu, wanted.model, wanted.tensor_parallel, (SPLITWISE.name,), frame, notes=tuple(notes))
