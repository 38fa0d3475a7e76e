"""What is shipped, what it costs to import, and that the written-down facts about it agree."""

import ast
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orsched.installation import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
HEAVY = ("highspy", "joblib", "matplotlib", "pandas", "pulp", "pyarrow", "scipy", "simpy")
MAX_LINES = 500
MAX_MEDIAN_LINES = 110
IMPORT_LIMIT_S = 0.4
HELP_LIMIT_S = 0.8


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Return what `command` prints, free of settings of the caller's shell that could steer it."""
    foreign = ("PYTHONPATH", "UV_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def best_s(repeats: int, *command: str | Path) -> float:
    """Return the shortest wall time of `repeats` runs of `command`, after one that warms the caches."""
    run(*command)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(*command)
        times.append(time.perf_counter() - start)
    return min(times)


def package_files() -> Iterator[Path]:
    """Yield every file of the five packages in the tree, relative to the root."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo"}:
                yield path.relative_to(ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def members(wheel: Path) -> set[str]:
    """Return the names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_the_five_packages_and_nothing_else(members: set[str]):
    """The wheel's top level is exactly the five packages and its metadata: no tests, no docs."""
    tops = {name.split("/")[0] for name in members}
    (metadata,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {*PACKAGES, metadata}
    assert not any("tests" in Path(name).parts for name in members)


def test_wheel_holds_every_file_of_the_packages(members: set[str]):
    """Sub-packages, data files and type markers are all shipped: tree and wheel agree file by file."""
    shipped = {name for name in members if ".dist-info/" not in name}
    assert shipped == {path.as_posix() for path in package_files()}
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    assert any(name.startswith("orsched/data/") for name in shipped)


def test_wheel_carries_its_licences(members: set[str]):
    """The licence, and every notice about bundled data, is among the licence files of the wheel."""
    carried = {name.split("/licenses/")[1] for name in members if "/licenses/" in name}
    notices = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("NOTICE*")}
    notices |= {path.as_posix() for path in package_files() if path.name.startswith("NOTICE")}
    assert carried == {"LICENSE"} | notices


def test_packages_come_from_the_wheel_once_installed(wheel: Path, tmp_path: Path):
    """Installed from the wheel, all five names resolve into the distribution ``orsched``."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from orsched.installation import doctor; import orsched; print(orsched.__file__, doctor())"
    printed = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert printed.startswith(str(tmp_path / "site"))
    assert printed.endswith("all sound\n")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_comes_from_this_tree(package: str):
    """In the development environment each of the five names is imported from this repository."""
    origin = importlib.import_module(package).__file__
    assert origin is not None
    assert Path(origin).resolve() == ROOT / package / "__init__.py"


def test_importing_orsched_is_quick():
    """``import orsched`` takes less than 0.4 s in a fresh process (best of three, interpreter included)."""
    assert best_s(3, sys.executable, "-c", "import orsched") < IMPORT_LIMIT_S


def test_importing_orsched_loads_nothing_heavy():
    """``import orsched`` alone loads no table, solver, plotting or event library."""
    code = "import sys, orsched; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    assert set(HEAVY).isdisjoint(run(sys.executable, "-c", code).split())


def test_the_command_line_answers_quickly():
    """``orsched --help`` takes less than 0.8 s in a fresh process (best of five)."""
    command = shutil.which("orsched", path=SCRIPTS)
    assert command is not None
    assert best_s(5, command, "--help") < HELP_LIMIT_S


@pytest.mark.parametrize("package", PACKAGES)
def test_all_equals_the_public_names(package: str):
    """``__all__`` names, once each, exactly what the package root defines or re-exports; all resolve."""
    module = importlib.import_module(package)
    declared = list(getattr(module, "__all__", ()))
    assert sorted(declared) == sorted(public_names(ast.parse((ROOT / package / "__init__.py").read_text())))
    for name in declared:
        getattr(module, name)


def public_names(tree: ast.Module) -> set[str]:
    """Return the public names a package root binds: its own, and imports from the five packages."""
    names: set[str] = set()
    for node in statements(tree.body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(module=module, level=level):
                if level or (module or "").split(".")[0] in PACKAGES:
                    names.update(alias.asname or alias.name for alias in node.names)
    return {name for name in names if not name.startswith("_")}


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those inside ``if`` (type checking) included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from statements(node.body + node.orelse)


def test_modules_are_small():
    """Every module of the five packages has at most 500 lines, and half of them at most 110."""
    lines = {
        path.as_posix(): len((ROOT / path).read_text(encoding="utf-8").splitlines())
        for path in package_files()
        if path.suffix == ".py"
    }
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}
    assert statistics.median(lines.values()) <= MAX_MEDIAN_LINES


def test_lock_files_agree():
    """uv.lock satisfies pyproject.toml and requirements.lock is its export, so `make lock` is not due."""
    uv = (SCRIPTS / "uv", "--no-config", "--offline", "--quiet")
    run(*uv, "lock", "--check", "--python", sys.executable)
    exported = run(*uv, "export", "--frozen", "--no-header", "--no-emit-project", "--python", sys.executable)
    assert exported == (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_locked_packages_come_from_one_public_index():
    """uv.lock names a single https registry and a single https host of files, and no path of any machine."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    sources = [package["source"] for package in lock["package"]]
    assert [source for source in sources if "registry" not in source] == [{"editable": "."}]
    assert len({source["registry"] for source in sources if "registry" in source}) == 1
    assert {re.match(r"\w+", url).group() for url in urls_of(lock)} == {"https"}
    assert len(hosts_of(lock)) == 2


def test_no_other_file_names_a_package_index():
    """Whoever clones installs from the index of their own configuration: only uv.lock holds such hosts."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("without git, what belongs to the repository is unknown")
    listed = run("git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split(
        "\0"
    )
    files = [ROOT / name for name in listed if name and name != "uv.lock" and (ROOT / name).is_file()]
    hosts = [host.encode() for host in hosts_of(tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8")))]
    assert [path for path in files if any(host in path.read_bytes() for host in hosts)] == []
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def urls_of(lock: dict) -> Iterator[str]:
    """Yield the address of the registry and of every file of every locked package."""
    for package in lock["package"]:
        if "registry" in package["source"]:
            yield package["source"]["registry"]
        yield from (file["url"] for file in [*package.get("wheels", []), package.get("sdist")] if file)


def hosts_of(lock: dict) -> set[str]:
    """Return the hosts in the addresses of `lock`."""
    return {url.split("/")[2] for url in urls_of(lock)}
