"""Sources, the catalogue of workloads, and the bundled traces."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import orsched.workloads
from orsched.errors import InputError, UnknownNameError
from orsched.workloads import (
    Fixed,
    GammaRenewal,
    Independent,
    Poisson,
    SyntheticSource,
    Uniform,
    Workload,
    synthetic,
    workload,
    workload_names,
    workload_source,
    write_workload,
)
from orsched.workloads.traces import bundled_lengths

# As printed in orsched/data/traces/README.md: rows, duration, input and output mean / p50 / p99, rate, CV.
STATISTICS = {
    "azure-conv": (19366, "3502", "1155 / 1020 / 4142", "211 / 129 / 601", "5.530", "1.09"),
    "mooncake-conversation": (7689, "2358", "12449 / 7284 / 89976", "348 / 356 / 1166", "3.260", "2.96"),
    "mooncake-synthetic": (3993, "1022", "15325 / 11587 / 66456", "149 / 69 / 768", "3.906", "1.01"),
    "vllm-rtx4090-llama3.1-8b": (300, "29", "857 / 732 / 2765", "653 / 632 / 784", "10.275", "0.94"),
    "vllm-rtxpro6000-llama3.1-8b": (300, "29", "857 / 732 / 2765", "653 / 632 / 784", "10.267", "0.94"),
    "vllm-rtxpro6000-qwen3-30b-a3b": (300, "29", "862 / 728 / 2768", "665 / 638 / 1001", "10.269", "0.94"),
}
REQUIRED = {*STATISTICS, "reference", "arxiv-summarization", "p512d20", "p512d20-p512d50"}


def printed(tokens: np.ndarray) -> str:
    return " / ".join(f"{x:.0f}" for x in (tokens.mean(), *np.percentile(tokens, [50, 99])))


@pytest.mark.parametrize("name", STATISTICS)
def test_bundled_trace_statistics(name):
    """A bundled trace has the rows, lengths, rate and variability that its README prints."""
    trace = workload(name)
    gaps = np.diff(trace.arrival_s)
    assert (
        len(trace),
        f"{trace.span_s:.0f}",
        printed(trace.input_tokens),
        printed(trace.output_tokens),
        f"{trace.rate_per_s:.3f}",
        f"{gaps.std() / gaps.mean():.2f}",
    ) == STATISTICS[name]
    assert trace.arrival_s[0] == 0
    assert trace.notices == ()


def test_arxiv_lengths():
    """The arXiv lengths are those of the README; the workload draws its rows and has Poisson arrivals."""
    table = bundled_lengths("arxiv-summarization")
    assert len(table) == 18838
    assert printed(table.input_tokens) == "2580 / 2716 / 3935"
    assert printed(table.output_tokens) == "295 / 167 / 3288"
    work = workload("arxiv-summarization")
    rows = set(zip(table.input_tokens.tolist(), table.output_tokens.tolist(), strict=True))
    assert set(zip(work.input_tokens.tolist(), work.output_tokens.tolist(), strict=True)) <= rows
    assert "Poisson" in workload_source("arxiv-summarization").description


def test_mooncake_clock_is_coarse():
    """Mooncake's arrivals keep the source's coarse clock: 787 instants for the conversation."""
    assert len(np.unique(workload("mooncake-conversation").arrival_s)) == 787
    assert len(np.unique(workload("mooncake-synthetic").arrival_s)) == 3982


def test_catalogue_has_the_required_names():
    """All promised names exist, in sorted order."""
    assert workload_names() == sorted(REQUIRED)


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_source_conforms(name):
    """A source is known by its name, draws n requests, repeats itself by seed, and its whole is fixed."""
    source = workload_source(name)
    assert source.name == name
    assert source.description
    first, second, other = (source.draw(40, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(first) == 40
    assert np.array_equal(first.arrival_s, second.arrival_s)
    assert not np.array_equal(first.arrival_s, other.arrival_s)
    whole = source.whole()
    assert whole.name == name
    assert np.array_equal(whole.arrival_s, workload(name).arrival_s)
    with pytest.raises(InputError):
        source.draw(0, np.random.default_rng(1))


def test_reference_workload():
    """The reference is Poisson 4/s with inputs 50..950 and outputs 20..480 (means within 99.99%)."""
    work = workload("reference")
    assert len(work) == 10_000
    assert abs(work.rate_per_s - 4) < 3.89 * 4 / 100
    assert (work.input_tokens.min(), work.input_tokens.max()) == (50, 950)
    assert (work.output_tokens.min(), work.output_tokens.max()) == (20, 480)
    assert abs(work.input_tokens.mean() - 500) < 3.89 * 260.1 / 100
    assert abs(work.output_tokens.mean() - 250) < 3.89 * 133.1 / 100


def test_wait_classes():
    """WAIT's prompt 512 with 20 decode iterations is 21 output tokens here: one comes with the prefill."""
    work = workload("p512d20")
    assert set(work.input_tokens) == {512}
    assert set(work.work.decode_iterations) == {20}
    two = workload("p512d20-p512d50")
    assert [c.name for c in two.classes] == ["p512d20", "p512d50"]
    assert abs((two.class_id == 0).mean() - 0.7) < 3.89 * np.sqrt(0.21 / len(two))
    assert set(two.output_tokens[two.class_id == 1]) == {51}


def test_common_random_numbers_across_arrival_processes():
    """Another arrival process meets the same requests in the same order."""
    lengths = Independent(Uniform(1, 9), Uniform(1, 9))
    poisson = synthetic("a", Poisson(1.0), lengths, 50, np.random.default_rng(5))
    bursty = synthetic("b", GammaRenewal(1.0, 4.0), lengths, 50, np.random.default_rng(5))
    assert np.array_equal(poisson.input_tokens, bursty.input_tokens)
    assert not np.array_equal(poisson.arrival_s, bursty.arrival_s)


def test_one_generator_gives_new_paths():
    """Two draws from one generator differ: spawning moves it on."""
    rng = np.random.default_rng(5)
    source = workload_source("reference")
    assert not np.array_equal(source.draw(9, rng).arrival_s, source.draw(9, rng).arrival_s)


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_impossible_number_of_requests(n):
    """A number of requests that is none is refused."""
    with pytest.raises(InputError, match="whole number of requests"):
        synthetic("a", Poisson(1.0), Independent(Fixed(1), Fixed(1)), n, np.random.default_rng(1))


def test_bad_source_parameters():
    """The length and seed of the whole path are checked."""
    with pytest.raises(InputError, match=r"SyntheticSource\.whole_requests = 0"):
        SyntheticSource("a", "", Poisson(1.0), Independent(Fixed(1), Fixed(1)), whole_requests=0)


@pytest.mark.parametrize(("name", "near"), [("azure", "azure-conv"), ("refrence", "reference"), ("p512", "p512d20")])
def test_unknown_names_suggest_the_nearest(name, near):
    """A misspelt name gets the nearest one as suggestion."""
    for find in (workload, workload_source):
        with pytest.raises(UnknownNameError) as caught:
            find(name)
        assert f"'{near}'" in str(caught.value)


def test_a_path_is_a_trace_source(tmp_path):
    """The path of a trace file is a name; a missing or unreadable file is refused."""
    path = tmp_path / "mine.csv.gz"
    write_workload(Workload.of([0.0, 1.0, 3.0], [5, 6, 7], [1, 2, 3]), path)
    source = workload_source(str(path))
    assert source.name == "mine"
    assert list(source.whole().input_tokens) == [5, 6, 7]
    assert len(source.draw(10, np.random.default_rng(1))) == 10
    with pytest.raises(InputError, match="no such file"):
        workload_source(str(tmp_path / "other.csv"))
    (tmp_path / "mine.xlsx").write_text("x")
    with pytest.raises(InputError, match="must end in"):
        workload_source(str(tmp_path / "mine.xlsx"))


def test_importing_workloads_loads_no_table_library():
    """Pandas and pyarrow are only loaded when a file is read."""
    heavy = "pandas", "pyarrow", "scipy"
    code = f"import sys, orsched.workloads; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_are_sorted_and_exist():
    """`__all__` is sorted and every name in it exists."""
    names = orsched.workloads.__all__
    assert names == sorted(names, key=lambda n: (n[0].islower(), n))
    assert all(hasattr(orsched.workloads, name) for name in names)
