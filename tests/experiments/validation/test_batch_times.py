"""Measured batch times: the table, the batches they stand for, and the errors that are told."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.cli import main
from experiments.validation.batch_times import validate_batch_times
from experiments.validation.batch_times_hinged import hinged_left_out
from experiments.validation.batch_times_table import batch_times, batches
from orsched.service import Batch, Hinged


@pytest.fixture(scope="module")
def validated():
    return validate_batch_times()


def test_every_cell_is_there_once_with_positive_times():
    """Claim: 112 distinct cells of splitwise and 3,624 of MuxServe, each once, all times positive."""
    points = batch_times()
    assert points["source"].value_counts().to_dict() == {"muxserve": 3624, "splitwise": 112}
    assert (points[["prompt_s", "token_s"]] > 0).all().all()
    assert points.notna().all().all()
    assert (
        points[points["source"] == "muxserve"]
        .duplicated(["model", "tensor_parallel", "sm_percent", "batch_size", "input_tokens"])
        .sum()
        == 0
    )


def test_a_cell_is_a_prompt_batch_and_a_decode_batch():
    """Claim: 4 prompts of 512 are 2,048 tokens with attention 4 x 512^2 / 2; their decodes read the mean context."""
    point = pd.DataFrame({"batch_size": [4], "input_tokens": [512], "kv_tokens": [4 * 576.0]})
    assert list(batches(point)) == [(Batch(2048, 4 * 512**2 / 2), Batch(num_seqs=4, kv_tokens=2304))]


def test_the_hinged_form_finds_a_planted_model():
    """Claim: times made by a hinged model are predicted to 1% at batch sizes left out of the fit."""
    planted = Hinged(0.01, 3e-5, 4e-5, 1e-7, 256.0, 4e-5, 2e-9)
    sizes, lengths = np.meshgrid([1, 2, 4, 8, 16, 32], [64, 128, 256, 512, 1024])
    cells = pd.DataFrame({"batch_size": sizes.ravel(), "input_tokens": lengths.ravel()})
    cells = cells.assign(source="s", gpu="g", model="m", tensor_parallel=1)
    cells["kv_tokens"] = cells["batch_size"] * cells["input_tokens"]
    times = [tuple(map(planted.iteration_s, pair)) for pair in batches(cells)]
    cells[["prompt_s", "token_s"]] = times
    found = hinged_left_out(cells)
    inner = found[found["batch_size"].between(2, 16)]
    for name in ("prompt", "token"):
        assert inner[f"{name}_predicted_s"].to_numpy() == pytest.approx(inner[f"{name}_s"].to_numpy(), rel=0.01)


def test_a_fit_to_other_batch_sizes_beats_rooflines(validated):
    """Claim: overall errors order as they should: hinged fit of the system itself, then the data-sheet roofline."""
    overall = validated.errors[validated.errors["grouped_by"] == "all"].set_index(["predictor", "quantity"])["mape"]
    for name in ("prompt", "token"):
        assert overall["hinged, held-out batch size", name] < 0.1 < overall["datasheet", name]


def test_rooflines_are_below_what_was_measured(validated):
    """Claim: the data-sheet roofline is a lower bound in spirit: too short at the median of every model."""
    errors = validated.errors
    models = errors[(errors["predictor"] == "datasheet") & (errors["grouped_by"] == "model")]
    assert len(models) == 10
    assert (models["median_error"] < 0).all()


@pytest.mark.slow
def test_the_command_prints_what_the_function_finds(validated, tmp_path, capsys):
    """Claim: ``--json`` has the errors of the validation, and the tables are written."""
    assert main(["validate", "batch-times", "--json", "--out", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["points"] == len(validated.points)
    assert len(document["errors"]) == len(validated.errors)
    assert len(pd.read_csv(tmp_path / "points.csv")) == len(validated.points)
