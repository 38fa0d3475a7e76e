"""The device and the lengths of the WAIT experiments."""

import numpy as np
import pytest

from experiments.reproductions.wait.device import CALIBRATED, PIPELINE_S, Anchor, anchored_fleet, pipeline_batch
from experiments.reproductions.wait.laws import DECODES, PROMPTS, Pieces
from experiments.reproductions.wait.theory import LMSYS_VOLUME, linear, lmsys_demand, memory_tokens
from fluid import Rates, stability_limits
from orsched import hardware
from orsched.errors import InputError


def test_the_batch_of_the_balanced_pipeline():
    """Claim: one request per stage is 512 prompt tokens in two chunks, 20 decodes, and 20 x 512 + 190 cached tokens."""
    batch = pipeline_batch(1)
    assert batch[:5] == (512, 512 * 512 / 2, 256, 20, 20 * 512 + 190)
    assert pipeline_batch(3) == tuple(3 * value for value in batch)


def test_the_anchor_is_least_squares_and_scales_every_time():
    """Claim: no nearby factor has a smaller sum of squared relative errors, and iteration times scale by the factor."""
    entry = hardware(CALIBRATED)
    anchor = Anchor.of(entry)

    def loss(factor):
        times = {n: entry.service.iteration_s(pipeline_batch(n)) for n in PIPELINE_S}
        return sum((factor * times[n] / seconds - 1) ** 2 for n, seconds in PIPELINE_S.items())

    assert loss(anchor.factor) < min(loss(anchor.factor - 1e-4), loss(anchor.factor + 1e-4))
    assert anchor.worst_error < 0.03
    scaled = anchored_fleet().hardware
    for n in PIPELINE_S:
        ratio = scaled.service.iteration_s(pipeline_batch(n)) / entry.service.iteration_s(pipeline_batch(n))
        assert ratio == pytest.approx(anchor.factor, rel=1e-12)
    assert scaled.kv_capacity_tokens == 137_000


@pytest.mark.parametrize("pieces", [PROMPTS, DECODES])
def test_a_law_of_largest_entropy_has_its_shares_and_its_mean(pieces):
    """Claim: the published shares and means hold to 1e-9, and within a range the probabilities are geometric."""
    values, weights = pieces.law()
    assert weights.sum() == pytest.approx(1.0)
    assert values @ weights == pytest.approx(pieces.mean, rel=1e-9)
    ratios = []
    for low, high, share in pieces.ranges:
        own = weights[(values >= low) & (values <= high)]
        assert own.sum() == pytest.approx(share)
        ratios += list(own[1:] / own[:-1])
    assert np.ptp(ratios) < 1e-9


def test_a_mean_that_the_shares_exclude_is_refused():
    """Claim: half of the numbers in 1..10 and half in 11..20 have no mean of 18; the message says what is possible."""
    with pytest.raises(InputError, match=r"mean 18\.0: the shares allow 6\.\d to 14\.\d"):
        Pieces(((1, 10, 0.5), (11, 20, 0.5)), 18.0).law()


def test_the_fluid_sees_the_published_mean_volume():
    """Claim: the two-class stand-in has the published mean S, and the fluid's M* = C lies at the sheet's 74.1379/s."""
    rates = Rates.of(lmsys_demand(1.0))
    assert rates.rate_per_s @ rates.work.kv_volume == pytest.approx(LMSYS_VOLUME)
    limits = stability_limits(lmsys_demand(1.0), linear())
    assert (limits.crossing, limits.pole) == (pytest.approx(74.1379, rel=1e-6), pytest.approx(88.4402, rel=1e-6))
    with pytest.raises(InputError, match="no fluid equilibrium"):
        memory_tokens(lmsys_demand(89.0), linear())
