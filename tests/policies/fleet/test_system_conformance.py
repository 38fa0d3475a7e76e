"""What holds for every fleet system of the registry."""

from dataclasses import replace

import numpy as np
import pytest
from laws import assert_same

from orsched import SLO, Fleet, Group, Link, hardware, simulate
from orsched.errors import InputError
from orsched.workloads.catalogue import workload
from policies.fleet_systems import SYSTEMS

GPU = hardware("llama3-8b/a100-80g")
LINK = Link(200e9)
FLEETS = (
    Fleet((Group(GPU, 3, link=LINK),)),
    Fleet((Group(GPU, 1, "prefill", link=LINK), Group(GPU, 2, "decode", link=LINK))),
)


def work():
    found = workload("azure-conv").head(150).at_rate(20.0)
    return replace(found, classes=tuple(replace(kind, slo=SLO(1.0, 0.05)) for kind in found.classes))


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_system_serves_one_of_the_fleets(name):
    """Claim: with its defaults it runs, exactly, on at least one of them, and says why it does not on the other."""
    system, path, refusals = SYSTEMS[name], work(), []
    for fleet in FLEETS:
        try:
            policy = system.build(path, fleet, system.settings())
        except InputError as error:
            refusals.append(str(error))
            continue
        run = simulate(path, fleet, policy, check=True)
        assert (np.isfinite(run.completion_s) | (run.rejected > 0)).all()
        assert_same(run, simulate(path, fleet, policy, epoch_limit=1))
    assert len(refusals) < len(FLEETS)
    assert all("fleet" in refusal for refusal in refusals)
