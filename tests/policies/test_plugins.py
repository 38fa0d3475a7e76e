"""Policies of other distributions: really built, really installed, found by name, and harmless when broken."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import policies
from orsched import Fleet, hardware, workload
from orsched.errors import InputError, PluginError, UnknownNameError
from policies.plugins import announced, recipe_of

MODULE = '''
"""Shortest prompt first, in a package of its own."""

from orsched import Chunk, Information, Plan, Policy
from policies.recipe import Recipe
from policies.vllm_v1 import vllm_v1


class ShortestPrompt:
    def __call__(self, view):
        if view.running or not view.waiting:
            return Plan()
        head = next(iter(view.waiting))
        return Plan((Chunk(head, view.prompt_tokens[head]),))


def prompt_length(input_tokens, output_tokens, /):
    return input_tokens


def tuned(workload, fleet):
    return Policy("acme-tuned", vllm_v1().batch, settings={"requests": len(workload)})


def factory():
    return FIXED


FIXED = Policy("acme-shortest", ShortestPrompt(), order=prompt_length)
TUNED = Recipe("acme-tuned", "acme's own, tuned on the workload", Information.NONE, tuned)
NUMBER = 3


def oracle(workload, fleet):
    return Policy("acme-informed", vllm_v1().batch, information=Information.ORACLE)


def nothing(workload, fleet):
    return workload


def failing(workload, fleet):
    raise KeyError("two\\nlines")


def misspelt(workload, fleet):
    from policies import get_router

    return vllm_v1().routed_by(get_router("jsqq"))


def crowded(workload, fleet):
    from orsched.errors import InputError

    raise InputError("fits nobody\\nhere")


def leaving(workload, fleet):
    raise SystemExit(3)


THIEF = Recipe("acme-thief", "bears a built-in name", Information.NONE, lambda workload, fleet: vllm_v1())
INFORMED = Recipe("acme-informed", "knows more than it says", Information.NONE, oracle)
NOTHING = Recipe("acme-nothing", "builds no policy", Information.NONE, nothing)
FAILING = Recipe("acme-failing", "fails", Information.NONE, failing)
MISSPELT = Recipe("acme-misspelt", "asks for a router that there is not", Information.NONE, misspelt)
CROWDED = Recipe("acme-crowded", "cannot run", Information.NONE, crowded)
LEAVING = Recipe("acme-leaving", "leaves", Information.NONE, leaving)
'''
GOOD = {"acme-shortest": "acme_policies:factory", "acme-tuned": "acme_policies:TUNED"}
BROKEN = {
    "acme-absent": "acme_nowhere:RECIPE",
    "acme-raises": "acme_broken:RECIPE",
    "acme-number": "acme_policies:NUMBER",
    "acme-misnamed": "acme_policies:TUNED",
    "vllm-v1": "acme_policies:TUNED",
}

MISTAKEN = ("thief", "informed", "nothing", "failing", "misspelt", "leaving")
UNTRUE = {f"acme-{name}": f"acme_policies:{name.upper()}" for name in (*MISTAKEN, "crowded")}


def installed(folder: Path, distribution: str, entries: dict[str, str], modules: dict[str, str]) -> Path:
    """Build a distribution with hatchling and install it with pip into ``folder / "site"``, without any index."""
    project, site = folder / distribution, folder / "site"
    project.mkdir(parents=True)
    table = "\n".join(f'"{name}" = "{value}"' for name, value in entries.items())
    includes = ", ".join(f'"{name}.py"' for name in modules)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "{distribution}"\nversion = "1.2"\n'
        f'[project.entry-points."orsched.policies"]\n{table}\n'
        f"[tool.hatch.build.targets.wheel]\nonly-include = [{includes}]\n"
    )
    for name, text in modules.items():
        (project / f"{name}.py").write_text(text)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", site, project]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def run(site: Path, *command: str, code: int = 0) -> str:
    """What a command prints with the site on its path; on an error, what it says."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def python(site: Path, text: str) -> str:
    return run(site, sys.executable, "-W", "error", "-c", text)


ORSCHED = str(Path(sys.executable).with_name("orsched"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return installed(tmp_path_factory.mktemp("good"), "acme-policies", GOOD, {"acme_policies": MODULE})


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    modules = {"acme_policies": MODULE, "acme_broken": "raise RuntimeError('acme was here')"}
    installed(folder, "acme-policies", {**GOOD, **BROKEN, **UNTRUE}, modules)
    return installed(folder, "rival-policies", {"acme-tuned": "rival:TUNED"}, {"rival": "TUNED = 1"})


def test_here_there_are_none():
    """Claim: without plugins the names are the built-in ones, and each comes from orsched."""
    if announced():
        pytest.skip("plugins are installed here")
    assert policies.policy_names() == sorted(policies.RECIPES)
    assert policies.origin("sarathi") == f"orsched {version('orsched')}"
    with pytest.raises(UnknownNameError, match="did you mean 'sarathi'"):
        policies.origin("saratti")


def test_plugins_are_found_by_name(site):
    """Claim: names, recipes, builds and origins of an installed distribution; its module is imported when asked for."""
    text = """
import json, sys
import policies
from orsched import Fleet, hardware, simulate, workload
names = policies.policy_names()
origins = [policies.origin(name) for name in ("acme-shortest", "acme-tuned", "vllm-v1")]
early = "acme_policies" in sys.modules
fleet = Fleet.single(hardware("reference"))
work = workload("reference").head(50).at_load(0.5, fleet)
built = [policies.build(name, work, fleet) for name in ("acme-shortest", "acme-tuned")]
run = simulate(work, fleet, built[0])
about = policies.get_recipe("acme-shortest").description
print(json.dumps([names, origins, early, built[1].settings, about, run.policy]))
"""
    names, origins, early, settings, description, served = json.loads(python(site, text))
    assert set(names) == {*policies.RECIPES, *GOOD}
    assert origins == ["acme-policies 1.2", "acme-policies 1.2", f"orsched {version('orsched')}"]
    assert not early
    assert settings == {"requests": 50}
    assert description == "of acme-policies 1.2"
    assert served == "acme-shortest"


def test_the_command_line_knows_them(site):
    """Claim: `list policies`, `evaluate --policy` and `doctor` take a plugin like a built-in policy."""
    listed = json.loads(run(site, ORSCHED, "list", "policies", "--json"))["policies"]
    (row,) = [row for row in listed if row["name"] == "acme-tuned"]
    assert row == {
        "name": "acme-tuned",
        "information": "none",
        "description": "acme's own, tuned on the workload",
    }
    options = ("--workload", "reference", "--hardware", "reference", "--requests", "60", "--replications", "2")
    printed = json.loads(run(site, ORSCHED, "evaluate", "--policy", "acme-tuned", *options, "--json"))
    assert printed["policy"] == "acme-tuned"
    report = run(site, ORSCHED, "doctor")
    assert "ok  policy acme-shortest: acme-policies 1.2" in report
    assert report.endswith("all sound\n")


def test_gap_tables_run_them_in_several_processes(site):
    """Claim: a plugin's policy travels to worker processes and stands in the table."""
    text = """
from experiments import gap_table
from orsched import Fleet, hardware
fleet = Fleet.single(hardware("reference"))
kinds = dict(loads=[0.5], requests=60, replications=2)
one, two = (gap_table("reference", fleet, ["acme-shortest", "vllm-v1"], workers=w, **kinds) for w in (1, 2))
print([row.policy for row in two.rows], one == two)
"""
    assert python(site, text) == "['acme-shortest', 'vllm-v1'] True\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme-absent", "of acme-policies 1.2 (acme_nowhere:RECIPE) does not load: ModuleNotFoundError"),
        ("acme-raises", "does not load: RuntimeError: acme was here"),
        ("acme-number", "is of type int: must be a Recipe, a Policy, or a function returning one"),
        ("acme-misnamed", "calls itself 'acme-tuned': the names must be the same"),
        ("acme-tuned", "is announced by several distributions: acme-policies 1.2, rival-policies 1.2"),
        ("acme-shortes", "did you mean 'acme-shortest'"),
    ],
)
def test_a_broken_plugin_is_an_error_when_it_is_asked_for(broken, name, message):
    """Claim: exit code 2 and one line that names the distribution and what is wrong."""
    options = ("--workload", "reference", "--hardware", "reference", "--requests", "60", "--replications", "2")
    said = run(broken, ORSCHED, "evaluate", "--policy", name, *options, code=2)
    assert message in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme-thief", "of acme-policies 1.2 (acme_policies:THIEF) builds a policy of another name, 'vllm-v1'"),
        ("acme-informed", "is announced with information 'none', but the policy that it builds has 'oracle'"),
        ("acme-nothing", "of type Workload: must be a Policy"),
        ("acme-failing", "of acme-policies 1.2 (acme_policies:FAILING) cannot be built: KeyError: 'two"),
    ],
)
def test_a_recipe_that_does_not_build_what_it_announces_is_refused(broken, name, message):
    """Claim: no other policy's numbers are shown under a name: one line says whose recipe it is and what is wrong."""
    options = ("--workload", "reference", "--hardware", "reference", "--requests", "60", "--replications", "2")
    said = run(broken, ORSCHED, "gap-table", "--policy", f"vllm-v1,{name}", *options, code=2)
    assert message in said
    assert len(said.splitlines()) == 1


@pytest.fixture
def untrue(tmp_path, monkeypatch):
    """The distribution of the recipes that are not what they say, importable in this process."""
    (tmp_path / "acme_policies.py").write_text(MODULE)
    about = tmp_path / "acme_policies-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-policies\nVersion: 1.2\n")
    entries = "\n".join(f"{name} = {value}" for name, value in {**GOOD, **UNTRUE}.items())
    (about / "entry_points.txt").write_text(f"[orsched.policies]\n{entries}\n")
    monkeypatch.syspath_prepend(tmp_path)
    announced.cache_clear()
    recipe_of.cache_clear()
    yield
    announced.cache_clear()
    recipe_of.cache_clear()
    sys.modules.pop("acme_policies", None)


SINGLE = Fleet.single(hardware("reference"))
WORK = workload("reference").head(50).at_load(0.5, SINGLE)


@pytest.mark.usefixtures("untrue")
@pytest.mark.parametrize("name", [f"acme-{name}" for name in MISTAKEN])
@pytest.mark.parametrize(
    "ask",
    [
        lambda name: policies.build(name, WORK, SINGLE),
        lambda name: policies.get_recipe(name).build(WORK, SINGLE),
        lambda name: _system("routed", name),
        lambda name: _system("slo-admission", name),
    ],
    ids=["build", "recipe", "routed", "slo-admission"],
)
def test_mistakes_are_found_wherever_the_policy_is_built(name, ask):
    """Claim: registry, recipe and fleet systems refuse them alike, in one line that names the distribution."""
    said = rf"^policy '{name}' of acme-policies 1\.2 \(acme_policies:[A-Z]+\) "
    with pytest.raises(PluginError, match=said) as caught:
        ask(name)
    assert "\n" not in str(caught.value)


def _system(name: str, batcher: str) -> object:
    system = policies.fleet_system(name)
    return system.build(WORK, SINGLE, system.settings(batcher=batcher))


@pytest.mark.usefixtures("untrue")
def test_a_policy_that_cannot_run_is_a_result():
    """Claim: an InputError that a plugin raises is a row that gives it in one line; a sound plugin builds as before."""
    from experiments import gap_table

    with pytest.raises(InputError, match=r"^fits nobody here$") as caught:
        policies.build("acme-crowded", WORK, SINGLE)
    assert not isinstance(caught.value, PluginError)
    names = ["acme-tuned", "acme-crowded"]
    table = gap_table("reference", SINGLE, names, loads=0.5, requests=50, replications=2, workers=1)
    assert table.row("acme-crowded", 0.5).reason == "fits nobody here"
    assert table.row("acme-tuned", 0.5).metrics
    with pytest.raises(PluginError, match="of acme-policies"):
        gap_table("reference", SINGLE, ["vllm-v1", "acme-thief"], loads=0.5, requests=50, replications=2, workers=1)


def test_a_broken_plugin_harms_no_other(broken):
    """Claim: beside broken ones the sound plugin works, built-in names stay ours, and the list says what is wrong."""
    text = """
import policies
print(policies.get_recipe("acme-shortest").name, policies.origin("vllm-v1").split()[0])
print(policies.get_recipe("vllm-v1") is policies.RECIPES["vllm-v1"])
"""
    assert python(broken, text) == "acme-shortest orsched\nTrue\n"
    rows = {row["name"]: row for row in json.loads(run(broken, ORSCHED, "list", "policies", "--json"))["policies"]}
    assert rows["acme-raises"]["description"].startswith("cannot be used: policy 'acme-raises' of acme-policies 1.2")
    assert rows["sarathi"]["information"] == "none"


def test_the_doctor_names_every_broken_plugin(broken):
    """Claim: `doctor` exits with 1 and names each, two of one name and one of a built-in name included."""
    report = run(broken, ORSCHED, "doctor", code=1)
    bad = {line.split(":")[0].removeprefix("BAD policy ") for line in report.splitlines() if "BAD policy" in line}
    assert bad == {*BROKEN, "acme-tuned"}
    assert "vllm-v1: acme-policies 1.2: the name of a built-in policy, which is used instead" in report
