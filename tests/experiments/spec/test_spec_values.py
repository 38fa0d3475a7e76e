"""Specifications as values: what is equal, what is written down and read again, which tasks there are."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.spec import ExperimentSpec, parsed_spec, read_spec, recorded_spec
from experiments.spec.reading import SPECS
from orsched.errors import InputError

SMALL = {
    "workloads": ["reference"],
    "fleets": ["reference"],
    "policies": ["vllm-v1", "sjf"],
    "loads": [0.5, 0.9],
    "requests": 50,
    "replications": 2,
}


def small(**changes):
    """Return a small specification; None takes a field away."""
    settings_ = {name: value for name, value in (SMALL | changes).items() if value is not None}
    return ExperimentSpec(**settings_)


labels = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=20)
workloads = st.one_of(
    st.sampled_from(["reference", "azure-conv"]),
    st.floats(0.01, 0.99).map(
        lambda share: {
            "name": "reference",
            "tiers": [
                {"name": "a", "ttft_s": 1.0, "tpot_s": share, "share": share},
                {"name": "x", "ttft_s": 1, "tpot_s": 1, "share": 1 - share},
            ],
        }
    ),
    st.fixed_dictionaries(
        {"name": st.just("reference"), "arrivals": st.just("gamma"), "cv": st.floats(0, 100), "label": labels}
    ),
)
identical = st.fixed_dictionaries(
    {"hardware": st.sampled_from(["reference", "llama2-7b/a100-80g"]), "label": labels},
    optional={
        "instances": st.integers(1, 8),
        "kv_memory": st.floats(0.5, 4),
        "router": st.sampled_from(["jsq", "least-kv"]),
    },
)
groups = st.fixed_dictionaries(
    {"hardware": st.just("llama2-7b/a100-80g")},
    optional={
        "size": st.integers(2, 4),
        "role": st.sampled_from(["mixed", "prefill", "decode"]),
        "tier": st.sampled_from(["a", "x"]),
        "off": st.integers(0, 1),
        "start_up_s": st.floats(0, 100),
        "keeps_prefixes": st.just(False),
        "link": st.fixed_dictionaries(
            {}, optional={"bandwidth_gb_per_s": st.floats(1e-3, 1e6), "latency_ms": st.floats(0, 1e3)}
        ),
    },
)
grouped = st.fixed_dictionaries(
    {"groups": groups.map(lambda more: [{"hardware": "llama2-7b/a100-80g"}, more]), "label": labels},
    optional={
        "kv_memory": st.floats(0.5, 4),
        "migration": st.fixed_dictionaries({}, optional={"stages": st.integers(0, 9), "downtime_ms": st.floats(0, 9)}),
    },
)
NAMES = [["sjf"], ["vllm-v1", {"name": "sjf", "label": "shortest"}], ["sjf", {"name": "sjf", "router": "random"}]]
SYSTEMS = [
    ["sjf", "llumnix"],
    [{"name": "sjf", "router": "jsq"}, {"name": "routed", "settings": {"batcher": "sarathi", "router": "random"}}],
    [*({"name": "partitioned", "settings": {"tiers": tiers}} for tiers in (["a b"], ["x", "y"])), "sjf"],
]
numbers = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=4, unique=True)
axes = st.one_of(
    st.fixed_dictionaries({"loads": numbers}),
    st.fixed_dictionaries({"rates_per_s": numbers}),
    st.fixed_dictionaries({"scales": st.just([1, 2.5, 16]), "load": st.floats(1e-6, 2)}),
)
repeated = st.one_of(
    st.fixed_dictionaries({}, optional={"replications": st.integers(1, 50)}),
    st.fixed_dictionaries({"precision": st.fixed_dictionaries({"relative": st.floats(1e-6, 0.5)})}),
)
others = st.fixed_dictionaries(
    {},
    optional={
        "description": labels,
        "requests": st.integers(2, 10_000),
        "seeds": st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3, unique=True),
        "warm_up": st.sampled_from(["none", "mser-5", "fixed-10%"]),
        "bounds": st.sampled_from(["all", "fast", "none"]),
        "slo": st.fixed_dictionaries({"ttft_s": st.floats(0.001, 10), "tpot_s": st.floats(0.001, 10)}),
        "predictors": st.sampled_from([["none"], ["none", "noise:0.5"]]),
    },
)


@st.composite
def specs(draw):
    """Any specification without files."""
    table = draw(axes) | draw(repeated) | draw(others)
    table["workloads"] = [draw(workloads)]
    if "tiers" in table["workloads"][0]:
        table.pop("slo", None)
    fleets, policies = draw(
        st.sampled_from([(st.one_of(identical, grouped), NAMES), (grouped, NAMES + SYSTEMS), (grouped, SYSTEMS)])
    )
    table["fleets"] = draw(
        st.lists(fleets, min_size=1, max_size=2, unique_by=lambda fleet: " ".join(fleet["label"].split()))
    )
    table["policies"] = draw(st.sampled_from(policies))
    return ExperimentSpec(**table)


@settings(max_examples=150, deadline=None)
@given(specs())
def test_what_is_written_down_is_read_again(spec):
    """Claim: the TOML of a specification is read as an equal value, with the same hash and the same key."""
    again = parsed_spec(spec.to_toml(), "text", Path("/"))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.key == spec.key
    assert again.to_toml() == spec.to_toml()


def test_a_specification_is_frozen():
    """Claim: a specification cannot be changed, so that it means the same to whoever holds it."""
    with pytest.raises(ValidationError):
        small().requests = 3


def test_names_alone_are_entries():
    """Claim: a string in place of a table is the entry with that name and every default."""
    assert small() == small(
        workloads=[{"name": "reference"}], fleets=[{"hardware": "reference"}], policies=["vllm-v1", {"name": "sjf"}]
    )


SAME_KEY = {
    "order of policies": {"policies": ["sjf", "vllm-v1"]},
    "order of loads": {"loads": [0.9, 0.5]},
    "label of a policy": {"policies": ["vllm-v1", {"name": "sjf", "label": "shortest"}]},
    "label of a workload": {"workloads": [{"name": "reference", "label": "poisson"}]},
    "label of a fleet": {"fleets": [{"hardware": "reference", "label": "one"}]},
    "description": {"description": "another"},
    "one group": {"fleets": [{"groups": [{"hardware": "reference"}]}]},
    "a default that is spelt out": {"warm_up": "none", "predictors": ["none"], "seeds": [0]},
}
OTHER_KEY = {
    "workload": {"workloads": ["p512d20"]},
    "arrivals": {"workloads": [{"name": "reference", "arrivals": "poisson"}]},
    "dropping": {"workloads": [{"name": "reference", "drop_oversized": True}]},
    "hardware": {"fleets": ["llama2-7b/a100-80g"]},
    "instances": {"fleets": [{"hardware": "reference", "instances": 2}]},
    "router": {"fleets": [{"hardware": "reference", "router": "random"}]},
    "memory": {"fleets": [{"hardware": "reference", "kv_memory": 0.5}]},
    "roles": {"fleets": [{"groups": [{"hardware": "reference", "role": role} for role in ("prefill", "decode")]}]},
    "router of a policy": {"policies": ["vllm-v1", {"name": "sjf", "router": "random"}]},
    "a system": {"policies": ["vllm-v1", "sjf", "routed"]},
    "its settings": {"policies": ["vllm-v1", "sjf", {"name": "routed", "settings": {"batcher": "sjf"}}]},
    "a policy more": {"policies": ["vllm-v1", "sjf", "orca"]},
    "predictors": {"predictors": ["noise:0.5"]},
    "loads": {"loads": [0.5]},
    "another axis": {"loads": None, "rates_per_s": [0.5, 0.9]},
    "requests": {"requests": 51},
    "replications": {"replications": 3},
    "precision": {"replications": None, "precision": {"relative": 0.1}},
    "seeds": {"seeds": [1]},
    "warm-up": {"warm_up": "mser-5"},
    "metrics": {"metrics": ["latency_mean_s"]},
    "bounds": {"bounds": "none"},
    "slo": {"slo": {"ttft_s": 1.0, "tpot_s": 0.1}},
}


@pytest.mark.parametrize("change", SAME_KEY.values(), ids=SAME_KEY)
def test_the_key_does_not_see_order_and_labels(change):
    """Claim: order, labels, description and spelt-out defaults do not change the key."""
    assert small(**change).key == small().key


@pytest.mark.parametrize("change", OTHER_KEY.values(), ids=OTHER_KEY)
def test_the_key_sees_everything_else(change):
    """Claim: every field that changes what is run or shown changes the key."""
    assert small(**change).key != small().key


def test_keys_are_all_different():
    """Claim: no two of the changes above are taken for each other."""
    assert len({small(**change).key for change in OTHER_KEY.values()}) == len(OTHER_KEY)


def test_labels_made_by_default_tell_apart():
    """Claim: fleets and policies that differ in one setting have readable default labels that differ."""
    usual = {"hardware": "reference", "size": 2}
    changes = [
        *({"size": 3}, {"role": "prefill"}, {"tier": "x"}, {"off": 1}, {"start_up_s": 5.0}, {"keeps_prefixes": True}),
        *({"keeps_prefixes": False}, {"link": {"bandwidth_gb_per_s": 25}}, {"link": {"latency_ms": 0.5}}),
    ]
    fleets = [{"groups": [usual | change, {"hardware": "reference"}]} for change in [{}, *changes]]
    fleets += [fleets[0] | {"kv_memory": 0.5}, fleets[0] | {"migration": {"stages": 1}}]
    settings = ({}, {"batcher": "sjf"}, {"router": "random"}, {"batcher": "sjf", "router": "random"})
    policies = [{"name": "routed", "settings": given} for given in settings]
    spec = small(fleets=fleets, policies=[*policies, "sjf", {"name": "sjf", "router": "jsq"}])
    assert spec.fleets[2].shown == "2 x reference (prefill) + reference"
    assert [entry.shown for entry in spec.policies[3:]] == ["routed (batcher=sjf, router=random)", "sjf", "sjf+jsq"]


def test_hardware_files_of_groups_are_relative_to_the_specification(tmp_path):
    """Claim: a hardware file of a group is found beside the specification, counts by content, and is kept absolute."""
    from importlib import resources

    entry = (resources.files("orsched") / "data" / "hardware" / "reference.toml").read_text(encoding="utf-8")
    text = 'workloads = ["reference"]\npolicies = ["vllm-v1"]\nrates_per_s = [2.0]\nrequests = 10\n'
    text += '[[fleets]]\n[[fleets.groups]]\nhardware = "own.toml"\n[[fleets.groups]]\nhardware = "reference"\n'
    specs = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.toml").write_text(entry)
        (tmp_path / folder / "spec.toml").write_text(text)
        specs.append(read_spec(tmp_path / folder / "spec.toml"))
    one, two = specs
    assert one.fleets[0].hardware_files == (tmp_path / "a" / "own.toml", None)
    assert one.key == two.key
    assert one.tasks()[0].id == two.tasks()[0].id
    (tmp_path / "b" / "own.toml").write_text(entry + "\n")
    assert one.tasks()[0].id != two.tasks()[0].id
    fresh = tmp_path / "c.toml"
    fresh.write_text(entry)
    spec = small(
        fleets=[{"groups": [{"hardware": "reference"}, {"hardware": str(fresh)}]}], loads=None, rates_per_s=[1]
    )
    task = spec.tasks()[1]
    fresh.write_text(entry + "\n")
    with pytest.raises(InputError, match="has changed"):
        task.compute()


def test_tasks_have_a_fixed_order():
    """Claim: replications are outermost, tasks of one path stand together, its bounds first, policies in order."""
    places = [task.place for task in small().tasks()]
    assert [(p.replication, p.point, p.policy) for p in places] == [
        (replication, load, policy)
        for replication in (0, 1)
        for load in (0.5, 0.9)
        for policy in (None, "vllm-v1", "sjf")
    ]
    assert [p.kind for p in places[:3]] == ["bound", "serve", "serve"]


def test_more_replications_begin_with_fewer():
    """Claim: the tasks of n replications are the first of those of n + 1, and precision begins with its least."""
    ids = [task.id for task in small().tasks(3)]
    assert ids[: len(small().tasks())] == [task.id for task in small().tasks()]
    precise = small(replications=None, precision={"relative": 0.1, "least": 2})
    assert [task.id for task in precise.tasks()] == [task.id for task in small().tasks()]
    with pytest.raises(InputError, match="replications = 0"):
        small().tasks(0)


def test_without_bounds_there_are_no_bound_tasks():
    """Claim: ``bounds = "none"`` leaves the runs alone as they are."""
    served = [task.id for task in small().tasks() if task.kind == "serve"]
    assert [task.id for task in small(bounds="none").tasks()] == served


def test_common_random_numbers():
    """Claim: every policy, predictor and router of a cell meets one and the same sample path."""
    spec = small(
        predictors=["none", "noise:1"],
        fleets=[
            {"hardware": "reference", "instances": 2, "router": router, "label": router} for router in ("jsq", "random")
        ],
        loads=[0.7],
        replications=1,
    )
    tasks = spec.tasks()
    assert len({task.path for task in tasks}) == 1
    assert len({task.id for task in tasks if task.kind == "bound"}) == 1


def test_a_predictor_changes_only_who_asks_it():
    """Claim: a policy that uses no lengths has a place for every predictor, and one task for all of them."""
    tasks = [t for t in small(predictors=["none", "noise:1"], replications=1, loads=[0.5]).tasks() if t.place.policy]
    ids = {(t.place.policy, t.place.predictor): t.id for t in tasks}
    assert ids["vllm-v1", None] == ids["vllm-v1", "noise:1"]
    assert ids["sjf", None] != ids["sjf", "noise:1"]


def test_a_scale_multiplies_the_requests():
    """Claim: at scale zeta a path has zeta times the requests, all at the one load."""
    spec = small(loads=None, scales=[1, 2.5], load=0.8, replications=1, policies=["vllm-v1"])
    assert [(t.path.requests, t.path.scale_load) for t in spec.tasks() if t.kind == "serve"] == [(50, 0.8), (125, 0.8)]


def test_files_are_relative_to_the_specification(tmp_path):
    """Claim: a trace beside a specification is found from anywhere, and its content is what counts."""
    trace = "arrival_s,input_tokens,output_tokens\n0,10,5\n1,20,6\n2,30,7\n"
    text = 'workloads = ["own.csv"]\nfleets = ["reference"]\npolicies = ["vllm-v1"]\nloads = [0.5]\nrequests = 10\n'
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.csv").write_text(trace)
        (tmp_path / folder / "spec.toml").write_text(text)
    one, two = (read_spec(tmp_path / folder / "spec.toml") for folder in "ab")
    assert one.key == two.key
    assert one.tasks()[0].id == two.tasks()[0].id
    (tmp_path / "b" / "own.csv").write_text(trace + "3,40,8\n")
    assert one.key != two.key
    assert one.tasks()[0].id != two.tasks()[0].id


def test_a_file_that_changes_while_it_runs_is_refused(tmp_path):
    """Claim: a task whose file is no longer what it was is refused, never computed with other numbers."""
    file = tmp_path / "own.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n0,10,5\n1,20,6\n")
    task = small(workloads=[str(file)]).tasks()[0]
    file.write_text("arrival_s,input_tokens,output_tokens\n0,10,5\n1,20,7\n")
    with pytest.raises(InputError, match="has changed"):
        task.compute()


def test_a_recorded_experiment_needs_no_files(tmp_path):
    """Claim: what was run can be read as it was when its trace is gone; running it again cannot."""
    file, record = tmp_path / "own.csv", tmp_path / "experiment.toml"
    file.write_text("arrival_s,input_tokens,output_tokens\n0,10,5\n1,20,6\n")
    spec = small(workloads=[str(file)])
    record.write_text(spec.to_toml())
    file.unlink()
    assert recorded_spec(record) == spec
    with pytest.raises(InputError, match="no such file"):
        read_spec(record)


def test_long_paths_are_read_back(tmp_path):
    """Claim: a specification in a folder whose path is longer than a text may be is written and read back."""
    folder = tmp_path
    while len(str(folder)) < 400:
        folder = folder / ("deep" * 12)
    folder.mkdir(parents=True)
    (folder / "gpu.toml").write_text(LONG_HARDWARE)
    (folder / "spec.toml").write_text(LONG_SPEC)
    spec = read_spec(folder / "spec.toml")
    (tmp_path / "again.toml").write_text(spec.to_toml())
    assert recorded_spec(tmp_path / "again.toml") == spec


LONG_HARDWARE = (SPECS / "hardware" / "llama2-7b-a100-80g-wait.toml").read_text()
LONG_SPEC = """
workloads = ["azure-conv"]
policies = ["sjf"]
rates_per_s = [1.0]

[[fleets]]
hardware = "gpu.toml"

[[fleets]]
groups = [{hardware = "gpu.toml", size = 2}]
"""
