"""Profiles in the shared formats are recognised by their columns, and what cannot be right is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from profiles import LAYERS, carry_out, iteration_table, operator_tables, write

from experiments.calibration.order import Order
from experiments.calibration.readers import read_groups
from experiments.calibration.request import Wanted, plain_gpu
from orsched.devices import model_config
from orsched.errors import InputError


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_every_kind_of_file_reads_the_same(tmp_path: Path, ending: str) -> None:
    """Claim: CSV, gzipped CSV and Parquet of one table give one profile."""
    path = write(iteration_table(), tmp_path / f"profile{ending}")
    outcome = carry_out(Order((path,)))
    assert len(outcome.profile.iterations) == len(iteration_table())
    assert {error.group for error in outcome.found.errors} == {"decode", "prefill", "chunked", "mixed"}


def test_operators_and_attention_add_up(tmp_path: Path) -> None:
    """Claim: an iteration is layers x (attention + operators by tokens) + head by sequences."""
    tables = operator_tables()
    paths = tuple(write(table, tmp_path / f"{name}.parquet") for name, table in tables.items())
    profile = carry_out(Order(paths, layers=LAYERS)).profile
    rows = profile.iterations
    tokens, seqs = rows["prompt_tokens"] + rows["num_seqs"], rows["num_seqs"] + (rows["prompt_tokens"] > 0)
    attention = 5e-6 + 1e-10 * rows["chunk_attention"] + 1e-8 * rows["kv_tokens"]
    expected = LAYERS * (attention + 1e-4 + 1e-6 * tokens) + 2e-4 + 1e-6 * seqs
    assert rows["time_s"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)


def test_several_groups_must_be_chosen_from(tmp_path: Path) -> None:
    """Claim: a file of several groups is refused with the list of them, and read when one is named."""
    both = pd.concat([iteration_table(), iteration_table(gpu="Other")])
    path = write(both, tmp_path / "both.csv")
    with pytest.raises(InputError, match="NewGPU, NewModel, tensor parallel 1; Other"):
        carry_out(Order((path,)))
    with pytest.raises(InputError, match="no such group"):
        carry_out(Order((path,), gpu="Third"))
    assert carry_out(Order((path,), gpu="other")).profile.gpu == "Other"


SPOILT = {
    "negative time": ({"iteration_s": -1e-3}, "above zero"),
    "zero time": ({"iteration_s": 0.0}, "above zero"),
    "missing time": ({"iteration_s": np.nan}, "finite number"),
    "text": ({"decode_requests": "many"}, "finite number"),
    "negative count": ({"kv_tokens_per_decode": -5}, "zero or more"),
    "missing name": ({"gpu": None}, "missing"),
    "nothing timed": ({"prefill_tokens": 0, "decode_requests": 0}, "times nothing"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_impossible_values_are_refused(tmp_path: Path, what: str) -> None:
    """Claim: a value that cannot be right is refused, naming the column or what is wrong."""
    changes, message = SPOILT[what]
    table = iteration_table().astype(object)
    for column, value in changes.items():
        table.loc[7, column] = value
    path = write(table, tmp_path / "spoilt.csv")
    with pytest.raises(InputError, match=message):
        carry_out(Order((path,)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"iteration_s": "time_ms"}), "seconds"),
        (lambda t: t.assign(comment="?"), "unknown column"),
        (lambda t: t.drop(columns="decode_requests"), "without decode_requests"),
        (lambda t: t.head(0), "no rows"),
        (lambda t: t.head(4), "at least"),
        (lambda t: t.assign(prefill_a_ms=1.0), "fitted coefficients"),
        (lambda t: t.assign(ttft_s=1.0), "--points"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, change, message: str) -> None:
    """Claim: other units, unknown or missing columns, too few points and what is no profile are refused."""
    with pytest.raises(InputError, match=message):
        carry_out(Order((write(change(iteration_table()), tmp_path / "other.csv"),)))


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    """Claim: another ending, a missing file and bytes that are no Parquet give one line."""
    (tmp_path / "bad.parquet").write_bytes(b"not a table")
    for name in ("profile.json", "missing.csv", "bad.parquet"):
        with pytest.raises(InputError, match=name):
            read_groups([tmp_path / name])


def test_repeated_points_count_once(tmp_path: Path) -> None:
    """Claim: repeated points are replaced by their median, and that is said."""
    table = iteration_table()
    wild = table.assign(iteration_s=10 * table["iteration_s"])
    path = write(pd.concat([table, table, wild]), tmp_path / "thrice.csv")
    outcome = carry_out(Order((path,)))
    assert any("repeated points" in note for note in outcome.profile.notes)
    assert outcome.profile.iterations["time_s"].sum() == pytest.approx(table["iteration_s"].sum())


def test_decodes_of_the_flash_attention_profile_share_its_keys() -> None:
    """Claim: in the older LLMServingSim profile of GPUs the keys are those of the whole batch, and are divided."""
    from experiments.calibration.profile_files import bundled

    wanted = Wanted("A6000", "Llama-3.1-8B", 1, model_config("Llama-3.1-8B"))
    profile = read_groups(bundled(("llmservingsim_v0_attention.parquet", "llmservingsim_v0_layers.parquet"))).read(
        wanted
    )
    decode = profile.iterations[profile.iterations["regime"] == "decode"]
    assert decode["kv_tokens"].max() <= 65_536
    slow = decode[decode["num_seqs"] == 128]
    assert (np.diff(slow.sort_values("kv_tokens")["time_s"]) > -1e-4).all()


@pytest.mark.parametrize("names", [("a100", "a100_sxm", "A100-80GB", "NVIDIA A100 80GB"), ("RTX4090", "rtx-4090")])
def test_spellings_of_a_gpu_are_one(names: tuple[str, ...]) -> None:
    """Claim: the shared profiles' spellings of a GPU mean the same one."""
    assert len({plain_gpu(name) for name in names}) == 1
