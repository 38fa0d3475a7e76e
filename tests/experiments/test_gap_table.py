"""Gap tables: their numbers, their text, and the golden table.

After a deliberate change of a policy, a service model or a bound, regenerate the golden table with
``ORSCHED_REGENERATE=1 python -m pytest tests/experiments/test_gap_table.py -k golden``.
"""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import experiments
from experiments import gap_table
from experiments.comparison.experiment import Experiment
from experiments.comparison.gaps import pooled_stability, tabulate
from experiments.comparison.runner import run_experiment
from orsched import SLO, Fleet, hardware
from orsched.engine.actions import REJECT
from orsched.errors import InputError
from orsched.gap_table import HEADERS, Gap, GapRow, GapTable
from orsched.statistics.estimate import Estimate
from orsched.statistics.stability import FEWEST_REQUESTS, Stability
from orsched.workloads.catalogue import workload
from policies import ROUTERS
from policies.sarathi import sarathi

GOLDEN = Path(__file__).parent / "golden" / "gap_table.txt"
REFERENCE = Fleet.single(hardware("reference"))


def row(**changes: object) -> GapRow:
    """Return a row with a gap of 50%."""
    latency = Estimate(3.0, 0.2, 4)
    gap = Gap("latency_mean_s", Estimate(0.5, 0.1, 4), "srpt", Estimate(2.0, 0.1, 4), "pathwise", True)
    settings = {
        "policy": "fcfs",
        "information": "none",
        "load": 0.9,
        "metrics": {"latency_mean_s": latency, "ttft_p99_s": Estimate(1.0, None, 1)},
        "gaps": {"latency_mean_s": gap},
        "stable": True,
        "unstable_replications": 0,
        "replications": 4,
    }
    return GapRow(**(settings | changes))


def test_golden_table():
    """A small table on the reference instance stays what it was."""
    table = gap_table(
        "reference",
        REFERENCE,
        ["vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "wait"],
        loads=(0.5, 0.9),
        replications=3,
        requests=200,
        seed=1,
        workers=1,
    )
    text = table.summary() + "\n"
    if os.environ.get("ORSCHED_REGENERATE"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_a_workload_is_measured_at_its_own_load():
    """The example of the design: requests already at a load, three policies, intervals."""
    work = workload("azure-conv").head(300).at_load(0.8, REFERENCE)
    table = gap_table(work, REFERENCE, ["vllm-v1", "sarathi", "wait"], replications=3, requests=150)
    assert table.policies == ("vllm-v1", "sarathi", "wait")
    assert table.loads == pytest.approx((0.8,))
    for line in table.rows:
        assert line.metrics["latency_mean_s"].n == 3
        assert line.gaps["latency_mean_s"].estimate.mean >= 0
        assert line.gaps["latency_mean_s"].certified


def test_gap_and_its_parts_agree():
    """The mean of the paired gaps lies near the gap of the means, and every bound has a value."""
    table = gap_table("reference", REFERENCE, ["vllm-v1"], loads=(0.7,), replications=4, requests=200)
    (line,) = table.rows
    for metric, gap in line.gaps.items():
        value, bound = line.metrics[metric].mean, gap.bound_value.mean
        assert gap.estimate.mean == pytest.approx(abs(value - bound) / bound, rel=0.2, abs=0.02)


def test_frame_holds_every_number():
    """One record per row; cells that do not exist are missing, never zero."""
    bare = row(policy="none", gaps={}, metrics={"latency_mean_s": Estimate(1.0, None, 1)})
    frame = GapTable("w", "f", 10, 4, 0, (row(), bare)).to_frame()
    assert list(frame["latency_mean_s"]) == [3.0, 1.0]
    assert frame["latency_mean_s_half_width"][0] == 0.2
    assert frame["latency_mean_s_gap"][0] == 0.5
    assert np.isnan(frame["latency_mean_s_gap"][1])
    assert frame["latency_mean_s_bound"].isna()[1]
    assert frame["latency_mean_s_bound_certified"][0]


def test_cells():
    """Means with half-widths, the gap in per cent, the bound with its validity; absent stays empty."""
    cells = dict(zip(HEADERS, row().cells(), strict=True))
    assert cells["mean latency (s)"] == "3.00 ± 0.20"
    assert cells["p99 TTFT (s)"] == "1 (n=1)"
    assert cells["p99 TPOT (s)"] == ""
    assert cells["gap (%)"] == "50 ± 10"
    assert cells["bound"] == "srpt (pathwise, certified)"
    assert cells["stable"] == "yes"


@pytest.mark.parametrize(
    ("stable", "unstable", "text"),
    [(True, 0, "yes"), (True, 1, "yes (1/4 unstable)"), (False, 3, "no (3/4 unstable)"), (False, 4, "no")],
)
def test_stability_text(stable: bool, unstable: int, text: str):
    """Disagreement between replications is shown."""
    assert row(stable=stable, unstable_replications=unstable).stability == text


def test_without_a_load_growth_must_be_shown():
    """Claim: where the fleet has no load most replications decide; from load 1 on growth on average is enough."""
    level, grows = Stability(True, "stable", 0.1), Stability(False, "unstable: it grows", 0.3)
    for load, expected in ((None, True), (0.9, True), (1.0, False)):
        assert pooled_stability(load, [level, level, grows], FEWEST_REQUESTS)[0] is expected
    assert pooled_stability(None, [level, grows, grows], FEWEST_REQUESTS) == (False, "unstable: it grows")
    assert pooled_stability(None, [level], FEWEST_REQUESTS) == (True, "")
    assert pooled_stability(None, [level], FEWEST_REQUESTS - 1) == (True, "stable")


def test_unstable_rows_show_no_times():
    """An unstable row shows the word and its throughput, and a note says why."""
    line = row(stable=False, unstable_replications=4, reason="unstable: it grows")
    cells = dict(zip(HEADERS, line.cells(), strict=True))
    assert (cells["mean latency (s)"], cells["gap (%)"]) == ("unstable", "unstable")
    assert cells["p99 TTFT (s)"] == ""
    assert "fcfs at load 0.9: unstable: it grows" in GapTable("w", "f", 10, 4, 0, (line,)).summary()


def test_row_lookup():
    """Rows are found by policy and load; a wrong key says what there is."""
    table = GapTable("w", "f", 10, 4, 0, (row(),))
    assert table.row("fcfs", 0.9) is table.rows[0]
    assert len(table) == 1
    with pytest.raises(InputError, match=r"policies \('fcfs',\)"):
        table.row("fcfs", 0.5)


def test_one_replication_has_no_interval():
    """One sample path gives means without intervals."""
    table = gap_table("reference", REFERENCE, ["sjf"], loads=(0.5,), replications=1, requests=50)
    value = table.rows[0].metrics["latency_mean_s"]
    assert value.half_width is None
    assert math.isfinite(value.mean)


def test_public_names():
    """What the package names can be imported, and nothing else is promised."""
    names = ["Experiment", "Findings", "gap_table", "open_results", "run", "run_experiment", "write"]
    assert experiments.__all__ == names
    assert all(hasattr(experiments, name) for name in experiments.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = experiments.nothing


def test_who_rejects_has_no_gap_in_times_or_rates():
    """Claim: a policy that turns away every fourth request loses its gaps but the one in attainment, and the row says
    why; the same policy without rejections keeps them."""

    def picky(view, request):
        return REJECT if request % 4 == 0 else ROUTERS["jsq"](view, request)

    slo = SLO(0.05, 0.013)
    fleet = Fleet.identical(hardware("reference"), 2)
    policies = (replace(sarathi().routed_by(picky), name="picky"), sarathi().routed_by(ROUTERS["jsq"]))
    experiment = Experiment("reference", fleet, policies, loads=(0.8,), requests=200, replications=2, slo=slo)
    rejecting, serving = tabulate(run_experiment(experiment, workers=1)).rows
    assert list(rejecting.gaps) == ["slo_attainment"]
    assert rejecting.metrics["rejected_share"].mean == 0.25
    assert "25.00% of the requests were rejected" in rejecting.reason
    assert {"latency_mean_s", "throughput_requests_per_s", "slo_attainment"} <= set(serving.gaps)
    assert "rejected" not in serving.reason
