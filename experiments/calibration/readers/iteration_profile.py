"""Whole iterations, timed one by one: the format of `experiments.measure_gpu`."""

from __future__ import annotations

import numpy as np

from experiments.calibration.formats import ITERATIONS
from experiments.calibration.profile import Profile
from experiments.calibration.profile_frame import profile_frame
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Read the group from an iteration profile.

    Raises
    ------
    InputError
        When the group is not there, or a row times nothing.
    """
    table = wanted.require_rows(tables.one(ITERATIONS), ITERATIONS.name)
    prompt, past, seqs, context = (table[name].to_numpy(np.float64) for name in ITERATIONS.counts[1:])
    if (prompt + seqs == 0).any():
        raise InputError(f"{ITERATIONS.name}: a row without prompt tokens and decodes times nothing; drop it")
    frame = profile_frame(
        prompt_tokens=prompt,
        chunk_attention=prompt * (past + prompt / 2),
        past_tokens=past,
        num_seqs=seqs,
        kv_tokens=seqs * context,
        time_s=table["iteration_s"],
        group=seqs,
    )
    return Profile(wanted.gpu, wanted.model, wanted.tensor_parallel, (ITERATIONS.name,), frame, notes=tables.notices)
