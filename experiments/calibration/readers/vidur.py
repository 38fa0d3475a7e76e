"""Vidur's operators without attention, joined with attention kernels of the same GPU."""

from __future__ import annotations

import numpy as np

from experiments.calibration.formats import AIC_ATTENTION, AIC_GEMM, VIDUR
from experiments.calibration.kernels import Kernels, Series, series
from experiments.calibration.profile import Profile
from experiments.calibration.readers.additive import ADDITIVE
from experiments.calibration.readers.aiconfigurator import aic_attention, output_head
from experiments.calibration.readers.collectives import all_reduces
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Build the group from Vidur's operators and aiconfigurator's attention.

    Raises
    ------
    InputError
        When a table, the group or its heads are missing.
    """
    linear = wanted.require_rows(tables.one(VIDUR), VIDUR.name)
    attention = aic_attention(tables, wanted)
    layers = wanted.shape.layers
    tokens = series(linear, "tokens", "layer_nonattention_s", layers) + series(linear, "tokens", "emb_s")
    notes = [*tables.notices, ADDITIVE, "operators and attention kernels were timed by different projects"]
    if AIC_GEMM in tables:
        gemm = wanted.require_rows(tables.one(AIC_GEMM), AIC_GEMM.name)
        head = output_head(
            gemm[gemm["dtype"] == "bfloat16"], wanted.shape.vocab // wanted.tensor_parallel, wanted.shape.hidden
        )
        notes.append("final norm and sampler are not in the profile; output head from aic_gemm")
    else:
        head = Series(np.array([1.0]), np.array([0.0]))
        notes.append("output head, final norm and sampler are not in the profile (an aic_gemm table supplies the head)")
    reduced, said = all_reduces(tables, wanted)
    if said:
        notes.append(said)
    if reduced is not None:
        tokens = tokens.plus(reduced)
    kernels = Kernels(tokens, head, attention)
    group = (wanted.gpu, wanted.model, wanted.tensor_parallel)
    return Profile(*group, (VIDUR.name, AIC_ATTENTION.name), kernels.iterations(), kernels, tuple(notes))
