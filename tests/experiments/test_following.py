"""``orsched trajectory``: the fluid path over a simulated sample path, in numbers and as a figure."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli import main
from experiments.comparison.experiment import Experiment
from experiments.paths.sample_path import sample_path
from experiments.render.trajectory import ENDINGS, write_trajectory
from experiments.trajectory.arrivals import at_rates, own_arrivals
from experiments.trajectory.following import following
from fluid.trajectory import RateProfile
from orsched.catalogue import hardware
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.workloads.catalogue import workload_source
from policies import build, get_router

REFERENCE = ["--workload", "reference", "--hardware", "reference"]
RATES = ["--rates", "0:4,20:9,30:1", "--duration", "40"]


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run ``orsched trajectory --json`` in this process and return its object."""
    assert main(["trajectory", *REFERENCE, *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def spec(**changes: Any) -> Experiment:
    fleet = Fleet.identical(hardware("reference"))
    settings = {"workload": "reference", "policies": ("vllm-v1",), "loads": (0.6,), "requests": 300, "replications": 1}
    return Experiment(**{"fleet": fleet, **settings, **changes})


def test_watching_does_not_change_the_run():
    """The run is that of `simulate`; memory is 0 at the start, within C, and that of the requests on average."""
    fleet = Fleet.identical(hardware("reference"), 2)
    work = workload_source("reference").draw(400, np.random.default_rng(0)).at_load(0.9, fleet)
    policy = build("vllm-v1", work, fleet).routed_by(get_router("jsq"))
    plain, watched = simulate(work, fleet, policy, 3), sample_path(work, fleet, policy, 3)
    assert watched.run.completion_s == pytest.approx(plain.completion_s, rel=1e-9)
    times = np.linspace(0.0, watched.end_s, 20_000)
    tokens = watched.kv_tokens_at(times)
    assert tokens[0] == 0
    assert tokens.max() <= 2 * fleet.hardware.kv_capacity_tokens
    assert tokens.mean() == pytest.approx(plain.kv_token_s.sum() / watched.end_s, rel=0.02)
    assert watched.in_system_at(np.array([-1.0, watched.end_s])).tolist() == [0.0, 0.0]


def test_json_has_both_paths_on_one_time_axis(capsys: pytest.CaptureFixture[str]):
    """Every series has as many numbers as there are times; means are those of the series; keys are documented."""
    found = document(capsys, *RATES, "--period", "35")
    assert found["rates"]["starts_s"] == [0.0, 20.0, 30.0]
    assert (found["rates"]["period_s"], found["rates"]["end_s"]) == (35.0, 40.0)
    for path in ("fluid", "simulated"):
        assert set(found[path]) == {"in_system", "waiting", "kv_tokens"}
        for name, values in found[path].items():
            assert len(values) == len(found["times_s"])
            assert found["means"][path][name] == pytest.approx(np.mean(values))
            assert min(values) > -1e-6
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.partition("## `orsched trajectory`")[2].partition("\n## ")[0]
    keys = {*found, *found["rates"], *found["fluid"]}
    assert not {key for key in keys if f"`{key}`" not in section}


def test_a_busy_period_of_a_large_fleet_is_close(capsys: pytest.CaptureFixture[str]):
    """Sixteen instances behind JSQ: mean number in system and memory within 10% of the fluid's."""
    found = document(capsys, "--rates", "0:70,15:150,25:30", "--duration", "40", "--instances", "16")
    for name in ("in_system", "kv_tokens"):
        assert found["means"]["fluid"][name] == pytest.approx(found["means"]["simulated"][name], rel=0.1)


def test_own_arrivals_follow_the_windows_of_the_path():
    """Without --rates: the path of evaluate at that seed and load, and its own counts as the rate."""
    experiment = spec(workload="azure-conv", fleet=Fleet.identical(hardware("llama2-7b/a100-80g")))
    path, inflow = own_arrivals(experiment, 10.0)
    assert path.load_on(experiment.fleet) == pytest.approx(0.6)
    assert inflow.profile.expected(1e9) == pytest.approx(len(path))
    found = following(experiment, path, inflow)
    assert found.fluid.completed[-1] == pytest.approx(len(path), rel=0.05)


def test_drawn_arrivals_have_the_rates():
    """Counts per step are Poisson with the step's mean; a last rate of 0 is allowed; another seed, another path."""
    profile = RateProfile((0.0, 50.0, 100.0), (40.0, 5.0, 0.0), end_s=200.0)
    path, inflow = at_rates(spec(), profile)
    assert inflow.profile == profile
    counts = np.histogram(path.arrival_s, [0, 50, 100, 200])[0]
    assert abs(counts[0] - 2000) < 5 * 2000**0.5
    assert abs(counts[1] - 250) < 5 * 250**0.5
    assert counts[2] == 0
    assert len(at_rates(spec(seed=1), profile)[0]) != len(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_figures_are_written_and_equal_each_time(ending: str, tmp_path: Path):
    """PNG and SVG, in a new folder, the same bytes for the same paths."""
    path, inflow = own_arrivals(spec(requests=100), 5.0)
    found = following(spec(requests=100), path, inflow)
    first, second = tmp_path / f"new/one{ending}", tmp_path / f"new/two{ending}"
    write_trajectory(found, first)
    write_trajectory(found, second)
    assert len(first.read_bytes()) > 5_000
    assert first.read_bytes() == second.read_bytes()


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A table of means, the file named on standard error, and that the path is no bound."""
    figure = tmp_path / "path.svg"
    assert main(["trajectory", *REFERENCE, *RATES, "--policy", "sarathi", "--out", str(figure)]) == 0
    captured = capsys.readouterr()
    assert "requests in system" in captured.out
    assert "not a bound" in captured.out
    assert str(figure) in captured.err.replace("\n", "")
    text = figure.read_text(encoding="utf-8")
    assert text.startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "sjf"], "give vllm-v1 or sarathi"),
        (["--policy", "vlm-v1"], "did you mean 'vllm-v1'"),
        (["--rates", "0:1"], "--rates needs --duration"),
        (["--rates", "0:1", "--duration", "nan"], "--rates needs --duration"),
        (["--rates", "0:1,x", "--duration", "10"], "--rates 'x': must be a start and a rate"),
        (["--rates", "5:1", "--duration", "10"], "begin at 0"),
        (["--rates", "0:0", "--duration", "10"], "0 requests are expected"),
        (["--rates", "0:1e9", "--duration", "10"], "change the rates"),
        (["--rates", "0:5,8:1", "--duration", "10", "--period", "8"], "after the last start"),
        (["--rates", "0:5", "--duration", "10", "--load", "0.5"], "--load is for the workload's own arrivals"),
        (["--period", "5"], "--period goes with --rates"),
        (["--window", "0"], "window_s = 0.0"),
        (["--load", "0"], "load 0.0"),
        (["--out", "path.pdf"], "must end in one of .png, .svg"),
    ],
)
def test_bad_input(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Exit 2, one line that says what to do, nothing printed or written."""
    monkeypatch.chdir(tmp_path)
    assert main(["trajectory", *REFERENCE, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
