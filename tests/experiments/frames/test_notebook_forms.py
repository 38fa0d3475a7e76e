"""What a notebook shows of results."""

import pandas as pd
import pytest

from experiments.checking import check_claims, checked_frame
from experiments.comparison.bounding import bounding
from experiments.comparison.evaluation import evaluation
from experiments.comparison.experiment import Experiment
from experiments.fleet.asked import asked_experiment
from experiments.fleet.run import run_fleet
from experiments.fleet.summary import summarise
from experiments.hindsight import get_law, study
from experiments.notebook import frames_html
from experiments.orders.following import following_order
from experiments.orders.scaling import scaling_order
from experiments.validation.silicon import Assumptions, SiliconValidation
from experiments.validation.vllm_logs import validate_run
from orsched.catalogue import hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from proofs_check import CLAIMS


@pytest.fixture(scope="module")
def experiment():
    fleet = Fleet.identical(hardware("reference"))
    return Experiment("reference", fleet, ("sarathi",), (0.5,), requests=40, replications=2)


def test_titles_and_cells_are_text():
    """Claim: names of users' own things cannot become markup."""
    html = frames_html({"<script>a</script>": pd.DataFrame({"<b>": ["<script>b</script>"]})})
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 2
    assert "&lt;b&gt;" in html


def test_an_evaluation_and_a_bounding(experiment):
    """Claim: title and tables; a bounding shows policies where some were simulated."""
    html = evaluation(experiment, workers=1)._repr_html_()
    assert "sarathi on reference, reference, load 0.5" in html
    assert "latency_mean_s" in html
    alone, both = (bounding(experiment, with_policies=wanted)._repr_html_() for wanted in (False, True))
    assert alone.count("<table") == 1
    assert both.count("<table") == 2


def test_two_paths_a_study_and_a_scaling():
    """Claim: each shows its frame under what it is about."""
    followed = following_order(
        workload="reference", hardware="reference", policy="vllm-v1", load=None, requests=40, window=None,
        rates=None, period=None, duration=None, seed=0, instances=1, drop_oversized=False,
    )  # fmt: skip
    assert "vllm-v1 on reference, reference" in followed._repr_html_()
    assert "law burst" in study(get_law("burst"), 1, time_limit_s=0.1, method="lagrangian")._repr_html_()
    scaled = scaling_order(
        "4:1:1", d0=0.88, d1=0.01, kv=12, policy="wait", thresholds=None, scales=(1, 2), horizon=20,
        replications=2, seed=0,
    )  # fmt: skip
    assert "wait, thresholds 4: 4:1:1" in scaled._repr_html_()


def test_a_fleet(tmp_path):
    """Claim: the tables of the terminal with their notes, and the tidy frame beside."""
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[group]]\nhardware = "reference"\n[workload]\nname = "reference"\nrequests = 40\nrate_per_s = 1\n'
        '[[tier]]\nname = "chat"\nttft_s = 2\ntpot_s = 0.05\n[[policy]]\nname = "sarathi"\n'
        "[experiment]\nreplications = 2\n"
    )
    summary = summarise(run_fleet(asked_experiment(path, None, None, None, 1)))
    html = summary._repr_html_()
    assert html.count("<table") == 2
    assert "tier chat" in html
    assert set(summary.frame()["policy"]) == {"sarathi+jsq"}


def test_a_validation_and_its_verdicts():
    """Claim: a row per metric under the run's name; predictions show their errors."""
    from experiments.validation.runs import bundled_runs

    found = validate_run(bundled_runs()[1])
    assert found.frame()["metric"].tolist() == ["ttft", "tpot", "latency"]
    assert found.name in found._repr_html_()
    empty = pd.DataFrame({"mape": [0.5]})
    assert SiliconValidation(Assumptions(), empty, empty, {}, {})._repr_html_().count("<table") == 2


def test_claims_without_a_slack_have_none():
    """Claim: numbers that are not finite are missing, in a column of numbers."""
    frame = checked_frame(check_claims([CLAIMS["kong-svf-volume-bound"]], quick=True, workers=1))
    assert frame["slack"].dtype == "float64"
    assert checked_frame([]).columns.tolist() == frame.columns.tolist()


@pytest.mark.parametrize("wrong", [[None], ["0.5,x"], "x", [True]])
def test_what_is_no_number_is_refused(wrong):
    """Claim: the message names the option."""
    from experiments.orders.values import numbers_of

    with pytest.raises(InputError, match=r"--load .*not a number"):
        numbers_of("--load", wrong)


def test_thresholds_must_be_whole():
    """Claim: a fraction is refused, of whatever type."""
    from experiments.orders.values import counts_of

    assert counts_of("--thresholds", (2, 3.0, "4,5")) == (2, 3, 4, 5)
    with pytest.raises(InputError, match=r"--thresholds 2\.5: must be a whole number"):
        counts_of("--thresholds", 2.5)
