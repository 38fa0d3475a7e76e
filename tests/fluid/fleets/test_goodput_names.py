"""Rows and columns of the goodput LP by name."""

from dataclasses import replace

import pytest

from fluid import ClassRate
from fluid.fleets.deadline_goodput import DeadlineProgramme
from fluid.fleets.goodput_programme import GoodputProgramme
from fluid.fleets.mean_tpot import MeanTpotProgramme
from fluid.fleets.tier import Tier
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Hinged

HINGED = Hardware("h", Hinged(0.01, 30e-6, 40e-6, 0.3e-6, 128, 40e-6, 3e-9, 1e-7, 2e-7), 60_000, 64, 16)
CLASSES = (ClassRate(1.0, 500, 20), ClassRate(0.5, 100, 1))


@pytest.mark.parametrize("scaled", [True, False])
def test_no_two_rows_and_no_two_columns_share_a_name(scaled):
    """Claim: names are distinct, also where a chip has several minorants, two kinds of hardware share a name, or limits
    agree in six digits."""
    tiers = [Tier("a", 0.05, CLASSES, 1.0), Tier("b", 0.05 + 1e-9, CLASSES, 1.0 + 1e-9), Tier("c", 0.1, CLASSES)]
    fleets = [Fleet.identical(HINGED, 2), Fleet.identical(replace(HINGED, max_num_seqs=32), 3)]
    programme = GoodputProgramme(tiers, fleets, scaled=scaled).programme
    for names in (programme.rows, programme.columns):
        assert len(set(names)) == len(names)
    contexts = [name for name in programme.rows if " contexts of a on h (kind 1), " in name]
    levels = 6  # 0.05, a bit more, 0.1, 1, a bit more, and no limit
    assert len(contexts) == 2 * levels


@pytest.mark.parametrize("kind", [MeanTpotProgramme, DeadlineProgramme])
def test_neither_do_those_with_prices(kind):
    """Claim: rows of total decode time are distinct too, with several mixtures of minorants."""
    programme = kind(
        [Tier("a", 0.05, CLASSES, 1.0), Tier("b", 0.1, CLASSES, 2.0)], [Fleet.identical(HINGED, 2)], scaled=True
    ).programme
    for names in (programme.rows, programme.columns):
        assert len(set(names)) == len(names)
