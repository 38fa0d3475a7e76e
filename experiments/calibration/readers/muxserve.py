"""MuxServe's measured prefills and decodes of LLaMA."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.formats import MUXSERVE
from experiments.calibration.profile import Profile
from experiments.calibration.profile_frame import profile_frame
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Read the group at 100% of the SMs: a prefill takes the whole batch of prompts, a decode iteration one token each.

    Raises
    ------
    InputError
        When the group is not there.
    """
    table = wanted.rows(tables.one(MUXSERVE))
    table = table[(table["num_gpus"] == wanted.tensor_parallel) & (table["sm_percent"] == 100)]
    if table.empty:
        raise InputError(f"{MUXSERVE.name} has no rows for {wanted.model} on {wanted.tensor_parallel} x {wanted.gpu}")
    batch, length = table["batch_size"].to_numpy(np.float64), table["seq_tokens"].to_numpy(np.float64)
    prefill = profile_frame(
        prompt_tokens=batch * length,
        chunk_attention=batch * length**2 / 2,
        time_s=table["prefill_time_s"],
        group=batch,
    )
    decode = profile_frame(num_seqs=batch, kv_tokens=batch * length, time_s=table["decode_time_s"], group=batch)
    frame = pd.concat([decode, prefill], ignore_index=True)
    notes = (*tables.notices, "rows at 100% of the SMs")
    return Profile(wanted.gpu, wanted.model, wanted.tensor_parallel, (MUXSERVE.name,), frame, notes=notes)
