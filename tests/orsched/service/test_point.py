"""The operating point: how the parts of an iteration stretch with the share of the SMs and the clock."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched import hardware
from orsched.errors import InputError
from orsched.service import FULL, Affine, Batch, OperatingPoint, Scaling
from orsched.service.point import stretch

shares = st.floats(0.01, 1.0)
saturations = st.one_of(st.floats(1e-3, 50.0), st.just(math.inf))
sharpnesses = st.one_of(st.floats(1.0, 500.0), st.just(math.inf))


@given(shares, shares, saturations, sharpnesses)
def test_fewer_sms_never_help_and_never_hurt_more_than_in_proportion(one, other, saturation, sharpness):
    """Claim: the factor is one at the whole device, falls as the share grows, and lies between 1 and 1/share."""
    low, high = sorted((one, other))
    few, many = stretch(low, saturation, sharpness), stretch(high, saturation, sharpness)
    assert stretch(1.0, saturation, sharpness) == pytest.approx(1.0, abs=1e-12)
    assert few >= many * (1 - 1e-12)
    assert 1 - 1e-12 <= few <= (1 + 1e-12) / low


@given(shares, st.floats(0.05, 20.0))
def test_the_sharp_limit_is_the_hard_maximum(share, saturation):
    """Claim: a large sharpness approaches ``max(1, c/s) / max(1, c)``, and a large ``c`` approaches ``1/s``."""
    hard = max(1.0, saturation / share) / max(1.0, saturation)
    assert stretch(share, saturation, math.inf) == pytest.approx(hard)
    assert stretch(share, saturation, 1e4) == pytest.approx(hard, rel=1e-3)
    assert stretch(share, 1e9, 2.0) == pytest.approx(1 / share, rel=1e-6)
    assert stretch(share, math.inf, 2.0) == 1 / share


def test_factors_by_hand():
    """Claim: at a third of the SMs with c = 0.5, k = 2 memory takes sqrt((1 + 2.25) / 1.25) times as long; the clock
    multiplies by its own power."""
    scaling = Scaling(0.5, compute_share=1.0, sharpness=2.0, memory_exponent=0.5)
    point = OperatingPoint(sm_share=1 / 3, clock_share=0.25)
    assert scaling.memory(point) == pytest.approx(math.sqrt(3.25 / 1.25) * 2)
    assert scaling.compute(point) == pytest.approx(math.sqrt(10 / 2) * 4)


def test_neutral_parameters_are_the_simple_law():
    """Claim: with the defaults arithmetic takes ``1/share`` and memory traffic ``max(1, saturation/share)``."""
    scaling = Scaling(0.5)
    assert [scaling.compute(OperatingPoint(s)) for s in (0.25, 0.5, 1.0)] == [4.0, 2.0, 1.0]
    assert [scaling.memory(OperatingPoint(s)) for s in (0.25, 0.5, 1.0)] == [2.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["llama2-7b/a100-80g", "llama3-8b/a100-80g"])
def test_the_whole_device_is_untouched_and_less_is_slower(name):
    """Claim: scaling tables leave the full point alone; fewer SMs or a slower clock never shorten an iteration."""
    model = hardware(name).service
    assert model.at(FULL) is model
    for batch in (Batch(num_seqs=32, kv_tokens=20_000), Batch(2_000, 2e6), Batch(500, 1e5, 0, 16, 9_000)):
        times = [model.at(OperatingPoint(s)).iteration_s(batch) for s in (1.0, 0.9, 0.6, 0.3)]
        assert times == sorted(times)
        assert times[-1] <= times[0] / 0.3 * (1 + 1e-9)
        assert model.at(OperatingPoint(clock_share=0.7)).iteration_s(batch) >= times[0]


def test_minorants_hold_at_every_point():
    """Claim: the affine minorants of a scaled model stay below its iteration times."""
    for share in (0.3, 0.6, 0.9):
        model = hardware("llama2-7b/a100-80g").service.at(OperatingPoint(share, 0.8))
        for batch in (Batch(num_seqs=32, kv_tokens=20_000), Batch(2_000, 2e6), Batch(100, 5e3, 0, 60, 9_000)):
            for m in model.affine_minorants():
                below = m.base_s + m.prompt_token_s * batch.prompt_tokens + m.sequence_s * batch.num_seqs
                below += m.kv_token_s * batch.kv_tokens + m.chunk_attention_s * batch.chunk_attention
                assert below <= model.iteration_s(batch) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"saturation_share": 0.0}, "saturation_share"),
        ({"saturation_share": -0.5}, "saturation_share"),
        ({"compute_share": math.nan}, "compute_share"),
        ({"sharpness": 0.5}, "sharpness"),
        ({"compute_exponent": 1.5}, "compute_exponent"),
        ({"memory_exponent": -0.1}, "memory_exponent"),
    ],
)
def test_impossible_scalings_are_refused(change, named):
    """Claim: a scaling that cannot be is refused by name."""
    with pytest.raises(InputError, match=named):
        replace(Scaling(0.5), **change)


@pytest.mark.parametrize("point", [OperatingPoint(0.0), OperatingPoint(1.1), OperatingPoint(1.0, 0.0)])
def test_impossible_points_are_refused(point):
    """Claim: shares outside (0, 1] are refused, and any but the full point without a scaling."""
    with pytest.raises(InputError, match="must be a finite number > 0 and <= 1"):
        Affine(0.01, 0, 0, 0, scaling=Scaling(0.5)).at(point)
    with pytest.raises(InputError, match="calibrated for the whole device"):
        Affine(0.01, 0, 0, 0).at(OperatingPoint(0.5))
