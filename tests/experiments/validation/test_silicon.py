"""Measured serving points: the closed loop, what is predicted, and the errors that are told."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from closed_loop_simulation import simulate_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from experiments.cli import main
from experiments.validation.error_report import bound_lines, errors_json, errors_table
from experiments.validation.group_errors import group_errors
from experiments.validation.shares import Shares, fit_shares, leave_groups_out
from experiments.validation.silicon import Assumptions, validate_silicon
from experiments.validation.silicon_benchmark import benchmark
from experiments.validation.silicon_load import ClosedLoop
from experiments.validation.silicon_steady_state import steady_state
from experiments.validation.silicon_table import silicon_points, systems
from orsched.devices import chip, model_config
from orsched.errors import InputError
from orsched.service import Affine, Hinged
from orsched.service.roofline import Roofline

HINGED = Hinged(0.01, 3e-5, 4e-5, 1e-7, 200.0, 4e-5, 2e-9, 1e-7, 1e-7)


def llama70b_on_h200(gpus=4):
    model = replace(model_config("llama3-70b"), dtype_bytes=1.0, kv_dtype_bytes=1.0)
    return Roofline(chip("h200-sxm"), model, gpus, 0.6, 0.7, overhead_s=2e-3)


@given(
    st.integers(1, 6),
    st.integers(1, 200),
    st.integers(2, 30),
    st.integers(8, 300),
    st.integers(1, 4),
    st.sampled_from([0.5, 0.8, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_benchmark_is_exact(users, prompt, output, budget, waves, shortest):
    """Claim: skipping from event to event gives every request the TTFT and TPOT of a simulation token by token."""
    found = benchmark(ClosedLoop(users, prompt, output, budget), HINGED, waves, shortest, seed=3)
    draws = np.random.default_rng(3)
    lengths = []
    for mean, least in ((prompt, 1), (output, 2)):
        longest = 2 * mean / (1 + shortest)
        drawn = np.rint(draws.uniform(shortest * longest, longest, waves * users))
        lengths.append([max(least, int(length)) for length in drawn])
    ttft, tpot = simulate_tokens(HINGED, users, *lengths, budget)
    np.testing.assert_allclose(found.ttft_s, ttft, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.tpot_s, tpot, rtol=1e-9)


@pytest.mark.parametrize("users", [1, 4, 32, 128])
@pytest.mark.parametrize(("prompt", "output"), [(922, 922), (7373, 922), (922, 3000)])
def test_the_steady_state_is_near_the_simulation(users, prompt, output):
    """Claim: at loads like the measured ones the closed form is within 6% of simulated TPOT, 20% of median TTFT."""
    loop = ClosedLoop(users, prompt, output, 8192)
    form, found = steady_state(loop, llama70b_on_h200()), benchmark(loop, llama70b_on_h200(), 8, 0.8, seed=0)
    assert form.tpot_s == pytest.approx(found.tpot_s.mean(), rel=0.06)
    assert form.ttft_s == pytest.approx(np.median(found.ttft_s), rel=0.2)


def test_the_steady_state_when_prompts_are_the_bottleneck():
    """Claim: when the budget cannot take the prompts in time, Little's law holds between TTFT, TPOT and throughput."""
    loop = ClosedLoop(200, 900, 200, 512)
    form = steady_state(loop, HINGED)
    per_request_s = 1100 / 512 * form.tpot_s  # every iteration is full
    assert form.ttft_s + 199 * form.tpot_s == pytest.approx(200 * per_request_s, rel=0.02)


def test_one_user_decodes_alone():
    """Claim: with one user TPOT is the decode iteration of one request, TTFT its prompt's iteration."""
    service = Affine(0.01, 1e-4, 1e-3, 1e-6)
    form = steady_state(ClosedLoop(1, 100, 1001, 8192), service)
    assert form.tpot_s == pytest.approx(0.01 + 1e-3 + 1e-6 * 600, rel=0.02)
    found = benchmark(ClosedLoop(1, 100, 11, 8192), service, 3, 1.0, seed=0)
    assert found.ttft_s == pytest.approx([0.01 + 1e-4 * 100] * 3)


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ((0, 10, 10, 100), "users"),
        ((1, 0, 10, 100), "prompt_tokens"),
        ((1, 9, 1, 100), "output"),
        ((9, 9, 9, 9), "budget"),
    ],
)
def test_impossible_loads_are_refused(load, said):
    """Claim: a load without users, prompt, second token or room for a prompt is refused by name."""
    with pytest.raises(InputError, match=said):
        ClosedLoop(*load)


def test_planted_shares_are_found_in_the_other_groups():
    """Claim: times made with known shares and overhead give them back, whichever group is left out."""
    planted = Shares(0.43, 0.61, 2.5e-3)
    loops = [ClosedLoop(n, p, 900, 8192) for n in (1, 4, 16, 64) for p in (900, 7000)]

    def predict(shares, chosen):
        model = replace(model_config("llama3-8b"), kv_dtype_bytes=1.0)
        service = Roofline(chip("h200-sxm"), model, 1, shares.compute, shares.memory, overhead_s=shares.overhead_s)
        return np.array([steady_state(loop, service).tpot_s for loop, keep in zip(loops, chosen, strict=True) if keep])

    everything = np.ones(len(loops), bool)
    measured = predict(planted, everything)
    assert fit_shares(predict, measured, everything) == pytest.approx(planted, rel=1e-3)
    for found in leave_groups_out(predict, measured, np.array(["a", "a", "b", "b"] * 2)).values():
        assert found == pytest.approx(planted, rel=1e-2)
    with pytest.raises(InputError, match="at least two"):
        leave_groups_out(predict, measured, np.array(["a"] * 8))


def test_shares_at_their_bounds_are_told():
    """Claim: a fit to times shorter than any share allows ends at the peak, and says so in JSON and in a line."""
    assert Shares(0.5, 0.7, 1e-3).at_bound == ()
    assert Shares(0.995, 0.02, 1e-6).at_bound == ("compute", "memory", "overhead_s")
    shares = {"gpu": {"x": Shares(0.5, 1.0, 1e-3), "y": Shares(0.5, 0.9, 1e-3)}}
    assert bound_lines(shares) == ("at a bound of the fit, no achieved share: memory 1 without gpu x",)
    found = errors_json(pd.DataFrame(), shares)["fitted_to_the_others"]["gpu"]
    assert (found["x"]["at_bound"], found["y"]["at_bound"]) == (["memory"], [])

    def predict(shares, chosen):
        return np.full(chosen.sum(), 1e-3 / shares.memory + shares.overhead_s)

    every = np.ones(4, bool)
    assert "memory" in fit_shares(predict, np.full(4, 1e-4), every).at_bound


def test_the_table_fits_a_terminal():
    """Claim: at 80 columns no line is wrapped and every group and number can be read."""
    points = pd.DataFrame({"tensor_parallel": [16, 2], "a_long_column": ["deepseek-v3", "llama3-70b"]})
    for name in ("prompt", "token"):
        points = points.assign(**{f"{name}_s": 1.0, f"{name}_predicted_s": [9.5, 0.4]})
    errors = group_errors(points, list(points.columns[:2]), ("prompt", "token"))
    errors = pd.concat([errors.assign(predictor=name) for name in ("datasheet", "hinged, held-out batch size")])
    console = Console(width=80, file=io.StringIO())
    console.print(errors_table(errors))
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2 + 2 * (1 + 5)
    assert sum("…" in line for line in lines) == 0
    assert sum("a long column deepseek-v3" in line and "850.0%" in line for line in lines) == 2


@pytest.mark.parametrize("command", ["silicon", "batch-times"])
def test_a_file_in_place_of_the_folder_is_refused_at_once(command, tmp_path, capsys):
    """Claim: exit 2 and one line before any point is predicted."""
    (tmp_path / "file").write_text("")
    assert main(["validate", command, "--out", str(tmp_path / "file")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "is a file, not a folder" in err


def test_errors_by_group_are_those_of_a_small_table():
    """Claim: MAPE, signed median and counts are those worked out by hand; a missing time is not counted."""
    points = pd.DataFrame({"g": ["x", "x", "y"], "t_s": [1.0, 2.0, np.nan], "t_predicted_s": [1.1, 1.6, 5.0]})
    errors = group_errors(points, ["g"], ["t"]).set_index("group")
    assert list(errors.index) == ["all points", "x"]
    assert errors.loc["x", "points"] == 2
    assert errors.loc["x", "mape"] == pytest.approx(0.15)
    assert errors.loc["x", "median_error"] == pytest.approx(-0.05)


def test_every_point_is_predicted_or_left_out_for_a_reason():
    """Claim: all 2,201 bundled points are accounted for, each measurement once, and no left-out point has a system."""
    points = silicon_points()
    found = systems(points, kv_bytes=1.0)
    assert len(found) == len(points) == 2201
    assert not points.duplicated().any()
    assert ((found["left_out"] == "") == found["system"].notna()).all()
    assert (found["left_out"] == "").sum() >= 697


def test_what_fits_in_memory_depends_on_the_cache():
    """Claim: with two bytes a cached number more points exceed the memory than with one."""
    counts = [systems(silicon_points(), kv)["left_out"].value_counts() for kv in (1.0, 2.0)]
    assert counts[1]["weights and KV cache exceed the memory"] > counts[0]["weights and KV cache exceed the memory"]


def test_fitted_elsewhere_beats_the_data_sheet_at_tpot():
    """Claim: on dense Llama points, shares fitted to the other GPU, or model, halve the data sheet's TPOT error."""
    table = silicon_points()
    dense = table[table["model"].str.contains("Llama-3.1") & (table["concurrency"] <= 32)]
    found = validate_silicon(Assumptions(), dense)
    errors = found.errors[(found.errors["quantity"] == "tpot") & (found.errors["grouped_by"] == "all")]
    mape = errors.set_index("predictor")["mape"]
    assert mape["held-out gpu"] < mape["datasheet"] / 2
    assert found.points["tpot_predicted_s"].gt(0).all()


@pytest.mark.slow
def test_the_command_accounts_for_all_points(tmp_path, capsys):
    """Claim: the command prints one JSON object, and writes both tables."""
    assert main(["validate", "silicon", "--json", "--out", str(tmp_path / "out")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["points"] + sum(document["left_out"].values()) == 2201
    assert len(pd.read_csv(tmp_path / "out" / "points.csv")) == document["points"]
    assert {row["predictor"] for row in document["errors"]} >= {"datasheet", "held-out gpu", "held-out family"}
