"""What another's code does stays its own: types, texts, prints, columns, and errors in a run."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import policies
from experiments import gap_table
from experiments.listing.names import LISTS
from orsched import Fleet, Information, hardware, simulate, workload
from orsched.errors import InputError, PlanError, PluginError, UnknownNameError
from policies.guarded import Guarded, apart
from policies.one_line import MOST_CHARACTERS
from policies.parts.token_budget import TokenBudget
from policies.plugins import announced, findings, recipe_of
from policies.recipe import MOST_DESCRIBED, Recipe
from policies.vllm_v1 import vllm_v1

MODULE = r"""
import numpy as np
from dataclasses import replace
from functools import partial

from orsched import Information, Policy
from orsched.engine.plan import IDLE
from orsched.prediction import Predictions
from policies.recipe import Recipe
from policies.sjf import sjf
from policies.vllm_v1 import vllm_v1

print("hello from the module")


def plain(name, workload, fleet):
    print("hello from the build")
    return replace(vllm_v1(), name=name)


def dividing(view):
    return 1 / 0


def leaving(view):
    raise SystemExit("so\nlong \x1b[31m" + 1000 * "x")


def lazy(view):
    return IDLE


def key(input_tokens, output_tokens):
    raise KeyError(input_tokens)


def scribble(workload):
    blocks = workload.prefix_blocks
    columns = [workload.arrival_s, workload.input_tokens, workload.output_tokens, workload.class_id]
    for column in columns + ([] if blocks is None else [blocks.ids, blocks.offsets]):
        column.setflags(write=True)
        column[:] = 1


def greedy(workload, fleet):
    scribble(workload)
    return replace(vllm_v1(), name="acme-greedy")


class Spoiling:
    name = "spoiling"

    def __call__(self, workload, rng):
        lengths = workload.output_tokens.copy()
        scribble(workload)
        return Predictions.of(lengths)


def foretold(workload, fleet):
    return replace(sjf().predicted_by(Spoiling()), name="acme-foretold")


class Escape(Exception):
    def __str__(self):
        raise ValueError("no text")


def escaping(workload, fleet):
    raise Escape


def untyped():
    return Recipe("acme-untyped", "x", "none", partial(plain, "acme-untyped"))


def coloured():
    return Recipe("acme-coloured", "\x1b[31mred", Information.NONE, partial(plain, "acme-coloured"))


GOOD = Recipe("acme-good", "as it should be", Information.NONE, partial(plain, "acme-good"))
GREEDY = Recipe("acme-greedy", "writes into the workload", Information.NONE, greedy)
FORETOLD = Recipe("acme-foretold", "its predictor writes into the workload", Information.PREDICTED, foretold)
ESCAPING = Recipe("acme-escaping", "raises what has no text", Information.NONE, escaping)
DIVIDING = Policy("acme-dividing", dividing)
LEAVING = Policy("acme-leaving", leaving)
LAZY = Policy("acme-lazy", lazy)
ORDERED = replace(vllm_v1(), name="acme-ordered", order=key)
"""
SOUND = ("good", "greedy", "foretold", "escaping", "dividing", "leaving", "lazy", "ordered")
ENTRIES = {f"acme-{name}": f"acme_guarded:{name.upper()}" for name in SOUND}
ENTRIES |= {f"acme-{name}": f"acme_guarded:{name}" for name in ("untyped", "coloured")}
UNUSABLE = ("all", "two words", "a,b")
ENTRIES |= {"acme-empty": ""} | dict.fromkeys(UNUSABLE, "acme_guarded:GOOD")

SINGLE = Fleet.single(hardware("reference"))
WORK = workload("reference").head(50).at_load(0.5, SINGLE)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Give a folder of packages whose plugins are importable in this process, too."""
    (tmp_path / "acme_guarded.py").write_text(MODULE)
    about = tmp_path / "acme_guarded-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-guarded\nVersion: 1.0\n")
    entries = "\n".join(f"{name} = {value}" for name, value in ENTRIES.items())
    (about / "entry_points.txt").write_text(f"[orsched.policies]\n{entries}\n")
    monkeypatch.syspath_prepend(tmp_path)
    announced.cache_clear()
    recipe_of.cache_clear()
    yield tmp_path
    announced.cache_clear()
    recipe_of.cache_clear()
    sys.modules.pop("acme_guarded", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": 3}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"description": None}, "description"),
        ({"description": "two\nlines"}, "description"),
        ({"description": "\x1b]0;title\x07"}, "description"),
        ({"description": (MOST_DESCRIBED + 1) * "x"}, "description"),
        ({"information": "none"}, "information"),
        ({"information": 0}, "information"),
        ({"build": None}, "build"),
    ],
)
def test_a_recipe_names_the_field_that_is_not_so(change, field):
    """Claim: each of the four fields has its type, and the texts can be shown; else an InputError names the field."""
    sound = {"name": "a", "description": "b", "information": Information.NONE, "build": lambda work, fleet: vllm_v1()}
    Recipe(**sound)
    with pytest.raises(InputError, match=rf"Recipe\.{field} = ") as caught:
        Recipe(**(sound | change))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.usefixtures("site")
def test_one_bad_recipe_does_not_spoil_the_list():
    """Claim: the list shows every policy, of bad ones why; the doctor says the same; built-in ones are listed."""
    rows = {row["name"]: row for row in LISTS["policies"].rows()}
    assert {*policies.RECIPES, "acme-good"} < set(rows)
    assert rows["acme-good"]["description"] == "as it should be"
    found = {finding.name: finding for finding in findings(policies.RECIPES)}
    for name, what in (("acme-untyped", "Recipe.information = 'none'"), ("acme-coloured", "Recipe.description = ")):
        for text in (rows[name]["description"], found[f"policy {name}"].detail):
            assert f"policy '{name}' of acme-guarded 1.0 (acme_guarded:{name[5:]}) does not load: InputError" in text
            assert what in text
            assert text.isprintable()
        assert not found[f"policy {name}"].ok
    assert found["policy acme-good"].ok


@pytest.mark.usefixtures("site")
def test_entries_that_can_never_be_used_are_findings_and_never_suggested():
    """Claim: names that a list of names cannot hold, and an entry without a value, are told apart and explained."""
    found = {finding.name: finding for finding in findings(policies.RECIPES)}
    for name in UNUSABLE:
        assert name not in policies.policy_names()
        assert "can never be used: a name must not be 'all'" in found[f"policy {name}"].detail
        with pytest.raises(PluginError, match="can never be used"):
            policies.get_recipe(name)
    with pytest.raises(UnknownNameError) as caught:
        policies.get_recipe("two wards")
    assert "two words" not in str(caught.value)
    with pytest.raises(PluginError, match=r'\(nothing\) does not say where it is: must be "module:object"'):
        policies.get_recipe("acme-empty")
    assert "does not say where it is" in found["policy acme-empty"].detail


@pytest.mark.usefixtures("site")
def test_what_a_plugin_prints_goes_to_standard_error(capsys):
    """Claim: on import and in a build."""
    policies.build("acme-good", WORK, SINGLE)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "hello from the module\nhello from the build\n"


@pytest.mark.parametrize(
    "command",
    [
        ("list", "policies"),
        (
            "gap-table",
            "--policy",
            "acme-good,acme-foretold",
            "--requests",
            "40",
            "--replications",
            "2",
            "--workers",
            "2",
        ),
    ],
)
def test_json_is_alone_on_standard_output(site, command):
    """Claim: also where worker processes import the module."""
    on = ("--workload", "reference", "--hardware", "reference", "--load", "0.5") if command[0] == "gap-table" else ()
    orsched = str(Path(sys.executable).with_name("orsched"))
    environment = {**os.environ, "PYTHONPATH": str(site)}
    asked = (orsched, *command, *on, "--json")
    done = subprocess.run(asked, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert "hello from the module" in done.stderr


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["acme-greedy", "acme-foretold"])
@pytest.mark.parametrize("trace", ["reference", "mooncake-conversation"])
def test_a_plugin_changes_nobodys_workload(name, trace):
    """Claim: neither a build nor a predictor that writes into the columns it is given changes those of the run."""
    work = workload(trace).head(40).at_load(0.5, SINGLE) if trace == "reference" else workload(trace).head(40)
    columns = ("arrival_s", "input_tokens", "output_tokens", "class_id")
    before = {column: getattr(work, column).copy() for column in columns}
    ids = None if work.prefix_blocks is None else work.prefix_blocks.ids.copy()
    policy = policies.build(name, work, SINGLE)
    if policy.predict is not None:
        predicted = policy.predict(work, np.random.default_rng(0))
        np.testing.assert_array_equal(predicted.point, before["output_tokens"])
    for column in columns:
        np.testing.assert_array_equal(getattr(work, column), before[column])
        assert not getattr(work, column).flags.writeable
    if ids is not None:
        np.testing.assert_array_equal(work.prefix_blocks.ids, ids)


def test_a_copy_is_read_only_and_shares_no_memory():
    """Claim: what a plugin gets is the same workload in other memory."""
    other = apart(WORK)
    for column in ("arrival_s", "input_tokens", "output_tokens", "class_id"):
        mine, given = getattr(WORK, column), getattr(other, column)
        np.testing.assert_array_equal(mine, given)
        assert not given.flags.writeable
        assert not np.shares_memory(mine, given)
    assert (other.name, other.classes, other.context_tokens) == (WORK.name, WORK.classes, WORK.context_tokens)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("dividing", "its batch raised ZeroDivisionError: division by zero"),
        ("leaving", "its batch raised SystemExit: so long ?[31mxxx"),
        ("ordered", "its order raised KeyError: "),
    ],
)
def test_an_error_in_a_run_says_whose_policy_it_is(name, what):
    """Claim: one line of bounded length that names policy, distribution, entry and part; the cause is kept."""
    policy = policies.build(f"acme-{name}", WORK, SINGLE)
    with pytest.raises(PluginError) as caught:
        simulate(WORK, SINGLE, policy)
    said = str(caught.value)
    assert said.startswith(f"policy 'acme-{name}' of acme-guarded 1.0 (acme_guarded:{name.upper()}): {what}")
    assert said.isprintable()
    assert len(said) < 2 * MOST_CHARACTERS
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_line_says_it_in_one_line(site, workers):
    """Claim: exit code 2, no traceback, nothing on standard output, in one process and in several."""
    options = ("--workload", "reference", "--hardware", "reference", "--load", "0.5", "--requests", "40")
    orsched = str(Path(sys.executable).with_name("orsched"))
    asked = (orsched, "gap-table", "--policy", "acme-dividing", *options, "--replications", "2", "--workers", workers)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run((*asked, "--json"), capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    said = "error: policy 'acme-dividing' of acme-guarded 1.0 (acme_guarded:DIVIDING): its batch raised"
    assert f"{said} ZeroDivisionError: division by zero" in done.stderr.splitlines()


@pytest.mark.usefixtures("site")
def test_what_the_engine_refuses_stays_what_it_is():
    """Claim: errors of orsched pass; what has no text of its own is told by its type."""
    with pytest.raises(PlanError, match="policy 'acme-lazy' runs nothing"):
        simulate(WORK, SINGLE, policies.build("acme-lazy", WORK, SINGLE))
    with pytest.raises(PluginError, match="cannot be built: Escape: its text cannot be read"):
        policies.build("acme-escaping", WORK, SINGLE)


@pytest.mark.usefixtures("site")
def test_parts_of_ours_are_not_wrapped():
    """Claim: built-in policies and our parts in a plugin's policy are called without a detour; guarded ones travel."""
    good = policies.build("acme-good", WORK, SINGLE)
    assert isinstance(good.batch, TokenBudget)
    assert good.route is vllm_v1().route
    ordered = policies.build("acme-ordered", WORK, SINGLE)
    assert isinstance(ordered.batch, TokenBudget)
    assert isinstance(ordered.order, Guarded)
    assert pickle.loads(pickle.dumps(ordered)) == ordered
    for name in ("vllm-v1", "sjf", "mc-sf"):
        built = policies.build(name, WORK, SINGLE)
        assert not any(isinstance(getattr(built, part), Guarded) for part in ("batch", "route", "order"))


@pytest.mark.usefixtures("site")
def test_a_guarded_policy_serves_as_it_would_alone():
    """Claim: a plugin with a predictor of its own gives the numbers of the same policy unguarded."""
    table = gap_table("reference", SINGLE, ["acme-foretold"], loads=0.5, requests=50, replications=2, workers=1)
    from acme_guarded import Spoiling

    spoiling, rng = Spoiling(), np.random.default_rng(0)
    bare = policies.build("sjf", WORK, SINGLE).predicted_by(lambda_predictor(spoiling))
    assert bare.predict(WORK, rng).point.tolist() == WORK.output_tokens.tolist()
    alone = gap_table("reference", SINGLE, [bare], loads=0.5, requests=50, replications=2, workers=1)
    assert table.rows[0].metrics == alone.rows[0].metrics


def lambda_predictor(predictor):
    """The predictor on a copy of the workload, without a guard."""

    class OnCopies:
        name = predictor.name

        def __call__(self, workload, rng):
            return predictor(apart(workload), rng)

    return OnCopies()
