"""The hardware catalogue is what the calibration code computes from the bundled profiles."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.calibration import HINGED_TERMS, Calibration, calibrate, fit_profile, fitted_names
from experiments.calibration.__main__ import main
from experiments.calibration.leave_one_out import leave_one_group_out
from experiments.calibration.profile_frame import profile_frame
from experiments.calibration.profiles import muxserve_llama_7b
from experiments.calibration.toml_text import toml_text

TRUE = {
    "base_s": 0.011,
    "prompt_token_s": 3e-5,
    "sequence_s": 4e-5,
    "kv_token_s": 2e-7,
    "hinge_token_s": 5e-5,
    "chunk_attention_s": 2e-9,
    "past_token_s": 6e-7,
    "mixed_kv_token_s": 1e-7,
}
TRUE_HINGE = 200.0


def _entry(name: str) -> dict[str, Any]:
    path = resources.files("orsched") / "data" / "hardware" / f"{name.replace('/', '_')}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _calibration(name: str) -> Calibration:
    return calibrate(_entry(name))


def _synthetic(noise: float = 0.0) -> pd.DataFrame:
    """Iterations of a model with known coefficients, in all four regimes, with relative noise."""
    rng = np.random.default_rng(20261121)
    n = 800
    prompt = np.where(rng.random(n) < 0.6, rng.integers(1, 2048, n), 0)
    seqs = np.where((rng.random(n) < 0.6) | (prompt == 0), rng.integers(1, 256, n), 0)
    past = np.where((prompt > 0) & (rng.random(n) < 0.6), rng.integers(1, 8192, n), 0)
    kv = seqs * rng.integers(1, 2048, n)
    attention = prompt * (past + prompt / 2)
    time_s = (
        TRUE["base_s"]
        + TRUE["prompt_token_s"] * prompt
        + TRUE["sequence_s"] * seqs
        + TRUE["kv_token_s"] * kv
        + TRUE["hinge_token_s"] * np.maximum(0.0, prompt + seqs - TRUE_HINGE)
        + TRUE["chunk_attention_s"] * attention
        + TRUE["past_token_s"] * past
        + TRUE["mixed_kv_token_s"] * kv * (prompt > 0)
    )
    return profile_frame(
        prompt_tokens=prompt,
        chunk_attention=attention,
        past_tokens=past,
        num_seqs=seqs,
        kv_tokens=kv,
        time_s=time_s * (1 + noise * rng.standard_normal(n)),
        group=rng.integers(0, 8, n),
    )


@pytest.mark.parametrize("name", fitted_names())
def test_coefficients_are_recomputed(name: str) -> None:
    """(a) Every fitted entry holds the coefficients the code finds in the bundled profile."""
    assert _calibration(name).tables()["coefficients"] == pytest.approx(
        _entry(name)["coefficients"], rel=1e-6, abs=1e-18
    )


@pytest.mark.parametrize("name", fitted_names())
@pytest.mark.parametrize("table", ["fit", "cross_check"])
def test_stated_errors_are_recomputed(name: str, table: str) -> None:
    """(b) The errors and cross-checks an entry states are those of its coefficients."""
    stated, computed = _entry(name)[table], _calibration(name).tables()[table]
    assert len(stated) == len(computed)
    for row, expected in zip(stated, computed, strict=True):
        assert row.keys() == expected.keys()
        for key, value in expected.items():
            assert row[key] == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value)


@pytest.mark.parametrize("name", fitted_names())
def test_range_is_that_of_the_profile(name: str) -> None:
    """The stated range of validity is the range of the fitted points."""
    assert _entry(name)["range"] == _calibration(name).tables()["range"]


def test_every_fitted_entry_has_a_calibration() -> None:
    """No entry claims to be fitted without code that refits it, and none is refitted unasked."""
    folder = resources.files("orsched") / "data" / "hardware"
    entries = [
        tomllib.loads(item.read_text(encoding="utf-8")) for item in folder.iterdir() if item.name.endswith(".toml")
    ]
    claimed = {entry["name"] for entry in entries if entry["kind"] == "fitted" and "range" in entry}
    assert claimed == set(fitted_names())


def test_fit_recovers_known_coefficients() -> None:
    """(c) On noise-free data of the model's own form the fit is exact, hinge included."""
    fit = fit_profile(_synthetic())
    assert fit.hinge_tokens == TRUE_HINGE
    assert fit.coefficients == pytest.approx(TRUE, rel=1e-6)
    assert [error.regime for error in fit.errors] == ["chunked", "decode", "mixed", "prefill"]
    assert max(error.p95_ape for error in fit.errors) < 1e-9


def test_fit_tolerates_noise() -> None:
    """(c) With 3% relative noise the coefficients stay within 15% and the error is that of the noise."""
    fit = fit_profile(_synthetic(noise=0.03))
    assert fit.coefficients == pytest.approx(TRUE, rel=0.15)
    assert fit.hinge_tokens == pytest.approx(TRUE_HINGE, abs=40)
    mean_abs_noise = 0.03 * np.sqrt(2 / np.pi)
    assert [error.mape for error in fit.errors] == pytest.approx([mean_abs_noise] * 4, rel=0.2)


def test_regimes_count_equally() -> None:
    """Repeating the points of one regime does not move the fit."""
    profile = muxserve_llama_7b()
    prefill = profile[profile["regime"] == "prefill"]
    repeated = pd.concat([profile, prefill, prefill], ignore_index=True)
    assert fit_profile(repeated).coefficients == pytest.approx(fit_profile(profile).coefficients, rel=1e-6)


def test_fixed_coefficient_is_held() -> None:
    """A coefficient given is kept, and terms not asked for are zero."""
    fit = fit_profile(_synthetic(), terms=("base_s", "prompt_token_s"), fixed={"sequence_s": 1e-5})
    assert fit.coefficients["sequence_s"] == 1e-5
    assert {t for t in HINGED_TERMS if fit.coefficients[t] > 0} <= {"base_s", "prompt_token_s", "sequence_s"}


def test_leaving_groups_out_of_exact_data_costs_nothing() -> None:
    """Data of the model's own form predict every left-out group exactly."""
    assert leave_one_group_out(_synthetic(), fit_profile) < 1e-9


def test_one_group_cannot_be_left_out() -> None:
    """A single group leaves nothing to fit; the message names the column."""
    with pytest.raises(ValueError, match="group"):
        leave_one_group_out(_synthetic().assign(group=0), fit_profile)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time_s", -0.001),
        ("time_s", 0.0),
        ("time_s", np.nan),
        ("time_s", np.inf),
        ("prompt_tokens", -1.0),
        ("chunk_attention", np.nan),
        ("kv_tokens", -5.0),
        ("regime", None),
        ("group", np.nan),
    ],
)
def test_impossible_values_are_refused(column: str, value: float | None) -> None:
    """(d) A negative, missing or infinite value is refused, naming its column."""
    profile = _synthetic()
    profile[column] = profile[column].astype(object if column == "regime" else np.float64)
    profile.loc[3, column] = value
    with pytest.raises(ValueError, match=column):
        fit_profile(profile)


def test_too_few_points_and_missing_columns_are_refused() -> None:
    """(d) So are a profile shorter than the number of terms, a missing column and an unknown term."""
    with pytest.raises(ValueError, match="time_s has 8 points"):
        fit_profile(_synthetic().head(8))
    with pytest.raises(ValueError, match="kv_tokens"):
        fit_profile(_synthetic().drop(columns="kv_tokens"))
    with pytest.raises(ValueError, match="warp_s"):
        fit_profile(_synthetic(), terms=("base_s", "warp_s"))


def test_unknown_entry_is_refused() -> None:
    """Only fitted entries can be refitted."""
    with pytest.raises(ValueError, match="reference"):
        calibrate({"name": "reference"})


@pytest.mark.parametrize("name", [*fitted_names(), "reference"])
def test_toml_text_reads_back(name: str) -> None:
    """Writing an entry and reading it back gives the same entry."""
    assert tomllib.loads(toml_text(_entry(name))) == _entry(name)


def test_toml_text_refuses_what_it_cannot_write() -> None:
    """A value of another type is refused, naming its key; quotes and newlines survive."""
    with pytest.raises(ValueError, match="when"):
        toml_text({"when": object()})
    text = 'a  "quoted" word, a \\ and a\nnew line ' * 5
    awkward = {"notes": text, "indented": f" {text}", "flag": True, "steps": [1, 2.5]}
    assert tomllib.loads(toml_text(awkward)) == awkward


def test_command_rewrites_only_what_it_refits(tmp_path: Path) -> None:
    """The command restores a spoilt fitted entry, leaves others alone and leaves no part files."""
    good = _entry("llama3-8b/a100-80g")
    spoilt = {**good, "coefficients": {**good["coefficients"], "base_s": 1.0}}
    (tmp_path / "fitted.toml").write_text(toml_text(spoilt), encoding="utf-8")
    (tmp_path / "chosen.toml").write_text('name = "reference"\n', encoding="utf-8")
    main(folder=tmp_path, dry_run=True)
    assert tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8")) == spoilt
    main(folder=tmp_path, dry_run=False)
    assert tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8")) == good
    assert (tmp_path / "chosen.toml").read_text(encoding="utf-8") == 'name = "reference"\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chosen.toml", "fitted.toml"]
