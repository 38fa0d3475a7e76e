"""Specifications of fleet experiments: what they mean, and what is said about those that cannot be used."""

# ruff: noqa: E501

import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import pytest

from experiments.fleet.policy_table import built_settings
from experiments.fleet.report import document
from experiments.fleet.run import run_fleet
from experiments.fleet.spec import fleet_experiment
from experiments.fleet.spec_file import MOST_BYTES, SPECS, parsed_spec, read_spec, ready_names, ready_spec
from experiments.fleet.streams import FleetStream
from experiments.fleet.summary import summarise
from experiments.paths.streams import Stream
from orsched.errors import InputError
from orsched.faults import InstanceFault, LinkFault, StartUpFault
from orsched.faults_schedule import Breakdowns, FaultSchedule
from orsched.group import Role
from orsched.link import Link, StagedCopy
from orsched.policy import Information
from orsched.request import SLO
from policies.system import System

GROUP = '[[group]]\nhardware = "reference"\n'
WORKLOAD = '[workload]\nname = "reference"\nrequests = 60\n'
TIER = '[[tier]]\nname = "a"\nttft_s = 2\ntpot_s = 0.1\n'
POLICY = '[policy]\nname = "vllm-v1"\n'

FULL = """
description = "everything"

[[group]]
hardware = "llama3-8b/a100-80g"
size = 2
role = "prefill"

[[group]]
hardware = "llama3-8b/a100-80g"
size = 3
role = "decode"
tier = "slow"
off = 1
start_up_s = 30
[group.link]
bandwidth_gb_per_s = 25
latency_ms = 0.5

[migration]
stages = 2
last_stage_tokens = 64
downtime_ms = 20

[workload]
name = "reference"
requests = 500
rate_per_s = 6
arrivals = "gamma"
cv = 2

[[tier]]
name = "fast"
ttft_s = 1
tpot_s = 0.05
share = 0.25
[[tier]]
name = "slow"
ttft_s = 5
tpot_s = 0.2
share = 0.75

[[policy]]
name = "routed"
label = "mine"
[policy.settings]
batcher = "sarathi"
router = "power-of-two"
[[policy]]
name = "sjf"
router = "least-kv"
predictor = "noise:0.5"

[faults]
[[faults.instance]]
at_s = 20
instance = 4
[[faults.link]]
at_s = 10
instance = 2
for_s = 5
factor = 0.5
[[faults.start_up]]
instance = 4
attempts = 2
[faults.random]
horizon_s = 100
seed = 7
instance_mean_between_s = 50
instance_mean_repair_s = 5
start_up_mean_between_s = 30

[experiment]
replications = 3
seed = 11
attainment = 0.95
"""


def built(text, tmp_path, **changes):
    return fleet_experiment(parsed_spec(text, "spec.toml"), "spec", tmp_path, **changes)


def test_a_specification_means_what_it_says(tmp_path):
    """Claim: every table arrives as the engine's own types, in seconds and bytes."""
    found = built(FULL, tmp_path)
    prefill, decode = found.fleet.groups
    assert (prefill.size, prefill.role, prefill.link) == (2, Role.PREFILL, Link())
    assert (decode.size, decode.role, decode.tier, decode.off, decode.start_up_s) == (3, Role.DECODE, "slow", 1, 30)
    assert decode.link == Link(25e9, 0.5e-3)
    assert found.fleet.migration == StagedCopy(2, 64, 0.02)
    assert [tier.slo for tier in found.tiers] == [SLO(1, 0.05), SLO(5, 0.2)]
    assert [one.label for one in found.contenders] == ["mine", "sjf+least-kv"]
    mine, sjf = (one.policy for one in found.contenders)
    assert (mine.settings["batcher"], mine.settings["router"]) == ("sarathi", "power-of-two")
    assert sjf.information is Information.PREDICTED
    assert found.faults == (StartUpFault(0, 4, 2), LinkFault(10, 2, 5, 0.5), InstanceFault(20, 4))
    assert found.schedule == FaultSchedule(100, Breakdowns(50, 5), start_up_mean_between_s=30)
    assert (found.replications, found.paths.seed, found.attainment) == (3, 11, 0.95)


def test_options_take_the_place_of_what_the_file_says(tmp_path):
    """Claim: replications, seed and workers given outside win."""
    found = built(FULL, tmp_path, replications=2, seed=5, workers=1)
    assert (found.replications, found.paths.seed, found.workers) == (2, 5, 1)


def test_paths_have_the_rate_the_shares_and_the_gaps_they_ask_for(tmp_path):
    """Claim: the rate is exact; shares are within 5 standard deviations; gamma gaps have their spread."""
    source = built(FULL.replace("requests = 500", "requests = 4000"), tmp_path).paths
    path = source.draw(0)
    assert path.rate_per_s == pytest.approx(6)
    assert abs(np.mean(path.class_id == 0) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)
    gaps = np.diff(path.arrival_s)
    assert np.std(gaps) / np.mean(gaps) == pytest.approx(2, rel=0.2)


def test_lengths_do_not_depend_on_tiers_nor_arrivals(tmp_path):
    """Claim: lengths, arrivals and tiers have streams of their own: changing one leaves the others."""
    base = built(FULL, tmp_path).paths.draw(1)
    other = built(FULL.replace("share = 0.25", "share = 0.5").replace("share = 0.75", "share = 0.5"), tmp_path)
    poisson = built(FULL.replace('"gamma"\ncv = 2', '"poisson"'), tmp_path).paths.draw(1)
    assert np.array_equal(base.input_tokens, other.paths.draw(1).input_tokens)
    assert np.array_equal(base.arrival_s, other.paths.draw(1).arrival_s)
    assert np.array_equal(base.input_tokens, poisson.input_tokens)
    assert np.array_equal(base.class_id, poisson.class_id)
    assert not np.array_equal(base.class_id, built(FULL, tmp_path).paths.draw(2).class_id)


def test_random_faults_differ_by_path_and_not_by_run(tmp_path):
    """Claim: each path has its own draw, the same every time; listed faults are on all of them."""
    found = built(FULL, tmp_path)
    assert found.faults_of(0) == found.faults_of(0) != found.faults_of(1)
    assert set(found.faults) <= set(found.faults_of(0)) & set(found.faults_of(1))


def test_streams_are_apart_from_those_of_other_experiments():
    """Claim: no purpose shares its number with another."""
    assert not {int(one) for one in FleetStream} & {int(one) for one in Stream}


@pytest.mark.parametrize(("field", "expected"), [("load = 0.5", 0.5), ("scale = 2.0", None)])
def test_rates_by_load_and_by_scale(field, expected, tmp_path):
    """Claim: a load is reached exactly; a scale multiplies the path's own rate."""
    source = built(GROUP + WORKLOAD + field + "\n" + POLICY, tmp_path).paths
    path = source.draw(0)
    if expected is not None:
        assert path.load_on(source.fleet) == pytest.approx(expected)
    else:
        once = built(GROUP + WORKLOAD + POLICY, tmp_path).paths.draw(0)
        assert path.rate_per_s == pytest.approx(2 * once.rate_per_s)


def test_tiers_from_the_classes_of_a_trace(tmp_path):
    """Claim: requests are in the tier that their class names, whatever the order of the [[tier]] tables."""
    lines = ["arrival_s,input_tokens,output_tokens,class"] + [f"{i},20,5,{'b' if i % 3 else 'a'}" for i in range(30)]
    (tmp_path / "trace.csv").write_text("\n".join(lines) + "\n")
    tiers = TIER.replace('"a"', '"b"') + TIER
    text = GROUP + '[workload]\nname = "trace.csv"\nrequests = 30\ntiers = "class"\n' + tiers + POLICY
    path = built(text, tmp_path).paths.representative()
    assert [one.name for one in path.classes] == ["b", "a"]
    assert path.class_id.tolist() == [int(i % 3 == 0) for i in range(30)]
    with pytest.raises(InputError, match=re.escape("class 'a' of 'trace' has no [[tier]]")):
        built(text.replace(TIER, "", 1).replace(TIER, ""), tmp_path)


def test_hardware_files_are_looked_up_beside_the_specification(tmp_path):
    """Claim: a relative path is relative to the specification."""
    text = (GROUP + WORKLOAD + POLICY).replace('"reference"\n', '"mine.toml"\n', 1)
    with pytest.raises(InputError, match=r"^group\.0\.hardware: .*mine\.toml: cannot be read"):
        built(text, tmp_path)


BAD = {
    "no group": (WORKLOAD + POLICY, "group: field required"),
    "no policy": (GROUP + WORKLOAD, "policy: field required"),
    "no workload": (GROUP + POLICY, "workload: field required"),
    "not toml": ("[[group", "not a TOML file"),
    "unknown table": (GROUP + WORKLOAD + POLICY + "[fault]\n", "unknown field 'fault': did you mean faults?"),
    "unknown field": (GROUP + "sze = 3\n" + WORKLOAD + POLICY, "unknown field 'sze': did you mean size?"),
    "size": (GROUP + "size = 0\n" + WORKLOAD + POLICY, "group.0.size = 0: input should be greater than or equal to 1"),
    "size type": (GROUP + "size = 2.5\n" + WORKLOAD + POLICY, "group.0.size = 2.5: input should be a valid integer"),
    "quoted number": (GROUP + 'size = "3"\n' + WORKLOAD + POLICY, "group.0.size = '3': input should be a valid integer"),
    "role": (GROUP + 'role = "both"\n' + WORKLOAD + POLICY, "group.0.role = 'both': input should be 'mixed', 'prefill' or 'decode'"),
    "off": (GROUP + "off = 2\n" + WORKLOAD + POLICY, "group.0.off = 2: must be at most its size, 1"),
    "start-up": (GROUP + "start_up_s = -1\n" + WORKLOAD + POLICY, "group.0.start_up_s = -1: input should be greater"),
    "not finite": (GROUP + "start_up_s = nan\n" + WORKLOAD + POLICY, "group.0.start_up_s = nan: input should be a finite"),
    "bandwidth": (GROUP + "[group.link]\nbandwidth_gb_per_s = 0\n" + WORKLOAD + POLICY, "group.0.link.bandwidth_gb_per_s = 0: input should be greater than 0"),
    "latency": (GROUP + '[group.link]\nlatency_ms = "1"\n' + WORKLOAD + POLICY, "group.0.link.latency_ms = '1': input should be a valid number"),
    "hardware": (GROUP.replace("reference", "refernce") + WORKLOAD + POLICY, "group.0.hardware: unknown hardware 'refernce': did you mean 'reference'"),
    "control characters": (GROUP.replace("reference", "a\\nb") + WORKLOAD + POLICY, "group.0.hardware = 'a\\nb': value error, should have no control characters"),
    "decode only": (GROUP + 'role = "decode"\n' + WORKLOAD + POLICY, "group: every group decodes only"),
    "group tier": (GROUP + 'tier = "b"\n' + WORKLOAD + TIER + POLICY, "group.0.tier = 'b': must be the name of a [[tier]] ('a')"),
    "migration": (GROUP + "[migration]\nstages = -1\n" + WORKLOAD + POLICY, "migration.stages = -1: input should be greater"),
    "downtime": (GROUP + "[migration]\ndowntime_ms = -1\n" + WORKLOAD + POLICY, "migration.downtime_ms = -1"),
    "workload": (GROUP + WORKLOAD.replace('"reference"', '"azure"') + POLICY, "workload.name: unknown workload 'azure': did you mean 'azure-conv'"),
    "requests": (GROUP + WORKLOAD.replace("60", "1") + POLICY, "workload.requests = 1: input should be greater than or equal to 2"),
    "two rates": (GROUP + WORKLOAD + "load = 1\nscale = 1\n" + POLICY, "workload.scale: goes not with load; give one of rate_per_s, load, scale"),
    "rate": (GROUP + WORKLOAD + "rate_per_s = 0\n" + POLICY, "workload.rate_per_s = 0: input should be greater than or equal to 0.000001"),
    "load of mixed": (GROUP + '[[group]]\nhardware = "llama3-8b/a100-80g"\n' + WORKLOAD + "load = 1\n" + POLICY, "workload.load = 1: the fleet mixes hardware; give rate_per_s or scale"),
    "arrivals": (GROUP + WORKLOAD + 'arrivals = "normal"\n' + POLICY, "workload.arrivals = 'normal': input should be 'recorded', 'poisson' or 'gamma'"),
    "cv missing": (GROUP + WORKLOAD + 'arrivals = "gamma"\n' + POLICY, "workload.cv: goes with arrivals = 'gamma', which needs it"),
    "cv alone": (GROUP + WORKLOAD + "cv = 1\n" + POLICY, "workload.cv: goes with arrivals = 'gamma'"),
    "tier names": (GROUP + WORKLOAD + (TIER + "share = 0.5\n") * 2 + POLICY, "tier.1.name = 'a': given twice"),
    "shares": (GROUP + WORKLOAD + TIER + "share = 0.5\n" + POLICY, "tier.share: the shares add up to 0.5, must be 1"),
    "share missing": (GROUP + WORKLOAD + TIER + TIER.replace('"a"', '"b"') + POLICY, "tier.0.share: missing"),
    "share of a class": (GROUP + WORKLOAD + 'tiers = "class"\n' + TIER + "share = 1\n" + POLICY, "tier.0.share = 1: goes not with workload.tiers = 'class'"),
    "classes without tiers": (GROUP + WORKLOAD + 'tiers = "class"\n' + POLICY, "tier: missing; workload.tiers = 'class' needs"),
    "ttft": (GROUP + WORKLOAD + TIER.replace("ttft_s = 2", "ttft_s = 0") + POLICY, "tier.0.ttft_s = 0: input should be greater than 0"),
    "tpot": (GROUP + WORKLOAD + TIER.replace("tpot_s = 0.1", "tpot_s = true") + POLICY, "tier.0.tpot_s = True: input should be a valid number"),
    "policy": (GROUP + WORKLOAD + POLICY.replace("v1", "v3"), "policy.0 (vllm-v3): unknown fleet system or batcher 'vllm-v3': did you mean"),
    "router": (GROUP + WORKLOAD + POLICY + 'router = "jsk"\n', "policy.0 (vllm-v1+jsk): router: unknown router 'jsk': did you mean 'jsq'"),
    "router of a system": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + 'router = "jsq"\n', "router = 'jsq': goes with a batcher; 'routed' is a fleet system"),
    "setting": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + '[policy.settings]\nbacher = "orca"\n', "settings.bacher: unknown setting of 'routed'; did you mean batcher?"),
    "setting type": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + "[policy.settings]\nbatcher = 3\n", "settings.batcher = 3: input should be a valid string"),
    "setting date": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + "[policy.settings]\nbatcher = 2020-01-01\n", "settings.batcher = datetime.date(2020, 1, 1): must be a truth value"),
    "settings of a batcher": (GROUP + WORKLOAD + POLICY + "[policy.settings]\nchunk = 3\n", "settings.chunk: a batcher with a router has no settings"),
    "predictor": (GROUP + WORKLOAD + POLICY + 'predictor = "nois:1"\n', "unknown predictor 'nois'"),
    "predictor for nothing": (GROUP + WORKLOAD + POLICY + 'predictor = "oracle"\n', "uses no output lengths"),
    "labels": (GROUP + WORKLOAD + '[[policy]]\nname = "sjf"\n' * 2, "policy.1: 'sjf+jsq' is given twice; set a label"),
    "fault instance": (GROUP + WORKLOAD + POLICY + "[[faults.instance]]\nat_s = 1\ninstance = 1\n", "faults.instance.0.instance = 1: the fleet has instances 0 to 0"),
    "fault time": (GROUP + WORKLOAD + POLICY + "[[faults.link]]\nat_s = -1\ninstance = 0\nfor_s = 1\n", "faults.link.0.at_s = -1"),
    "fault factor": (GROUP + WORKLOAD + POLICY + "[[faults.link]]\nat_s = 1\ninstance = 0\nfor_s = 1\nfactor = 2\n", "faults.link.0.factor = 2: input should be less than or equal to 1"),
    "fault attempts": (GROUP + WORKLOAD + POLICY + "[[faults.start_up]]\ninstance = 0\nattempts = 0\n", "faults.start_up.0.attempts = 0"),
    "start-up law": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\nstart_up_mean_between_s = 0\n", "faults.random.start_up_mean_between_s = 0: input should be greater than 0"),
    "start-up type": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\nstart_up_mean_between_s = true\n", "faults.random.start_up_mean_between_s = True: input should be a valid number"),
    "too many starts fail": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\nstart_up_mean_between_s = 1e-9\n", "faults.random: FaultSchedule.start_up_mean_between_s = 1e-09: 1 instance would have more than 1,000,000"),
    "too many deaths": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\ninstance_mean_between_s = 1e-9\ninstance_mean_repair_s = 1e-9\n", "faults.random: FaultSchedule.instances.mean_between_s = 1e-09"),
    "factor of no link fault": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\nstart_up_mean_between_s = 3\nlink_factor = 0.5\n", "faults.random.link_factor = 0.5: goes with link_mean_between_s"),
    "prefill only": (GROUP + 'role = "prefill"\n' + WORKLOAD + POLICY, "group: every group prefills only, so that nobody decodes"),
    "prefill without decode": (GROUP + 'role = "prefill"\n' + GROUP + WORKLOAD + POLICY, "policy.0 (vllm-v1+jsq): policy 'vllm-v1' sends finished prompts to groups of role 'decode', and the fleet has none"),
    "no transfers": (GROUP + 'role = "prefill"\n' + GROUP + 'role = "decode"\n' + WORKLOAD + POLICY.replace("vllm-v1", "wait"), "policy.0 (wait+jsq): a group of the fleet has role 'prefill': policy 'wait' cannot serve"),
    "random faults": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\n", "faults.random: nothing breaks"),
    "repair missing": (GROUP + WORKLOAD + POLICY + "[faults.random]\nhorizon_s = 9\nlink_mean_between_s = 3\n", "faults.random.link_mean_repair_s: missing"),
    "replications": (GROUP + WORKLOAD + POLICY + "[experiment]\nreplications = 0\n", "experiment.replications = 0"),
    "warm-up": (GROUP + WORKLOAD + POLICY + '[experiment]\nwarm_up = "mser"\n', "experiment.warm_up: unknown warm-up rule 'mser'"),
    "workers": (GROUP + WORKLOAD + POLICY + "[experiment]\nworkers = 0\n", "experiment.workers = 0"),
    "scoring": (GROUP + WORKLOAD + POLICY + '[experiment]\nscoring = "mean"\n', "experiment.scoring = 'mean': input should be 'mean-tpot' or 'deadlines'"),
    "attainment": (GROUP + WORKLOAD + POLICY + "[experiment]\nattainment = 90\n", "experiment.attainment = 90: input should be less than or equal to 1"),
    "samples": (GROUP + WORKLOAD + POLICY + "[experiment]\nsample_every_s = 0\n", "experiment.sample_every_s = 0"),
    "goodput range": (GROUP + WORKLOAD + TIER + POLICY + "[goodput]\nleast = 2\nmost = 1\n", "goodput.least = 2: must be below most = 1"),
    "goodput and faults": (GROUP + WORKLOAD + TIER + POLICY + "[goodput]\n[[faults.instance]]\nat_s = 1\ninstance = 0\n", "goodput: goes not with [faults]: a path that is squeezed in time would meet other faults"),
    "tiny tolerance": (GROUP + WORKLOAD + TIER + POLICY + "[goodput]\ntolerance = 1e-18\n", "goodput.tolerance = 1e-18: input should be greater than or equal to 0.000001"),
    "tiny rate": (GROUP + WORKLOAD + "rate_per_s = 1e-300\n" + POLICY, "workload.rate_per_s = 1e-300: input should be greater than or equal to 0.000001"),
    "too many samples": (GROUP + WORKLOAD + POLICY + "[experiment]\nsample_every_s = 1e-9\n", "experiment.sample_every_s = 1e-09: more than 10,000,000 samples"),
    "case of a name": (GROUP + WORKLOAD + POLICY + "[experiment]\nSeed = 1\n", "experiment: unknown field 'Seed': did you mean seed?"),
    "table for a list": (GROUP + WORKLOAD + POLICY + "[tier]\nname = 'A'\n", "tier: input should be a valid list"),
    "deep key": (".".join(["a"] * 2000) + " = 1\n", "not a TOML file (a key of more than 100 parts)"),
    "deep value": (GROUP + WORKLOAD + POLICY + "seed." + ".".join(["a"] * 90) + " = 1\n", "policy.0: unknown field 'seed'"),
    "control characters of a setting": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + '[policy.settings]\n"a\\u001b[2J" = 1\n', "settings.'a\\x1b[2J': unknown setting of 'routed'"),
    "control characters in a setting": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "routed") + '[policy.settings]\nbatcher = {"a\\n" = 2020-01-01}\n', "settings.batcher.'a\\n' = datetime.date(2020, 1, 1)"),
    "control characters of a batcher's setting": (GROUP + WORKLOAD + POLICY + '[policy.settings]\n"a\\n" = 1\n', "settings.'a\\n': a batcher with a router has no settings"),
    "admission without objectives": (GROUP + WORKLOAD + POLICY.replace("vllm-v1", "slo-admission"), "policy.0 (slo-admission): slo-admission: no class of the requests has an SLO"),
    "admitting router without objectives": (GROUP + WORKLOAD + POLICY + 'router = "slo-admission"\n', "policy.0 (vllm-v1+slo-admission): slo-admission: no class of the requests has an SLO"),
    "group tier without tiers": (GROUP + 'tier = "b"\n' + WORKLOAD + POLICY, "group.0.tier = 'b': must be the name of a [[tier]] (there is no [[tier]])"),
    "goodput of nothing": (GROUP + WORKLOAD + POLICY + "[goodput]\n", "goodput: needs a [[tier]]"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_named(case, tmp_path):
    """Claim: the error is one line that names the field and says what is allowed."""
    text, expected = BAD[case]
    with pytest.raises(InputError) as caught:
        built(text, tmp_path)
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message


def test_files_that_are_too_large_or_missing(tmp_path):
    """Claim: nothing is read beyond the limit, and a missing file is named."""
    large = tmp_path / "large.toml"
    large.write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="more than 1,000,000 bytes, the most that a specification may have"):
        read_spec(large)
    with pytest.raises(InputError, match=r"none\.toml: cannot be read as a specification"):
        read_spec(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_spec(binary)


def test_devices_and_pipes_are_not_read(tmp_path):
    """Claim: what may never end is refused at once: devices, pipes, folders, also behind a link."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(InputError, match=rf"{name}\.toml: cannot be read as a specification \(not a plain file\)"):
            read_spec(tmp_path / f"{name}.toml")
        text = (GROUP + WORKLOAD + POLICY).replace('"reference"\n', f'"{name}.toml"\n', 1)
        with pytest.raises(InputError, match=r"cannot be read as a hardware file \(not a plain file\)"):
            built(text, tmp_path)


def test_the_number_of_paths_has_a_limit(tmp_path):
    """Claim: replications given outside the specification have the limit of those within."""
    for count in (0, 100_001):
        with pytest.raises(InputError, match=f"replications = {count}: must be a whole number from 1 to 100000"):
            built(GROUP + WORKLOAD + POLICY, tmp_path, replications=count)


@pytest.mark.parametrize("name", ready_names())
def test_ready_specifications_build(name):
    """Claim: every specification that is shipped can be built, and says what it is."""
    found = fleet_experiment(ready_spec(name), name, SPECS)
    assert found.judged
    assert found.description


@pytest.mark.parametrize("name", ready_names())
def test_ready_specifications_run_and_are_reported(name):
    """Claim: cut short, every specification that is shipped runs, and its document is strict JSON."""
    spec = ready_spec(name)
    short = spec.model_copy(update={"workload": spec.workload.model_copy(update={"requests": 200})})
    summary = summarise(run_fleet(fleet_experiment(short, name, SPECS, replications=1, workers=1)))
    found = json.loads(json.dumps(document(summary), allow_nan=False))
    assert [row["policy"] for row in found["policies"]] == [one.label for one in summary.experiment.contenders]


class Order(StrEnum):
    MOST = "most-loaded"
    LEAST = "least-loaded"


@dataclass(frozen=True, slots=True)
class Settings:
    share: float = 0.5
    order: Order = Order.MOST
    promotion: Literal["none", "lazy"] = "lazy"
    horizon: tuple[float, ...] = (0.0, 1.0)
    scaling: bool = True
    period_s: float | None = None

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise InputError(f"share = {self.share}: must be from 0 to 1")


SYSTEM = System("mine", "a system", Settings, lambda workload, fleet, settings: None)


def test_settings_become_the_system_s_own_types():
    """Claim: whole numbers are taken for floats, lists for tuples, names for enumerations and literals."""
    given = {"share": 1, "order": "least-loaded", "promotion": "none", "horizon": [0, 2.5], "scaling": False}
    assert built_settings(SYSTEM, given) == Settings(1.0, Order.LEAST, "none", (0.0, 2.5), False)
    assert built_settings(SYSTEM, {}) == Settings()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"share": 2}, "share = 2.0: must be from 0 to 1"),
        ({"share": "1"}, "settings.share = '1': input should be a valid number"),
        ({"order": "most"}, "settings.order = 'most': input should be 'most-loaded' or 'least-loaded'"),
        ({"promotion": "eager"}, "settings.promotion = 'eager': input should be 'none' or 'lazy'"),
        ({"scaling": 1}, "settings.scaling = 1: input should be a valid boolean"),
        ({"period_s": float("inf")}, "settings.period_s = inf: must be"),
        ({"nothing_like_it": 1}, "allowed: share, order, promotion"),
    ],
)
def test_settings_of_the_wrong_kind(given, expected):
    """Claim: the setting is named, with what is allowed."""
    with pytest.raises(InputError, match=re.escape(expected)):
        built_settings(SYSTEM, given)
