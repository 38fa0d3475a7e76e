"""What is said when batches leave the range that an entry was calibrated in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orsched import Workload, hardware
from orsched.service import Batch
from orsched.valid_range import outside_range, possible_extrapolation

ENTRY = hardware("llama3.1-8b/rtx4090")


def test_only_fields_outside_are_named() -> None:
    """Claim: a batch inside the range is silent; each field outside is named with the range; no range, no word."""
    inside = Batch(prompt_tokens=512, num_seqs=16, kv_tokens=16_000)
    assert outside_range(ENTRY, inside) == ()
    said = outside_range(ENTRY, inside._replace(num_seqs=400, past_tokens=50_000))
    assert [text.split()[0] for text in said] == ["past_tokens", "num_seqs"]
    assert "from 0 to 256" in said[1]
    assert outside_range(replace(ENTRY, valid_range={}), Batch(num_seqs=10_000)) == ()


def test_a_workload_is_judged_by_what_it_can_reach() -> None:
    """Claim: seats, memory and prompts count only as far as the workload can use them."""
    few = Workload.of(np.zeros(3), np.full(3, 100), np.full(3, 10))
    assert possible_extrapolation(ENTRY, few) == ()
    long = Workload.of(np.zeros(3), np.full(3, 20_000), np.full(3, 10))
    assert {text.split()[0] for text in possible_extrapolation(ENTRY, long)} == {"prompt_tokens", "kv_tokens"}
    assert possible_extrapolation(replace(ENTRY, valid_range={}), long) == ()


def test_small_batches_at_both_ends_of_a_run_are_no_news() -> None:
    """Claim: a workload below the low end of a range is not said to leave it."""
    entry = replace(ENTRY, valid_range={"num_seqs": (8.0, 512.0), "prompt_tokens": (16.0, 4096.0)})
    assert possible_extrapolation(entry, Workload.of(np.zeros(2), np.full(2, 8), np.full(2, 10))) == ()
