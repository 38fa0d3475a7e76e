"""``experiments.run(precision=...)`` is ``orsched run --precision``."""

import json

import pytest

import experiments
from experiments.cli.entry import main
from experiments.spec import ExperimentSpec, Precision
from orsched.errors import InputError

SPEC = """
workloads = ["azure-conv"]
fleets = ["llama2-7b/a100-80g"]
policies = ["vllm-v1", "sjf"]
loads = [0.5]
requests = 30
{more}
metrics = ["ttft_mean_s", "latency_p50_s"]
bounds = "none"
"""
OWN = "replications = 2"
TABLE = 'precision = {relative = 0.001, metric = "latency_p50_s", least = 5, most = 9}'


@pytest.mark.parametrize(("more", "metric"), [(OWN, "ttft_mean_s"), (TABLE, "latency_p50_s")])
def test_the_call_does_what_the_command_does(tmp_path, capsys, more, metric):
    """Claim: same specification, tasks and bytes, and the same verdict; the own metric and limits stay."""
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(more=more))
    code = main(["run", str(spec), "--out", str(tmp_path / "a"), "--precision", "0.4", "--workers", "1", "--json"])
    said = json.loads(capsys.readouterr().out)
    findings = experiments.run(spec, tmp_path / "b", precision=0.4, workers=1)
    for name in ("experiment.toml", "plan.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert findings.frame().to_csv() == experiments.open_results(tmp_path / "a").frame().to_csv()
    assert (findings.spec.precision.metric, findings.spec.precision.relative) == (metric, 0.4)
    precise = findings.precise
    assert said["precision"] == {
        name: list(getattr(precise, name)) if name == "lacking" else getattr(precise, name)
        for name in said["precision"]
    }
    assert code == int(not precise.reached)


@pytest.mark.parametrize("wanted", [0.0, -1.0, 1.0, 2.5, float("nan")])
def test_what_is_no_share_is_refused_alike(tmp_path, capsys, wanted):
    """Claim: the error is that of the command, and nothing is written."""
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(more=OWN))
    assert main(["run", str(spec), "--out", str(tmp_path / "a"), f"--precision={wanted}"]) == 2
    said = capsys.readouterr().err
    with pytest.raises(InputError) as caught:
        experiments.run(spec, tmp_path / "b", precision=wanted)
    assert said.split() == ["error:", *str(caught.value).split()]
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def test_a_whole_precision_takes_the_place_of_the_own_one(tmp_path):
    """Claim: a value says everything; a run that does not reach it says so in Python too; none asks for nothing."""
    spec = ExperimentSpec(
        workloads=["azure-conv"], fleets=["llama2-7b/a100-80g"], policies=["sjf"], loads=[0.5], requests=20,
        bounds="none", metrics=["ttft_mean_s", "latency_mean_s"], precision=Precision(relative=0.5, least=2, most=3),
    )  # fmt: skip
    wanted = Precision(relative=0.001, metric="ttft_mean_s", least=2, most=4)
    findings = experiments.run(spec, tmp_path / "a", precision=wanted, workers=1)
    assert findings.spec.precision == wanted
    assert (findings.precise.reached, findings.precise.replications) == (False, 4)
    assert findings.precise.widest > 0.001
    plain = spec.model_copy(update={"precision": None, "replications": 2})
    assert experiments.run(plain, tmp_path / "b", workers=1).precise is None
