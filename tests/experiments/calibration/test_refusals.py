"""What a profile does not say is not made up: it is refused, or taken with --accept-error and noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from profiles import DEVICE, LAYERS, carry_out, iteration_table, operator_tables, write

from experiments.calibration.order import Order
from experiments.calibration.peaks import memory_bytes_of, peaks_of
from experiments.calibration.profile_files import bundled
from experiments.calibration.readers import read_groups
from experiments.calibration.request import Wanted, same_gpu
from experiments.cli import main
from orsched.devices import model_config
from orsched.errors import InputError

V0 = ("llmservingsim_v0_attention.parquet", "llmservingsim_v0_layers.parquet")


def _known(scale: float = 1.0) -> pd.DataFrame:
    """An iteration profile under the name of a GPU and a model whose data sheets are known."""
    table = iteration_table(gpu="h100", model="Llama-3.1-8B")
    return table.assign(iteration_s=scale * table["iteration_s"])


def test_gpus_of_two_sizes_stay_two(tmp_path: Path) -> None:
    """Claim: names that state different memory are different GPUs; one that states none may not mean either."""
    assert same_gpu("A100-80GB", "a100_sxm")
    assert not same_gpu("A100-80GB", "A100-40GB")
    both = pd.concat([iteration_table(gpu="A100-40GB"), iteration_table(gpu="A100-80GB")])
    path = write(both, tmp_path / "both.csv")
    assert carry_out(Order((path,), gpu="a100-40gb")).profile.gpu == "A100-40GB"
    with pytest.raises(InputError, match="may be any of A100-40GB, A100-80GB"):
        carry_out(Order((path,), gpu="a100"))
    assert memory_bytes_of("A100-40GB") == 40 * 2**30
    assert peaks_of("A100-40GB").bandwidth < peaks_of("A100-80GB").bandwidth
    for name in ("a100", "A100-60GB"):
        with pytest.raises(InputError):
            memory_bytes_of(name)


def test_v0_convention_does_not_depend_on_the_subset(tmp_path: Path) -> None:
    """Claim: rows of the TPU that look like a GPU's are read as the TPU's; an unknown device is refused."""
    table = pd.read_parquet(bundled(V0)[0])
    chosen = table[(table["gpu"] == "TPU-v6e-1") & (table["past_kv_tokens_per_seq"] >= table["new_tokens_per_seq"])]
    layers = bundled(V0)[1]
    path = write(chosen, tmp_path / "subset.parquet")
    wanted = Wanted("TPU-v6e-1", "Llama-3.1-8B", 1, model_config("Llama-3.1-8B"))
    decode = read_groups([path, layers]).read(wanted).iterations.query("regime == 'decode'")
    assert set(decode["kv_tokens"] / decode["num_seqs"]) <= set(chosen["past_kv_tokens_per_seq"])
    renamed = [
        write(part.assign(gpu="Newchip"), tmp_path / f"{k}.parquet")
        for k, part in enumerate((chosen, pd.read_parquet(layers).query("gpu == 'TPU-v6e-1'")))
    ]
    with pytest.raises(InputError, match="cannot be told for 'Newchip'"):
        read_groups(renamed).read(replace(wanted, gpu="Newchip"))


def test_equal_keys_after_division_are_one_point(tmp_path: Path) -> None:
    """Claim: batches whose keys are equal after the division by the batch give one point, and no infinite slope."""
    table = pd.read_parquet(bundled(V0)[0]).query("gpu == 'A6000' and model == 'Llama-3.1-8B' and tensor_parallel == 1")
    decode = table[(table["phase"] == "decode") & (table["batch_size"] > 1)]
    near = decode.assign(past_kv_tokens_per_seq=decode["past_kv_tokens_per_seq"] + 1)
    path = write(pd.concat([table, near]), tmp_path / "near.parquet")
    with np.errstate(all="raise"):
        outcome = carry_out(Order((path, bundled(V0)[1]), form="tabulated", gpu="A6000", tensor_parallel=1))
    points = outcome.profile.iterations.query("regime == 'decode'")[["num_seqs", "kv_tokens"]]
    assert not points.duplicated().any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["operator"] != "gate_up_proj"], "no operator gate_up_proj or gate_proj, up_proj"),
        (lambda t: t[t["operator"] != "o_proj"], "no operator o_proj"),
        (lambda t: t.replace({"operator": {"down_proj": "mlp_down"}}), "unknown operator"),
        (lambda t: t.replace({"counted_in": {"dense": "Dense"}}), "must be dense, moe or per_sequence"),
    ],
)
def test_missing_and_unknown_operators(tmp_path: Path, change: Callable, message: str) -> None:
    """Claim: without a projection weights are not read, and an operator of another name is not guessed at."""
    tables = operator_tables()
    tables["operators"] = change(tables["operators"])
    paths = tuple(write(table, tmp_path / f"{name}.csv") for name, table in tables.items())
    with pytest.raises(InputError, match=message):
        carry_out(Order(paths, layers=LAYERS))


@pytest.mark.parametrize(("scale", "message"), [(1000.0, "milliseconds"), (1e-2, "other units")])
def test_implausible_units(tmp_path: Path, scale: float, message: str) -> None:
    """Claim: decodes far from what reading the weights takes are refused, and noted when accepted."""
    carry_out(Order((write(_known(), tmp_path / "good.csv"),)))
    path = write(_known(scale), tmp_path / "profile.csv")
    with pytest.raises(InputError, match=message):
        carry_out(Order((path,)))
    assert any(message in note for note in carry_out(Order((path,), accept_error=True)).found.notes)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("iteration_s", 1e5, "at most 10,000 s"),
        ("tensor_parallel", 1.5, "whole number"),
        ("tensor_parallel", 0, "at least 1"),
        ("decode_requests", 2.5, "whole number"),
        ("decode_requests", np.inf, "decode_requests = inf: must"),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, column: str, value: float, message: str) -> None:
    """Claim: hours for an iteration, parts of a GPU and parts of a request are refused in plain words."""
    table = iteration_table().astype({column: float})
    table.loc[5, column] = value
    with pytest.raises(InputError, match=message):
        carry_out(Order((write(table, tmp_path / "profile.csv"),)))


@pytest.mark.parametrize(("without", "message"), [("decode_requests", "no decodes"), ("prefill_tokens", "no prompts")])
def test_profiles_without_a_kind_of_batches(tmp_path: Path, without: str, message: str) -> None:
    """Claim: a model in which decodes or prompts are free is refused; accepted, the notes name the zero terms."""
    path = write(iteration_table().query(f"{without} == 0"), tmp_path / "profile.csv")
    with pytest.raises(InputError, match=message):
        carry_out(Order((path,), most_error=1.0))
    notes = " ".join(carry_out(Order((path,), accept_error=True)).found.notes)
    assert message in notes
    assert ("kv_token_s" if without == "decode_requests" else "prompt_token_s") in notes


def test_kv_reads_are_not_faster_than_the_memory(tmp_path: Path) -> None:
    """Claim: where the data sheet is known, a fit puts KV reads at its bandwidth or slower, and says so."""
    table = iteration_table(replace(DEVICE, kv_token_s=0.0, mixed_kv_token_s=0.0), gpu="h100", model="Llama-3.1-8B")
    found = carry_out(Order((write(table, tmp_path / "p.csv"),), accept_error=True)).found
    assert found.service.kv_token_s == pytest.approx(131_072 / peaks_of("h100").bandwidth)
    assert any("below which it was not fitted" in note for note in found.notes)


def test_ranks_and_files_that_are_not_used(tmp_path: Path) -> None:
    """Claim: ranks without shared experts and files that nothing reads are refused."""
    path = write(iteration_table(), tmp_path / "profile.csv")
    with pytest.raises(InputError, match="--ranks 2"):
        carry_out(Order((path,), ranks=2))
    operators = write(operator_tables()["operators"], tmp_path / "operators.csv")
    with pytest.raises(InputError, match=r"operators\.csv: not used"):
        carry_out(Order((path, operators)))


def test_measured_batches_are_never_too_large(tmp_path: Path) -> None:
    """Claim: a derived capacity does not leave out batches that ran, and is at least the largest of them."""
    path = write(_known(), tmp_path / "profile.csv")
    outcome = carry_out(Order((path,), memory_gb=18.0))
    assert len(outcome.found.kept) == len(iteration_table())
    assert outcome.instance is not None
    assert outcome.instance.kv_capacity_tokens >= iteration_table().eval("decode_requests * kv_tokens_per_decode").max()
    assert "largest batch that was measured" in outcome.instance.kv_capacity_source


def test_batches_beyond_the_operators_are_counted(tmp_path: Path) -> None:
    """Claim: batches of more tokens than the operators were timed at are left out, and the notes count them."""
    tables = operator_tables()
    tables["operators"] = tables["operators"].query("x <= 512")
    paths = tuple(write(table, tmp_path / f"{name}.csv") for name, table in tables.items())
    found = carry_out(Order(paths, layers=LAYERS)).found
    many = (tables["attention"].eval("prefill_tokens + decode_requests") > 512).sum()
    assert any(note.startswith(f"{many} batches of more tokens") for note in found.notes)


def test_targets_are_checked_first_and_plots_drawn_before_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Claim: a target that cannot be written is named at once; a refused fit still leaves its plot."""
    path, plot = write(iteration_table(), tmp_path / "profile.csv"), tmp_path / "fit.png"
    for option, value in (("--out", "none/x.toml"), ("--plot", "none/x.png"), ("--points", "none.csv"), ("--out", "x")):
        assert main(["calibrate", "missing.csv", option, value]) == 2
        assert option in capsys.readouterr().err
    assert main(["calibrate", str(path), "--form", "affine", "--max-error", "0.001", "--plot", str(plot)]) == 2
    assert "exceeds the limit" in capsys.readouterr().err
    assert plot.exists()
