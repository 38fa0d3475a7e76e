"""Fits recover the device behind a profile, in every form, and say how far they are off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from profiles import DEVICE, LAYERS, carry_out, iteration_table, operator_tables, write

from experiments.calibration.calibrating import calibrate
from experiments.calibration.carrying import carried_over
from experiments.calibration.end_to_end import MOST_OVERHEAD_S, Overhead, solve
from experiments.calibration.entry import KERNELS_ONLY
from experiments.calibration.errors import predicted_s
from experiments.calibration.experts import activated_experts
from experiments.calibration.order import Order, left_out
from experiments.cli import main
from orsched import hardware
from orsched.devices import model_config
from orsched.errors import InputError
from orsched.service import Affine, Hinged, Tabulated


def _profile(tmp_path: Path, **columns: object) -> Path:
    return write(iteration_table().assign(**columns), tmp_path / "profile.csv")


def test_hinged_recovers_the_device(tmp_path: Path) -> None:
    """Claim: without noise the hinged fit finds the model behind the profile, hinge included."""
    found = carry_out(Order((_profile(tmp_path),))).found.service
    assert isinstance(found, Hinged)
    for name in Hinged.__dataclass_fields__:
        if name not in ("scaling", "power"):
            assert getattr(found, name) == pytest.approx(getattr(DEVICE, name), rel=1e-3)


def test_tabulated_gives_back_a_grid_it_can_hold(tmp_path: Path) -> None:
    """Claim: where mixed batches do not depend on the past, a tabulated model gives back every point."""
    device = replace(DEVICE, mixed_sequence_s=0.0, hinge_token_s=0.0, sequence_s=DEVICE.prompt_token_s)
    path = write(iteration_table(device), tmp_path / "profile.csv")
    outcome = carry_out(Order((path,), form="tabulated", most_error=1.0))
    assert isinstance(outcome.found.service, Tabulated)
    rows = outcome.found.kept
    assert predicted_s(outcome.found.service, rows) == pytest.approx(rows["time_s"].to_numpy(), rel=1e-9)


def test_parts_become_curves_and_grids(tmp_path: Path) -> None:
    """Claim: a profile of parts is tabulated part by part and interpolates a linear device almost exactly."""
    paths = tuple(write(table, tmp_path / f"{name}.csv") for name, table in operator_tables().items())
    found = carry_out(Order(paths, form="tabulated", layers=LAYERS)).found
    assert isinstance(found.service, Tabulated)
    assert found.service.tokens(1000.0) == pytest.approx(LAYERS * (1e-4 + 1e-3), rel=1e-6)
    assert max(error.mape for error in found.errors) < 0.02


def test_errors_of_parts_are_of_points_the_model_has_not_seen(tmp_path: Path) -> None:
    """Claim: a kink of the operators at one inner token count shows in the error, and every point counts once."""
    tables = operator_tables()
    operators = tables["operators"]
    kink = (operators["counted_in"] == "dense") & operators["x"].isin((8, 32, 128))
    operators.loc[kink, "time_s"] *= 1.5
    paths = tuple(write(table, tmp_path / f"{name}.csv") for name, table in tables.items())
    found = carry_out(Order(paths, form="tabulated", layers=LAYERS, most_error=1.0)).found
    by_regime = found.kept["regime"].value_counts()
    itself = {check.against.rpartition(" ")[2]: check.mape for check in found.cross_checks}
    assert all(0 < error.points <= by_regime[error.group] for error in found.errors)
    assert itself.keys() == set(by_regime.index)
    decode = next(error for error in found.errors if error.group == "decode")
    assert decode.mape > 0.05 > 10 * itself["decode"]


def test_a_fitted_overhead_ends_the_warning_of_kernel_sums(tmp_path: Path) -> None:
    """Claim: an entry of kernel sums says that they are too short until an overhead was fitted, in any form."""
    paths = tuple(write(table, tmp_path / f"{name}.csv") for name, table in operator_tables().items())
    order = Order(paths, layers=LAYERS, kv_capacity_tokens=300_000)
    outcome = carry_out(order)
    assert KERNELS_ONLY in outcome.entry()["notes"]
    slower = Overhead(0.001, {"tpot": -0.1}, {"tpot": 0.0}, 3)
    assert KERNELS_ONLY not in outcome.with_overhead(slower, "a log", order).entry()["notes"]
    with pytest.raises(InputError, match="still off by"):
        outcome.with_overhead(replace(slower, after={"tpot": 0.3}), "a log", order)


def test_left_out_groups_that_coincide_are_one_check() -> None:
    """Claim: where leaving out a GPU and leaving out a model leave the same groups, there is one cross-check."""
    checks = carried_over("llama3.1-70b/h100-tp4")
    assert [check.against for check in checks] == ["other gpus and models and tensor-parallels"]


def test_a_wrong_form_is_refused_unless_accepted(tmp_path: Path) -> None:
    """Claim: an error above the limit is refused with what to do, and recorded when accepted."""
    order = Order((_profile(tmp_path),), form="affine", most_error=0.02)
    with pytest.raises(InputError, match=r"exceeds the limit of 2\.0%; try --form"):
        carry_out(order)
    outcome = carry_out(replace(order, accept_error=True))
    assert isinstance(outcome.found.service, Affine)
    assert any(note.startswith("accepted although") for note in outcome.found.notes)


def test_unknown_form_and_missing_regimes(tmp_path: Path) -> None:
    """Claim: an unknown form is refused; regimes that were not measured are named; tabulated refuses to invent them."""
    path = _profile(tmp_path)
    with pytest.raises(InputError, match="hinged"):
        carry_out(Order((path,), form="hinge"))
    table = iteration_table()
    apart = table[(table["prefill_tokens"] == 0) | (table["decode_requests"] == 0)]
    path = write(apart, tmp_path / "apart.csv")
    found = carry_out(Order((path,))).found
    assert any("no mixed batches" in note for note in found.notes)
    assert found.service.mixed_kv_token_s == 0
    with pytest.raises(InputError, match="invent"):
        carry_out(Order((path,), form="tabulated"))


def test_only_batches_that_fit_are_used(tmp_path: Path) -> None:
    """Claim: batches beyond the KV capacity are left out of the fit and of the stated range."""
    outcome = carry_out(Order((_profile(tmp_path),), kv_capacity_tokens=20_000))
    assert outcome.found.ranges()["kv_tokens"][1] <= 20_000
    with pytest.raises(InputError, match="more than the"):
        calibrate(outcome.profile, "hinged", 1)


def test_scaled_devices_predict_each_other() -> None:
    """Claim: groups whose times are in the ratio of their data sheets predict each other exactly."""
    from experiments.calibration.profile_files import bundled

    order = Order(bundled(("muxserve_llama.parquet",)))
    rows = left_out(order, "tensor-parallel")
    assert {row.group.rpartition("TP")[2] for row in rows} == {"1", "2", "4", "8"}
    assert all(np.isfinite(error.mape) for row in rows for error in row.errors)
    with pytest.raises(InputError, match="one gpu only"):
        left_out(order, "gpu")


def test_overhead_is_the_root() -> None:
    """Claim: the overhead found brings the error to zero; it is never negative; one too large is refused."""
    found = solve(lambda s: {"tpot": (s - 0.0031) / 0.02, "latency": s})
    assert found.overhead_s == pytest.approx(0.0031, abs=2e-6)
    assert found.before["tpot"] < 0 < found.simulations <= 15
    slow = solve(lambda s: {"tpot": s + 0.1})
    assert slow.overhead_s == 0
    assert slow.note
    with pytest.raises(InputError, match="something else"):
        solve(lambda s: {"tpot": s - 10 * MOST_OVERHEAD_S})


def test_expected_experts() -> None:
    """Claim: one token wakes the experts it visits, many wake all, and never more."""
    shape = model_config("Qwen3-30B-A3B")
    awake = activated_experts(shape, np.array([1.0, 2.0, 1e4]), shape.experts)
    assert awake[0] == pytest.approx(shape.active_experts)
    assert shape.active_experts < awake[1] < 2 * shape.active_experts
    assert awake[2] == pytest.approx(shape.experts)


def test_command_writes_what_hardware_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Claim: `--out` is a hardware file, `--plot` a picture, `--json` one object; a refusal writes nothing."""
    path, out, plot = _profile(tmp_path), tmp_path / "model.toml", tmp_path / "fit.png"
    arguments = [str(path), "--kv-capacity-tokens", "300000", "--max-num-seqs", "128", "--out", str(out)]
    assert main(["calibrate", *arguments, "--plot", str(plot), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    entry = hardware(str(out))
    assert entry.name == "newmodel/newgpu"
    assert (entry.kv_capacity_tokens, entry.max_num_seqs) == (300_000, 128)
    assert [error.group for error in entry.fit_error] == [error["regime"] for error in document["errors"]]
    assert entry.valid_range["num_seqs"] == (0, 128)
    assert plot.read_bytes().startswith(b"\x89PNG")
    other = tmp_path / "other.toml"
    assert main(["calibrate", str(path), "--out", str(other)]) == 2
    said = capsys.readouterr()
    assert "--kv-capacity-tokens" in said.err
    assert not said.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit.png", "model.toml", "profile.csv"]
