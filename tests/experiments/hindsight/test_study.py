"""The hindsight study: its instances, its summary, and the command without the app around it."""

import json

import numpy as np
import pytest
import typer

from experiments.cli.hindsight import hindsight
from experiments.hindsight import LAWS, Row, Study, get_law, study
from experiments.hindsight.table import to_rich
from orsched.errors import InputError


@pytest.mark.parametrize("name", sorted(LAWS))
def test_instances_follow_the_published_law(name):
    """M on 30..50, s on 1..5, o on 1..M-s; 40..60 requests at round 0, or Poisson over 40..60 rounds; seeded."""
    law = get_law(name)
    drawn = [law.instance(3, k) for k in range(150)]
    memory = np.array([i.memory_tokens for i in drawn])
    assert memory.min() == 30
    assert memory.max() == 50
    for instance in drawn:
        assert set(instance.prompt_tokens.tolist()) <= set(range(1, 6))
        assert (instance.prompt_tokens + instance.output_tokens <= instance.memory_tokens).all()
    sizes = np.array([len(i) for i in drawn])
    latest = max(int(i.arrival_rounds.max()) for i in drawn)
    if name == "burst":
        assert (sizes.min(), sizes.max(), latest) == (40, 60, 0)
    else:
        assert abs(sizes.mean() - 50) < 5  # mean rate 1 over a mean of 50 rounds
        assert 50 <= latest < 60
    again = law.instance(3, 0)
    assert again.output_tokens.tolist() == drawn[0].output_tokens.tolist()
    assert law.instance(4, 0).output_tokens.tolist() != drawn[0].output_tokens.tolist()


def test_unusable_settings_are_refused():
    """An unknown law and a count of zero say so."""
    with pytest.raises(InputError, match="unknown law 'brust': did you mean 'burst'"):
        get_law("brust")
    with pytest.raises(InputError, match="instances = 0"):
        study(get_law("burst"), 0)


def row(index, mc_sf, incumbent, bound):
    return Row(index, 40, 30, mc_sf, incumbent, bound, "lagrangian", "stopped", 1.0, 1.0)


def test_only_closed_instances_speak_of_the_optimum():
    """Ratios to the incumbent and to the bound enclose the truth; the optimum is named only for gaps <= 1%."""
    found = Study(get_law("burst"), "portfolio", 0, 1.0, (row(0, 110, 100, 100), row(1, 120, 100, 80)))
    summary = found.to_json()
    assert summary["closed_share"] == 0.5
    assert summary["mc_sf_over_incumbent"]["mean"] == pytest.approx(1.15)
    assert summary["mc_sf_over_bound"]["max"] == pytest.approx(1.5)
    assert summary["mc_sf_over_optimum_where_closed"]["max"] == pytest.approx(1.1)
    assert summary["mc_sf_beaten"] == 2
    none = Study(get_law("burst"), "portfolio", 0, 1.0, (row(1, 120, 100, 80),))
    assert none.to_json()["mc_sf_over_optimum_where_closed"] is None
    assert len(to_rich(none).renderables) == 4


def test_the_command_prints_one_object(capsys):
    """--json: settings, published values beside ours, one row per instance."""
    app = typer.Typer()
    app.command()(hindsight)
    options = ["--law", "burst", "--instances", "1", "--time-limit", "1", "--json"]
    with pytest.raises(SystemExit, match="0"):
        app(options)
    printed = json.loads(capsys.readouterr().out)
    assert printed["published"]["mean"] == 1.005
    (only,) = printed["rows"]
    assert only["bound"] <= only["incumbent"] <= only["mc_sf"]
