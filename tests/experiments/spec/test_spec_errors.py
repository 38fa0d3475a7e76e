"""What is said about specifications that cannot be used."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from experiments.spec import ExperimentSpec, parsed_spec, read_spec, ready_spec
from experiments.spec.reading import MOST_BYTES
from orsched.errors import InputError, UnknownNameError

GOOD = {"workloads": '["reference"]', "fleets": '["reference"]', "policies": '["vllm-v1"]', "loads": "[0.5]"}


def text(**changes):
    """Return a good specification with some lines changed, None to leave one out."""
    lines = {**GOOD, **changes}
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)


def on(workload):
    """Return a specification of one workload table."""
    return text(workloads=f"[{{{workload}}}]")


def at(fleet):
    """Return a specification of one fleet table."""
    return text(fleets=f"[{{{fleet}}}]")


def groups(*tables, more=""):
    """Return a specification of a fleet of groups, at a rate."""
    return text(
        fleets=f"[{{groups=[{', '.join(f'{{{table}}}' for table in tables)}]{more}}}]", loads=None, rates_per_s="[1]"
    )


def decides(policy, **changes):
    """Return a specification of one policy table."""
    return text(policies=f"[{{{policy}}}]", **changes)


ROUTED, BOTH, BOTH_REVERSED = '"routed"', 'batcher="sjf", router="jsq"', 'router="jsq", batcher="sjf"'
REF, A100 = 'hardware="reference"', 'hardware="llama2-7b/a100-80g"'

TIER = '{name="a", ttft_s=1.0, tpot_s=0.1, share=0.5}'
OTHER = TIER.replace('"a"', '"b"')

BAD = {
    "shares that are no whole": (
        on(f'name="reference", tiers=[{TIER}]'),
        "workloads.0: tiers.share: .* 0.5, must be 1",
    ),
    "tier without its share": (
        on(f'name="reference", tiers=[{TIER}, {{name="b", ttft_s=1.0, tpot_s=0.1}}]'),
        "workloads.0: tiers.1.share: missing; each of several tiers needs one$",
    ),
    "tier twice": (on(f'name="reference", tiers=[{TIER}, {TIER}]'), "workloads.0: tiers.1.name = 'a': given twice"),
    "tier without an objective": (
        on('name="reference", tiers=[{name="a", ttft_s=1}]'),
        "workloads.0.tiers.0.tpot_s: field",
    ),
    "no tier": (on('name="reference", tiers=[]'), "workloads.0.tiers: must have 1 to"),
    "tiers and an objective": (
        text(workloads=f'[{{name="reference", tiers=[{TIER}, {OTHER}]}}]', slo="{ttft_s=1, tpot_s=1}"),
        "slo: goes not with tiers of every workload",
    ),
    "some without an objective": (
        text(workloads=f'["p512d20", {{name="reference", tiers=[{TIER}, {OTHER}]}}]', metrics='["slo_attainment"]'),
        r"metrics.0 = 'slo_attainment': needs \[slo\], or tiers of every workload",
    ),
    "tier of a group that is none": (
        text(
            workloads=f'[{{name="reference", tiers=[{TIER}, {OTHER}]}}]',
            fleets=f'[{{groups=[{{{REF}, tier="A"}}, {{{REF}}}]}}]',
        ),
        "fleets.0.groups.0.tier: unknown tier 'A'",
    ),
    "neither hardware nor groups": (at("kv_memory=2.0"), "fleets.0: give hardware or groups"),
    "hardware and groups": (at(f"{REF}, groups=[{{{REF}}}]"), "fleets.0: hardware goes not with groups"),
    "instances of groups": (groups(REF, more=", instances=2"), "fleets.0: instances goes with hardware, .* its size"),
    "router of groups": (
        groups(REF, more=', router="jsq"'),
        "fleets.0: router goes with hardware, .*policies their own",
    ),
    "migration without groups": (at(f"{REF}, migration={{stages=1}}"), "fleets.0: migration goes with groups"),
    "no group": (at("groups=[]"), "fleets.0.groups: must have 1 to 1,000 entries, has 0"),
    "unknown field of a group": (groups(f"{REF}, roel='decode'"), "fleets.0.groups.0: unknown field 'roel': .*role"),
    "unknown role": (groups(f'{REF}, role="decoder"'), "fleets.0.groups.0.role = 'decoder': .*'decode'"),
    "unknown hardware of a group": (
        groups(REF, 'hardware="refrence"'),
        "fleets.0: groups.1.hardware: unknown hardware .*did you mean 'reference'",
    ),
    "missing file of a group": (
        groups(REF, 'hardware="x.toml"'),
        "fleets.0: groups.1.hardware = .*x.toml': there is no",
    ),
    "more off than there are": (groups(f"{REF}, off=2"), "fleets.0: groups.0.off = 2: must be at most its size, 1"),
    "two models with roles": (
        groups('hardware="llama3-70b/h100-sxm-tp4", role="prefill"', 'hardware="phi-2/a100-80g", role="decode"'),
        r"fleets.0: groups.0 \(llama3-70b/.*\) and groups.1 \(phi-2/.*\) run different models, and roles hand",
    ),
    "two models with migrations": (
        groups(A100, 'hardware="llama3-8b/a100-80g"', more=", migration={stages=1}"),
        r"fleets.0: groups.0 .* and groups.1 .* run different models, and \[migration\] moves",
    ),
    "link of unknown KV tokens": (
        groups(f'{REF}, role="prefill"', f'{REF}, role="decode", link={{bandwidth_gb_per_s=1}}'),
        "fleets.0: groups.1.link: a finite bandwidth needs the bytes of a KV token",
    ),
    "predictor of a system that uses no lengths": (
        text(policies='["llumnix"]', predictors='["noise:0.5"]'),
        "predictors.0: 'noise:0.5' changes nothing",
    ),
    "missing file in capitals": (at('hardware="g.TOML"'), "fleets.0: hardware = '/nowhere/g.TOML': there is no such"),
    "nobody decodes": (groups(f'{REF}, role="prefill"'), "fleets.0: groups: every group prefills only"),
    "nobody takes requests": (groups(f'{REF}, role="decode"'), "fleets.0: groups: .*every group decodes only"),
    "no bandwidth": (
        groups(f"{REF}, link={{bandwidth_gb_per_s=0}}"),
        "fleets.0.groups.0.link.bandwidth_gb_per_s = 0: .*greater than 0",
    ),
    "unknown field of migrations": (
        groups(REF, more=", migration={steps=2}"),
        "fleets.0.migration: .*'steps': .*stages",
    ),
    "load of mixed hardware": (
        text(fleets=f"[{{groups=[{{{REF}}}, {{{A100}}}]}}]"),
        r"fleets.0: mixes hardware \(reference, llama2-7b/a100-80g\), .*: give rates_per_s",
    ),
    "scale of mixed hardware": (
        text(fleets=f"[{{groups=[{{{REF}}}, {{{A100}}}]}}]", loads=None, scales="[1]", load="0.5"),
        "fleets.0: mixes hardware .*: give rates_per_s",
    ),
    "misspelt system": (
        text(policies='["lumnix"]'),
        "policies.0.name: unknown policy 'lumnix': did you mean 'llumnix'",
    ),
    "unknown setting": (
        decides('name="routed", settings={bacher="sjf"}'),
        "policies.0: settings.bacher: unknown setting of 'routed'; did you mean batcher",
    ),
    "wrong setting": (decides('name="routed", settings={batcher=3}'), "policies.0: settings.batcher = 3"),
    "unknown part of a system": (
        decides('name="routed", settings={batcher="vlm-v1"}'),
        "policies.0: settings: unknown policy 'vlm-v1': did you mean",
    ),
    "settings of a batcher": (decides('name="sjf", settings={x=1}'), "policies.0: settings.x: a batcher .*no settings"),
    "date for a setting": (
        decides('name="routed", settings={batcher=2020-01-01}'),
        "policies.0: settings.batcher = .*2020",
    ),
    "router of a system": (decides('name="llumnix", router="jsq"'), "policies.0: router = 'jsq': goes with a batcher"),
    "unknown router of a policy": (
        decides('name="sjf", router="jqs"'),
        "policies.0: router: unknown router 'jqs': did you mean",
    ),
    "router of a fleet for a system": (
        decides('name="llumnix"', fleets=f'[{{{REF}, instances=2, router="jsq"}}]'),
        r"fleets.0.router = 'jsq': policies.0 \(llumnix\) is a fleet system, which routes itself",
    ),
    "system twice, settings in another order": (
        text(policies=f"[{', '.join(f'{{name={ROUTED}, settings={{{given}}}}}' for given in (BOTH, BOTH_REVERSED))}]"),
        "policies.1 = .*given twice; set a label",
    ),
    "unknown field": (text(polices='["a"]'), "unknown field 'polices': did you mean policies"),
    "unknown field of an entry": (on('name="reference", arival="poisson"'), "workloads.0: .*'arival': .*arrivals"),
    "nothing to serve": (text(workloads=None), "workloads: field required"),
    "empty list": (text(policies="[]"), "policies: must have 1 to 1,000 entries, has 0"),
    "no list": (text(policies='"vllm-v1"'), "policies = 'vllm-v1': must be a list"),
    "list too long": (text(loads=str([1 + k / 2048 for k in range(1001)])), "loads: must have 1 to 1,000 entries"),
    "number for an entry": (text(workloads="[3]"), "workloads.0 = 3: must be a name or a table"),
    "unknown workload": (text(workloads='["referense"]'), "workloads.0.name: .*did you mean 'reference'"),
    "missing file": (text(workloads='["nowhere.csv"]'), "workloads.0.name: .*nowhere.csv: there is no such file"),
    "workload twice": (text(workloads='["reference", "reference"]'), "workloads.1 = 'reference': .*set a label"),
    "unknown arrivals": (on('name="reference", arrivals="uniform"'), "workloads.0.arrivals = 'uniform': .*'gamma'"),
    "cv without gamma": (on('name="reference", cv=2.0'), "workloads.0: cv goes with arrivals = 'gamma'"),
    "gamma without cv": (on('name="reference", arrivals="gamma"'), "workloads.0: cv goes with"),
    "negative cv": (on('name="reference", arrivals="gamma", cv=-1'), "workloads.0.cv = -1: .*greater than or equal"),
    "unknown hardware": (text(fleets='["refrence"]'), "fleets.0: hardware: unknown .*did you mean 'reference'"),
    "missing hardware file": (text(fleets='["x.toml"]'), "fleets.0: hardware = .*x.toml': there is no such file"),
    "no instance": (at('hardware="reference", instances=0'), "fleets.0.instances = 0"),
    "no memory": (at('hardware="reference", kv_memory=0'), "fleets.0.kv_memory = 0"),
    "unknown router": (at('hardware="reference", router="jqs"'), "fleets.0: unknown router 'jqs': did you mean 'jsq'"),
    "unknown policy": (text(policies='["vllm-v3"]'), "policies.0.name: unknown policy 'vllm-v3': did you mean"),
    "label twice": (text(policies='["vllm-v1", {name="sjf", label="vllm-v1"}]'), "policies.1 = 'vllm-v1': given twice"),
    "no axis": (text(loads=None), "loads: missing; give one of loads, rates_per_s, scales"),
    "two axes": (text(rates_per_s="[1.0]"), "rates_per_s: goes not with loads"),
    "load without scales": (text(load="0.5"), "load = 0.5: goes with scales only"),
    "scales without load": (text(loads=None, scales="[1, 4]"), "load: missing"),
    "load twice": (text(loads="[0.5, 0.5]"), "loads.1 = 0.5: given twice"),
    "loads that print alike": (text(loads="[0.5, 0.5000000001]"), "loads.1 = 0.5000000001: tables print it like 0.5"),
    "names that print alike": (
        text(policies='["sjf", {name="vllm-v1", label="sjf "}]'),
        "policies.1 = 'sjf ': tables print it like 'sjf'",
    ),
    "label that turns the line around": (
        text(policies='[{name="sjf", label="a\\u202eb"}]'),
        r"policies.0.label = .*control characters",
    ),
    "load 0": (text(loads="[0]"), "loads.0 = 0: .*greater than or equal to"),
    "word for a load": (text(loads='["a"]'), "loads.0 = 'a': .*valid number"),
    "no number": (text(loads="[nan]"), "loads.0 = nan: .*finite"),
    "one request": (text(requests="1"), "requests = 1"),
    "half a request": (text(requests="2.5"), "requests = 2.5: .*integer"),
    "no replication": (text(replications="0"), "replications = 0"),
    "negative seed": (text(seeds="[-1]"), "seeds.0 = -1"),
    "seed twice": (text(seeds="[0, 0]"), "seeds.1 = 0: given twice"),
    "unknown warm-up": (text(warm_up='"mser"'), "warm_up: .*did you mean 'mser-5'"),
    "unknown metric": (text(metrics='["latency_mean"]'), "metrics.0: .*did you mean 'latency_mean_s'"),
    "goodput without slo": (text(metrics='["slo_attainment"]'), r"metrics.0 = 'slo_attainment': needs \[slo\]"),
    "deadlines": (text(metrics='["deadline_attainment"]'), "metrics.0 = 'deadline_attainment': needs deadlines"),
    "half an slo": (text(slo="{ttft_s=1.0}"), "slo.tpot_s: field required"),
    "unknown bounds": (text(bounds='"quick"'), "bounds = 'quick': .*'fast'"),
    "precision and replications": (text(precision="{relative=0.02}", replications="5"), "replications: goes not with"),
    "least above most": (text(precision="{relative=0.02, least=20, most=10}"), "precision: least = 20 is more than"),
    "precision of what is not measured": (
        text(precision='{relative=0.02, metric="ttft_p50_s"}'),
        "precision.metric = 'ttft_p50_s': must be one of metrics",
    ),
    "perfect precision": (text(precision="{relative=0}"), "precision.relative = 0"),
    "unknown predictor": (text(predictors='["noize:1"]'), "predictors.0: .*did you mean 'noise'"),
    "predictor nobody asks": (text(predictors='["noise:1"]'), "predictors.0: 'noise:1' changes nothing"),
    "too many tasks": (
        text(replications="100000", loads=str([k / 8 for k in range(1, 9)])),
        "1,600,000 tasks: .* at most 1,000,000",
    ),
    "scale too small": (text(loads=None, load="0.5", scales="[0.0001]"), "scales.0 = 0.0001: scale x requests = 0.2"),
    "scale too large": (text(loads=None, load="0.5", scales="[1000000]"), r"scales.0 = 1e\+06: scale x requests"),
    "control characters": (text(description='"a\\nb"'), "description = .*control characters"),
    "no TOML": ("x = [", "not a TOML file"),
}


@pytest.mark.parametrize(("given", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(given, said):
    """Claim: every mistake is refused before anything runs, in one line that names file and field."""
    with pytest.raises(InputError) as error:
        parsed_spec(given, "spec.toml", Path("/nowhere"))
    message = str(error.value)
    assert message.startswith("spec.toml: ")
    assert re.search(said, message), message
    assert "\n" not in message
    assert "more)" not in message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (text(workloads='["mooncake-synthetic"]'), "workloads.0 on fleets.0: .*drop_oversized = true"),
        (at('hardware="reference", kv_memory=0.001'), "workloads.0 on fleets.0: .*KV tokens"),
        (
            text(
                workloads='["mooncake-conversation"]',
                fleets='[{groups=[{hardware="llama3-70b/h200-sxm-tp2", keeps_prefixes=true}]}]',
            ),
            "workloads.0 on fleets.0: no bound holds .*; set bounds = 'none'",
        ),
        (text(policies='["sjf"]', predictors='["noise:x"]'), "predictors.0: .*'x' is not a number"),
        (text(policies='["sjf"]', predictors='["noise"]'), "predictors.0: .*needs a number"),
    ],
)
def test_what_only_the_traces_tell(given, said):
    """Claim: requests that do not fit and parameters of predictors are refused before a run, naming the field."""
    spec = parsed_spec(given, "spec.toml", Path("/nowhere"))
    with pytest.raises(InputError, match=said):
        spec.require_runnable()


def test_files_that_are_no_specification(tmp_path):
    """Claim: missing, huge, binary and special files are refused in one line."""
    huge, binary = tmp_path / "huge.toml", tmp_path / "binary.toml"
    huge.write_text("#" * (MOST_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.toml", huge, binary, tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError) as error:
            read_spec(path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)


def test_unknown_ready_experiment():
    """Claim: a misspelt ready experiment is answered with the nearest."""
    with pytest.raises(UnknownNameError, match="did you mean 'demo'"):
        ready_spec("dmeo")


def test_mistakes_in_python_are_value_errors():
    """Claim: built in Python, a specification with a mistake raises a ValueError that names the field."""
    with pytest.raises(ValidationError, match="unknown field 'workload': did you mean workloads"):
        ExperimentSpec(workload=["reference"], fleets=["reference"], policies=["sjf"], loads=[0.5])
    assert issubclass(ValidationError, ValueError)
