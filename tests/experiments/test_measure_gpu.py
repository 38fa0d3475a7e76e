"""The GPU measurement script: its plan, its refusals, its files, and (where torch is installed) its arithmetic."""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import measure_gpu
from experiments.cli import main as orsched
from experiments.measure_gpu import COLUMNS, Point, Shape, Stack, grid, main, parser, write_profile
from orsched.catalogue import hardware
from orsched.service import Batch, Hinged

SCRIPT = Path(measure_gpu.__file__)
TINY = (
    *("--model", "tiny", "--layers", "3", "--hidden", "32", "--q-heads", "4", "--kv-heads", "2", "--head-dim", "8"),
    *("--ffn", "48", "--vocab", "100"),
)
SMALL_GRID = (
    *("--requests", "1,3", "--contexts", "16,40", "--prompts", "8,24", "--chunks", "8", "--pasts", "0,16"),
    *("--mixed-requests", "2", "--mixed-contexts", "20"),
)
ON_CPU = ("--device", "cpu", "--dtype", "float32", "--repetitions", "3", "--warm-up", "1")
SHAPE = Shape(layers=3, hidden=32, q_heads=4, kv_heads=2, head_dim=8, ffn=48, vocab=100)


def without_torch(tmp_path, *arguments):
    """Run a copy of the script in a fresh process where neither torch nor orsched can be imported."""
    (tmp_path / "torch.py").write_text("raise ImportError('hidden by the test')\n")
    (tmp_path / "orsched.py").write_text("raise ImportError('hidden by the test')\n")
    copy = tmp_path / "copied.py"
    copy.write_bytes(SCRIPT.read_bytes())
    return subprocess.run(
        [sys.executable, "-S", copy, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_dry_run_needs_python_alone(tmp_path):
    """Claim: copied elsewhere, without torch, orsched and a GPU, --dry-run prints the plan, exits 0, writes nothing."""
    done = without_torch(tmp_path, *TINY, *SMALL_GRID, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "grid points: 9 (decode 4, prefill 2, chunked 1, mixed 2)" in done.stdout
    assert "GiB of weights" in done.stdout
    assert "memory unknown: no point is left out for it" in done.stdout
    assert "no torch here; nothing was measured" in done.stdout
    assert not (tmp_path / "profile.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TINY, "torch is not installed here"),
        (("--model", "llama3-8b"), "orsched is not installed here"),
        ((*TINY, "--requests", "1,0"), "must be a whole number of at least 1"),
        ((*TINY, "--seed", "9" * 30), "must be a whole number of at least 0, at most"),
        ((*TINY, "--memory-gib", "inf"), "must be a whole number"),
        ((*TINY, "--memory-gib", "nan"), "must be a whole number"),
        ((*TINY, "--out", "folder.csv"), "be (.json too) no folder"),
        ((*TINY, "--out", "taken.csv"), "be (.json too) no folder"),
        ((*TINY, "--held-layers", "4"), "the model has 3 layers"),
        ((*TINY, "--repetitions", "1"), "a spread needs at least 2"),
        ((*TINY, "--out", "nowhere/profile.csv"), "be in a folder that exists"),
        ((*TINY, "--out", "profile.json"), "must end in .csv"),
        ((*TINY, "--kv-heads", "3"), "kv_heads must divide q_heads"),
        ((*TINY, "--no-such-option"), "unrecognized arguments"),
    ],
)
def test_refusals_are_one_line_and_exit_2(tmp_path, arguments, said):
    """Claim: what cannot be done ends with exit code 2, one line on standard error, nothing on standard output."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "taken.json").mkdir()
    done = without_torch(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_a_model_of_the_catalogue_has_its_shape(capsys):
    """Claim: where orsched is installed a dense model's shape is looked up, and a model with experts is refused."""
    assert main(["--model", "llama3-8b", "--dry-run"]) == 0
    assert "Shape(layers=32, hidden=4096, q_heads=32, kv_heads=8, head_dim=128, ffn=14336" in capsys.readouterr().out
    assert main(["--model", "mixtral-8x7b", "--dry-run"]) == 2
    assert "only dense models" in capsys.readouterr().err
    assert main(["--model", "llama3-8c", "--dry-run"]) == 2
    assert "llama3-8b" in capsys.readouterr().err


def test_points_that_do_not_fit_are_skipped_and_named(capsys):
    """Claim: a point whose weights, cache and activations exceed the memory is left out and listed with its bytes."""
    assert main(["--model", "llama3-8b", "--memory-gib", "24", "--regimes", "decode", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "skipped decode 0+0 beside 256 x 16384: needs" in said
    assert "skipped decode 0+0 beside 1 x 128:" not in said


def test_needed_bytes_of_llama3_8b():
    """Claim: the plan counts 2 bytes for each of the 8.03e9 parameters and 131,072 bytes per cached token."""
    shape = Shape(layers=32, hidden=4096, q_heads=32, kv_heads=8, head_dim=128, ffn=14336, vocab=128256)
    one, two = (shape.needed_bytes(Point(0, 0, 1, context), 32, 2) for context in (0, 1000))
    assert two - one == 1000 * 131_072
    assert one == pytest.approx(2 * 8.03e9, rel=0.001)


@given(
    st.builds(
        argparse.Namespace,
        requests=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        contexts=st.tuples(st.integers(1, 9)),
        prompts=st.tuples(st.integers(1, 9), st.integers(1, 9)),
        chunks=st.tuples(st.integers(1, 9)),
        pasts=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        mixed_requests=st.tuples(st.integers(1, 3)),
        mixed_contexts=st.tuples(st.integers(1, 3)),
        regimes=st.lists(st.sampled_from(measure_gpu.REGIMES), max_size=4),
    )
)
def test_the_grid_holds_each_point_once_and_only_of_the_chosen_regimes(options):
    """Claim: whatever the lists, every point is there once, works on a token, and is of a chosen regime."""
    points = grid(options)
    assert len(points) == len(set(points))
    assert all(point.tokens > 0 and point.regime in options.regimes for point in points)


def test_the_profile_has_the_documented_columns_and_the_medians(tmp_path):
    """Claim: the CSV has the columns of an iteration profile, one row a point; the JSON has the spread."""
    measured = {Point(0, 0, 2, 100): [3e-3, 1e-3, 2e-3], Point(64, 32, 0, 0): [5e-3, 5e-3, 6e-3]}
    write_profile(tmp_path / "p.csv", ("H100", "tiny", 1), measured, {"seed": 7})
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert list(rows[0].values()) == ["H100", "tiny", "1", "0", "0", "2", "100", "0.002"]
    about = json.loads((tmp_path / "p.json").read_text())
    assert about["seed"] == 7
    assert about["points"][0]["quartile_1_s"] == pytest.approx(1.5e-3)
    assert {path.name for path in tmp_path.iterdir()} == {"p.csv", "p.json"}


def test_a_failed_write_leaves_the_old_profile(tmp_path):
    """Claim: when the description cannot be written the profile that was there stays, and no part file remains."""
    (tmp_path / "p.csv").write_text("old")
    (tmp_path / "p.json").mkdir()
    with pytest.raises(OSError, match=r"p\.json"):
        write_profile(tmp_path / "p.csv", ("H100", "tiny", 1), {Point(1, 0, 0, 0): [1.0, 2.0]}, {})
    assert (tmp_path / "p.csv").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"p.csv", "p.json"}


def test_not_a_number_is_never_written(tmp_path):
    """Claim: a time that is no number leaves no file behind instead of one that is no JSON."""
    with pytest.raises(ValueError, match="JSON"):
        write_profile(tmp_path / "p.csv", ("H100", "tiny", 1), {Point(1, 0, 0, 0): [float("nan")] * 2}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["exec sleep 60", "printf '\\377\\376, 5'", "exit 3", None])
def test_nvidia_smi_never_ends_a_run(script, tmp_path, monkeypatch):
    """Claim: one that hangs, prints no UTF-8, fails or is missing gives no reading, or one, and no error."""
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) if script is None or "exec" not in script else f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(measure_gpu, "_PATIENCE_S", 0.3)
    assert len(measure_gpu.nvidia_smi("0")) == (2 if script and "printf" in script else 0)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("CUDA error: out of memory"), 2, "out of memory; plan for less"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "out of memory; plan for less"),
        (MemoryError(), 2, "out of memory; plan for less"),
        (OSError(28, "No space left on device", "profile.csv"), 2, "No space left on device: 'profile.csv'"),
    ],
)
def test_what_stops_a_run_is_one_line(error, code, said, monkeypatch, capsys):
    """Claim: an interruption, memory that runs out anywhere and a full disk end in one line and a code."""

    def stop(_):
        raise error

    monkeypatch.setattr(measure_gpu, "run", stop)
    assert main([]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_what_is_no_lack_of_memory_stays_an_error(monkeypatch):
    """Claim: another error of torch is not passed off as a lack of memory."""

    def stop(_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(measure_gpu, "run", stop)
    with pytest.raises(RuntimeError, match="a bug"):
        main([])


def test_the_cpu_is_planned_with_what_is_free(capsys):
    """Claim: without --memory-gib a model larger than the memory of this machine has no point on the CPU."""
    huge = ("--layers", "1000", "--hidden", "100000", "--ffn", "1000000", "--device", "cpu", "--dry-run")
    assert main(["--model", "llama3-8b", *huge]) == 0
    assert "grid points: 0 " in capsys.readouterr().out


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write to")
def test_an_unwritable_folder_is_refused_before_anything_is_measured(monkeypatch, capsys):
    """Claim: the folder of --out is tried before the first point."""
    pytest.importorskip("torch")
    monkeypatch.setattr(measure_gpu, "measure", lambda *_: pytest.fail("measured"))
    assert main([*TINY, *SMALL_GRID, *ON_CPU, "--out", "/proc/self/p.csv"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "/proc/" in err


def test_measures_a_tiny_stack_on_the_cpu(tmp_path, capsys):
    """Claim: every point of the grid is timed, all times are positive, and the run is marked complete."""
    pytest.importorskip("torch")
    out = tmp_path / "profile.csv"
    assert main([*TINY, *SMALL_GRID, *ON_CPU, "--held-layers", "2", "--out", str(out)]) == 0, capsys.readouterr().err
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert all(float(row["iteration_s"]) > 0 for row in rows)
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["complete"]
    assert about["layers_measured"] == 2
    assert about["settings"]["seed"] == 0


def test_chunks_and_decodes_continue_a_prefill():
    """Claim: with the cache a prefill left behind, a chunk with that past, or a decode, gives the prefill's rows."""
    torch = pytest.importorskip("torch")
    options = parser().parse_args([*TINY, *ON_CPU])
    options.held_layers = 3
    with torch.inference_mode():
        stack = Stack(torch, SHAPE, 64, options)
        hidden = torch.randn(24, SHAPE.hidden)
        whole = Point(24, 0, 0, 0)
        expected = stack.body(whole, hidden, stack.rotations(whole))
        for part, rows in ((Point(10, 14, 0, 0), slice(14, 24)), (Point(0, 0, 1, 23), slice(23, 24))):
            got = stack.body(part, hidden[rows], stack.rotations(part))
            torch.testing.assert_close(got, expected[rows], rtol=1e-4, atol=1e-5)


def test_mixed_batches_are_their_parts():
    """Claim: in a mixed batch the chunk gives what it gives alone, and so do the decodes with the same cache."""
    torch = pytest.importorskip("torch")
    options = parser().parse_args([*TINY, *ON_CPU])
    options.held_layers = 3
    with torch.inference_mode():
        stack = Stack(torch, SHAPE, 200, options)
        hidden = torch.randn(12, SHAPE.hidden)
        mixed, chunk = Point(8, 16, 4, 20), Point(8, 16, 0, 0)
        together = stack.body(mixed, hidden, stack.rotations(mixed))
        alone = stack.body(chunk, hidden[:8], stack.rotations(chunk))
        torch.testing.assert_close(together[:8], alone, rtol=1e-4, atol=1e-5)
        for layer in stack.layers:  # the decodes' caches move to where a batch without a chunk has them
            for cache in layer[4:]:
                cache[: 4 * 21] = cache[24 : 24 + 4 * 21].clone()
        decodes = Point(0, 0, 4, 20)
        apart = stack.body(decodes, hidden[8:], stack.rotations(decodes))
        torch.testing.assert_close(together[8:], apart, rtol=1e-4, atol=1e-5)


def test_a_measured_profile_calibrates_end_to_end(tmp_path, capsys):
    """Claim: a profile as this script writes it goes through `orsched calibrate` and gives back the model behind it."""
    planted = Hinged(0.008, 2e-5, 3e-5, 9e-8, 256.0, 3e-5, 2e-9, 4e-7, 3e-8)

    def batch(point):
        attention = point.prompt * (point.past + point.prompt / 2)
        return Batch(point.prompt, attention, point.past, point.requests, point.requests * point.context)

    measured = {point: [planted.iteration_s(batch(point))] * 2 for point in grid(parser().parse_args([]))}
    profile, entry = tmp_path / "profile.csv", tmp_path / "entry.toml"
    write_profile(profile, ("NVIDIA H200", "llama3-8b", 1), measured, {})
    code = orsched(
        ["calibrate", str(profile), "--form", "hinged", "--out", str(entry), "--kv-capacity-tokens", "9000000"]
    )
    assert code == 0, capsys.readouterr().err
    service = hardware(str(entry)).service
    for point in measured:
        assert service.iteration_s(batch(point)) == pytest.approx(planted.iteration_s(batch(point)), rel=0.02)
