"""The stable service rate by hand."""

import numpy as np
import pytest

from orsched.work import RequestWork
from proofs_check.nie_si_zhou_capacity import agrees, held_area, planning_capacity, service_rate, wait_boundary

ONE = {"rates": [1.0], "prompts": [1], "outputs": [2], "d0": 0.88, "d1": 0.01, "M": 12}


def test_the_balanced_toy_of_wait():
    """Claim: l = l' = 1, C = 12, d0 = 0.88, d1 = 0.01: S = 3, a full batch takes 1, so 4 requests per unit of time."""
    assert service_rate(ONE, [1], [2], [1], held_area) == pytest.approx(4)
    assert agrees(wait_boundary)(ONE) == pytest.approx(0, abs=1e-12)
    assert agrees(planning_capacity)(ONE) == pytest.approx(0, abs=1e-12)


def test_the_area_is_what_the_engine_counts():
    """Claim: S is the KV volume of `orsched.work`, for every length."""
    rng = np.random.default_rng(0)
    prompts, outputs = rng.integers(1, 500, 200), rng.integers(1, 500, 200)
    assert held_area(prompts, outputs) == pytest.approx(RequestWork.of(prompts, outputs).kv_volume)
