"""Point C and its limits, by hand."""

from fractions import Fraction

import numpy as np
import pytest
from planted_claims import indivisible_system

from proofs_check.li_dai_peng_stability import POINT_C, backlog_limit, load_slack, run
from proofs_check.models.token_queue import WORK_CONSERVING


def test_point_c_by_hand():
    """Claim: 1280 tokens per 467.5 ms are 128 per 46.75 ms, 2.73797 tokens per ms; the limit is 165,120 tokens."""
    assert Fraction(1280, 4675) == Fraction(128, 4675) * 10
    assert round(1280 / 467.5, 5) == 2.73797
    assert backlog_limit(128, 1280) == 165_120
    assert load_slack(POINT_C) > 0 > load_slack(POINT_C | {"decode": 989})


def test_ten_seconds_of_point_c():
    """Claim: 21 requests come, none is done: a request alone needs 3 + 990 batches of 46.75 ms."""
    for scheduler in WORK_CONSERVING:
        found = run(scheduler, POINT_C["gap"], 10)
        assert (found["arrived"], found["completed"]) == (21, 0)


def test_the_first_request_takes_993_batches():
    """Claim: with FasterTransformer the first request, there at 467.5 ms, is done after 993 batches, at 46.89 s."""
    done_s = 0.4675 + 993 * 0.04675
    assert run("separate-phases", POINT_C["gap"], int(done_s))["completed"] == 0
    assert run("separate-phases", POINT_C["gap"], int(done_s) + 1)["completed"] == 1


@pytest.mark.slow
def test_schedulers_differ_in_backlog_but_all_stay_bounded():
    """Claim: over 1000 s every work-conserving order stays below the limit, FasterTransformer leaves it far behind."""
    peaks = {name: run(name, POINT_C["gap"], 1000)["peak_backlog"] for name in WORK_CONSERVING}
    assert max(peaks.values()) < backlog_limit(128, 1280) < run("separate-phases", POINT_C["gap"], 1000)["peak_backlog"]
    assert peaks["decode-first"] == 50_780


def test_the_planted_domain_breaks_the_condition():
    """Claim: the systems with which the rate theorem is planted false do not have b0 dividing b_max."""
    rng = np.random.default_rng(0)
    drawn = [indivisible_system(rng) for _ in range(50)]
    assert all(x["budget"] % x["step"] for x in drawn)
