"""Service models: their decode curves and their minorants."""

import pytest
from batches import batches, value
from hypothesis import assume, given
from hypothesis import strategies as st
from instances import AFFINE, HINGED, SERVICE_MODELS, WAIT_LINEAR, services

from orsched import hardware, hardware_names
from orsched.errors import InputError, UnknownNameError
from orsched.service import Affine, Batch, Hinged, OperatingPoint

BATCHES = batches(3000, 4, 300, 4000)


@pytest.mark.parametrize("name", hardware_names())
@given(batch=BATCHES)
def test_catalogue_minorants_never_exceed_the_iteration_time(name, batch):
    """Claim: T >= each affine minorant, for every catalogue entry and any batch with a request in it."""
    assume(batch.prompt_tokens or batch.num_seqs)
    service = hardware(name).service
    for minorant in service.affine_minorants():
        assert value(minorant, batch) <= service.iteration_s(batch) * (1 + 1e-12)


@pytest.mark.parametrize("name", hardware_names())
def test_bounds_know_that_an_iteration_takes_time(name):
    """Claim: every entry has a minorant with a positive base, without which several bounds do not exist."""
    assert max(m.base_s for m in hardware(name).service.affine_minorants()) > 0


@pytest.mark.parametrize("name", SERVICE_MODELS)
@given(batch=BATCHES)
def test_minorants_never_exceed_the_iteration_time(name, batch):
    """Claim: T >= each affine minorant, for every form and any batch with a request in it."""
    assume(batch.prompt_tokens or batch.num_seqs)
    service = SERVICE_MODELS[name]
    for minorant in service.affine_minorants():
        assert value(minorant, batch) <= service.iteration_s(batch) * (1 + 1e-12)


@given(st.sampled_from([AFFINE, WAIT_LINEAR, HINGED]), BATCHES)
def test_minorants_of_closed_forms_are_tight_somewhere(service, batch):
    """Claim: where nothing was dropped (no past, not mixed) the best minorant is the iteration time itself."""
    if batch.past_tokens or (batch.prompt_tokens and batch.num_seqs):
        return
    best = max(value(m, batch) for m in service.affine_minorants())
    assert best == pytest.approx(service.iteration_s(batch), rel=1e-12)


@given(services, st.integers(1, 300), st.integers(0, 100_000))
def test_decode_curves_are_iteration_times(service, seqs, kv):
    """Claim: the curve that drives the epochs is the decode-only iteration time."""
    expected = service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
    assert service.decode_curve(seqs)(kv) == pytest.approx(expected, rel=1e-12)


@given(services, st.integers(1, 300), st.integers(1, 100_000), st.floats(1, 5))
def test_a_skew_moves_the_kv_tokens_and_nothing_else(service, seqs, kv, stretch):
    """Claim: decodes of unequal contexts last as long as equal ones that read ``K + kv_skew (B M - K)``, never less
    than those that read K, never more than if all read M."""
    longest = min(kv, stretch * kv / seqs)
    skew = service.kv_skew(seqs)
    assert 0 <= skew <= 1
    moved = kv + skew * max(0.0, seqs * longest - kv)
    batch = Batch(num_seqs=seqs, kv_tokens=kv, longest_kv_tokens=longest if skew else 0)
    assert service.iteration_s(batch) == pytest.approx(service.decode_curve(seqs)(moved), rel=1e-12)


def test_wait_constructor_is_the_papers_linear_law():
    """Claim: d0 + d1 * (KV held after the iteration), prefill tokens and appended tokens included."""
    service = Affine.wait(0.88, 0.01)
    assert service.iteration_s(Batch(4, 0, 0, 4, 4)) == pytest.approx(0.88 + 0.01 * (4 * 1 + 4 * 2))


@pytest.mark.parametrize("service", SERVICE_MODELS.values())
def test_uncalibrated_operating_points_are_refused(service):
    """Claim: nobody gets a number for a clock or SM share the model was not calibrated for."""
    with pytest.raises(InputError, match="calibrated for the whole device"):
        service.at(OperatingPoint(0.5))


@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf")])
def test_bad_coefficients_are_refused(bad):
    """Claim: a negative or non-finite coefficient is an error that names the field."""
    with pytest.raises(InputError, match=r"Hinged\.kv_token_s"):
        Hinged(0.01, 0, 0, bad)
    with pytest.raises(InputError, match="must take time"):
        Affine(0.0, 1e-6, 0, 0)


def test_unknown_hardware_suggests_the_nearest():
    """Claim: a misspelt name is answered with the name that was meant."""
    with pytest.raises(UnknownNameError, match="did you mean 'llama2-7b/a100-80g'"):
        hardware("llama2-7b/a100")
