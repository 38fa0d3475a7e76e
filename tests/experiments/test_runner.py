"""The runner: common sample paths, gaps, stability, and independence of the number of workers."""

import dataclasses

import numpy as np
import pytest

import experiments.comparison.replication
import fluid
import policies
from experiments import Experiment, run_experiment
from experiments.comparison.gaps import tabulate
from experiments.comparison.runner import sensible_workers
from experiments.paths.streams import Stream, generator, seed_sequence
from orsched import Fleet, Workload, hardware
from orsched.bound import Bound
from orsched.engine.plan import DECODE_ALL, Chunk, Plan
from orsched.engine.simulation import simulate
from orsched.errors import InputError, MismatchError, PluginError, UnknownNameError
from orsched.metrics import measure
from orsched.policy import Information, Policy
from orsched.request import SLO
from orsched.workloads.catalogue import workload_source

REFERENCE = Fleet.single(hardware("reference"))


def small(**changes: object) -> Experiment:
    """Return a small experiment."""
    settings = {
        "workload": "reference",
        "fleet": REFERENCE,
        "policies": ("vllm-v1", "sjf"),
        "loads": (0.5, 0.9),
        "requests": 60,
        "replications": 3,
        "seed": 7,
    }
    return Experiment(**(settings | changes))


def one_by_one(view) -> Plan:
    """Serve one request at a time: a policy as a user writes it."""
    if view.running or not view.waiting:
        return DECODE_ALL
    request = next(iter(view.waiting))
    return Plan((Chunk(request, view.prompt_left(request)),))


def test_gaps_are_those_computed_by_hand():
    """Each gap is (value - bound) / bound on the very sample path, or its mirror for a rate."""
    experiment = small(policies=("vllm-v1",), loads=(0.7,), replications=1)
    (path,) = run_experiment(experiment, workers=1).paths
    source = workload_source("reference")
    work = source.draw(60, generator(7, Stream.WORKLOAD, 0)).at_load(0.7, REFERENCE)
    policy = policies.build("vllm-v1", work, REFERENCE)
    values = measure(simulate(work, REFERENCE, policy, seed_sequence(7, Stream.POLICY, 0), token_gaps=True))
    bounds = fluid.bounds(work, REFERENCE)
    latency = max(b.value for b in bounds if b.metric == "latency_mean_s")
    rate = min(b.value for b in bounds if b.metric == "effective_throughput_tokens_per_s")
    gaps = path.outcomes["vllm-v1"].gaps
    assert gaps["latency_mean_s"] == (values["latency_mean_s"] - latency) / latency
    throughput = values["effective_throughput_tokens_per_s"]
    assert gaps["effective_throughput_tokens_per_s"] == (rate - throughput) / rate
    assert path.outcomes["vllm-v1"].metrics == values


def test_every_policy_meets_the_same_paths():
    """What else runs beside a policy, how many replications follow and at which loads changes nothing."""
    alone = run_experiment(small(policies=("sjf",), loads=(0.9,), replications=2), workers=1)
    beside = run_experiment(small(), workers=1)
    for mine, theirs in zip(alone.paths, beside.at(0.9)[:2], strict=True):
        assert mine.bounds == theirs.bounds
        assert mine.outcomes["sjf"] == theirs.outcomes["sjf"]


def test_seeds_and_replications_differ():
    """Another seed and another replication are other sample paths."""
    first = run_experiment(small(), workers=1)
    other = run_experiment(small(seed=8), workers=1)
    assert len({path.bounds[0].value for path in first.at(0.9)}) == 3
    assert first.paths[0].bounds != other.paths[0].bounds


@pytest.mark.parametrize("workload", ["reference", "azure-conv"])
def test_one_and_two_workers_give_the_same_bytes(workload: str):
    """The table does not depend on the number of processes."""
    experiment = small(workload=workload, policies=("vllm-v1", "wait"), loads=(0.6,))
    texts = [tabulate(run_experiment(experiment, workers=n)).to_frame().to_csv(float_format="%r") for n in (1, 2)]
    assert texts[0] == texts[1]


def test_progress_is_reported_once_per_path():
    """The callback runs once for each load and replication."""
    steps: list[int] = []
    run_experiment(small(), workers=1, on_task_done=lambda: steps.append(1))
    assert len(steps) == 6


def test_overload_is_unstable():
    """At load 1.5 every row says unstable, and why."""
    table = tabulate(run_experiment(small(policies=("vllm-v1",), loads=(1.5,), requests=600), workers=1))
    (row,) = table.rows
    assert row.stable is False
    assert "load 1.5 >= 1" in row.reason
    assert row.cells()[3] == "unstable"


def test_a_policy_that_cannot_run_leaves_an_empty_row(monkeypatch: pytest.MonkeyPatch):
    """A policy without a solution at one load says so in the table; the others run."""

    def refuse(workload: Workload, fleet: Fleet) -> Policy:
        raise InputError("no thresholds")

    real = policies.get_recipe

    def lookup(name: str) -> policies.Recipe:
        return policies.Recipe("wait", "", Information.CLASS, refuse) if name == "wait" else real(name)

    monkeypatch.setattr(policies, "get_recipe", lookup)
    table = tabulate(run_experiment(small(policies=("sjf", "wait"), loads=(0.5,)), workers=1))
    row = table.row("wait", 0.5)
    assert (row.stable, row.reason, dict(row.metrics), dict(row.gaps)) == (None, "no thresholds", {}, {})
    assert table.row("sjf", 0.5).metrics
    with pytest.raises(InputError, match=r"policy 'wait' at load 0\.5: no thresholds"):
        run_experiment(small(policies=("wait",)), workers=1)


def test_no_bound_no_gap(monkeypatch: pytest.MonkeyPatch):
    """Without a valid bound the cell stays empty, and asymptotic bounds are never used."""

    def asymptotic(workload: Workload, fleet: Fleet, slo: SLO | None) -> tuple[Bound, ...]:
        return (Bound("fluid", 1.0, "lower", "latency_mean_s", "asymptotic", True),)

    monkeypatch.setattr(fluid, "bounds", asymptotic)
    table = tabulate(run_experiment(small(policies=("sjf",), loads=(0.5,)), workers=1))
    assert dict(table.rows[0].gaps) == {}
    assert table.rows[0].cells()[7:9] == ("", "")


def test_a_beaten_pathwise_bound_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """A pathwise bound that a policy beats is wrong: nothing is printed."""

    def wrong(workload: Workload, fleet: Fleet, slo: SLO | None) -> tuple[Bound, ...]:
        subject = fluid.subject(workload, fleet)
        return (Bound("wrong", 1e6, "lower", "latency_mean_s", "pathwise", True, subject),)

    monkeypatch.setattr(fluid, "bounds", wrong)
    with pytest.raises(MismatchError, match="beyond the pathwise bound 'wrong'"):
        run_experiment(small(), workers=1)


def test_a_bound_from_another_path_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """A gap needs both sides to come from the same sample path and service model."""
    other = workload_source("reference").whole()
    foreign = fluid.bounds(other, REFERENCE)
    monkeypatch.setattr(experiments.comparison.replication.fluid, "bounds", lambda workload, fleet, slo: foreign)
    with pytest.raises(MismatchError, match="was derived from"):
        run_experiment(small(), workers=1)


def test_a_policy_of_ones_own_runs_on_two_workers():
    """A finished policy is used as it is, also in other processes, and keeps its name."""
    mine = Policy("one-by-one", one_by_one)
    results = run_experiment(small(policies=(mine, "vllm-v1"), loads=(0.3,)), workers=2)
    table = tabulate(results)
    assert table.policies == ("one-by-one", "vllm-v1")
    latency = [table.row(name, 0.3).metrics["latency_mean_s"].mean for name in table.policies]
    assert latency[0] > latency[1]


def test_two_policies_of_one_name_are_refused():
    """Claim: no outcome takes another's place."""
    experiment = small(requests=20)
    source = workload_source("reference")
    built = policies.build("orca", source.whole(), REFERENCE)
    twins = (built, dataclasses.replace(policies.build("sarathi", source.whole(), REFERENCE), name="orca"))
    with pytest.raises(InputError, match="two policies are called 'orca'"):
        experiments.comparison.replication.replicate(
            experiment, source, experiments.comparison.replication.Task(0.5, 0, twins)
        )


def test_a_plugin_that_is_mistaken_is_no_result(monkeypatch: pytest.MonkeyPatch):
    """Claim: the error of a broken plugin stops the experiment; it leaves no row that says "not run"."""

    def broken(workload: Workload, fleet: Fleet) -> Policy:
        raise PluginError("policy 'acme' of acme 1.2 cannot be built")

    recipe = policies.Recipe("acme", "", Information.NONE, broken)
    real = policies.get_recipe
    monkeypatch.setattr(policies, "get_recipe", lambda name: recipe if name == "acme" else real(name))
    with pytest.raises(PluginError, match=r"of acme 1\.2 cannot be built"):
        run_experiment(small(policies=("sjf", "acme"), requests=20), workers=1)


@pytest.mark.parametrize("name", ["", " ", "a\n| x", "\x1b[31m"])
def test_names_that_tables_cannot_show_are_refused(name: str):
    """Claim: a policy's name is not empty and holds no control characters."""
    with pytest.raises(InputError, match="control characters"):
        Policy(name, lambda view: DECODE_ALL)


def test_fleets_are_routed():
    """A fleet of several joins the shortest queue unless told otherwise; routers are found by name."""
    fleet = Fleet.identical(hardware("reference"), 3)
    default, named, other = (
        run_experiment(small(fleet=fleet, loads=(0.9,), router=router), workers=1)
        for router in (None, "jsq", "round-robin")
    )
    assert default.paths == named.paths
    assert default.paths != other.paths
    with pytest.raises(UnknownNameError, match="router 'jsk': did you mean 'jsq'"):
        run_experiment(small(fleet=fleet, router="jsk"), workers=1)


def test_warm_up_changes_metrics_and_never_gaps():
    """The rule trims the metrics; gaps cover whole paths, as their bounds do."""
    whole = run_experiment(small(), workers=1).paths[0].outcomes["sjf"]
    trimmed = run_experiment(small(warm_up="fixed-50%"), workers=1).paths[0].outcomes["sjf"]
    assert whole.gaps == trimmed.gaps
    assert whole.metrics["latency_mean_s"] != trimmed.metrics["latency_mean_s"]


def test_a_request_that_never_fits_is_refused_before_anything_runs():
    """Also when no sample path would happen to contain it."""
    outputs = np.full(1_000, 10)
    outputs[-1] = 10**6
    work = Workload.of(np.arange(1_000.0), np.full(1_000, 10), outputs)
    with pytest.raises(InputError, match="request 999 of"):
        run_experiment(small(workload=work, requests=2, replications=1), workers=1)


def test_notices_reach_the_table():
    """Sorting and joining of blocks are said."""
    work = Workload.of([0.0, 2.0, 1.0], [5, 5, 5], [3, 3, 3], name="mine")
    table = tabulate(run_experiment(small(workload=work), workers=1))
    assert any("sorted" in notice for notice in table.notices)
    assert any("joins several blocks of the 3 in 'mine'" in notice for notice in table.notices)


def test_experiments_are_values():
    """Equal specifications are equal and hash alike; a change makes another one."""
    assert small() == small()
    assert hash(small()) == hash(small())
    assert small() != dataclasses.replace(small(), seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policies": ()}, "at least one policy"),
        ({"policies": ("sjf", "sjf")}, "policies.1 = 'sjf': given twice; leave one out"),
        ({"loads": ()}, "at least one load"),
        ({"loads": (0.5, 0.5)}, "loads.1 = 0.5: given twice; leave one out"),
        ({"loads": (0.0,)}, "load 0.0: must be a positive"),
        ({"loads": (float("nan"),)}, "load nan: must be a positive"),
        ({"requests": 1}, "requests = 1: must be a whole number >= 2"),
        ({"requests": 10**9}, "requests = 1000000000: must be at most"),
        ({"replications": 0}, "replications = 0: must be a whole number >= 1"),
        ({"replications": True}, "replications = True"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"warm_up": "mser"}, "did you mean 'mser-5'"),
    ],
)
def test_bad_experiments_are_refused(change: dict[str, object], message: str):
    """Each bad field is named, with its value and what is allowed."""
    with pytest.raises(InputError, match=message):
        small(**change)


def test_small_experiments_stay_in_this_process():
    """Processes are started only when there is work for them."""
    assert sensible_workers(small()) == 1
