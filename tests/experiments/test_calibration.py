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

from experiments.calibration.__main__ import main
from experiments.calibration.a100_sums import muxserve_llama_7b
from experiments.calibration.catalogue import fitted_entry, fitted_names
from experiments.calibration.fit import HINGED_TERMS, fit_profile
from experiments.calibration.leave_one_out import leave_one_group_out
from experiments.calibration.profile_frame import profile_frame
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
    "mixed_sequence_s": 2e-5,
}
TRUE_HINGE = 200.0


def _entry(name: str) -> dict[str, Any]:
    path = resources.files("orsched") / "data" / "hardware" / f"{name.replace('/', '_')}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


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
        + (TRUE["mixed_kv_token_s"] * kv + TRUE["mixed_sequence_s"] * seqs) * (prompt > 0)
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


@cache
def _recomputed(name: str) -> dict[str, Any]:
    return fitted_entry(name, _entry(name))


REGENERATED = (
    "llama2-7b/a100-80g",
    "llama3-8b/a100-80g",
    "llama2-13b/a100-80g",
    "llama2-70b/h100-80g-tp2",
    "llama3.1-8b/l40s",
)
"""Entries of every kind of fit that are recomputed here; the slow test does all of them."""


@pytest.mark.parametrize("name", REGENERATED)
def test_entries_are_recomputed(name: str) -> None:
    """Claim: a fitted entry is, number by number, what the code makes of the bundled profiles."""
    _require_same(_recomputed(name), _entry(name), name)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(set(fitted_names()) - set(REGENERATED)))
def test_all_entries_are_recomputed(name: str) -> None:
    """Claim: so is every other fitted entry."""
    _require_same(_recomputed(name), _entry(name), name)


def _require_same(computed: Any, stated: Any, where: str) -> None:
    """Compare nested tables; numbers to six digits, the rest exactly."""
    if isinstance(stated, dict):
        assert set(computed) == set(stated), where
        for key in stated:
            _require_same(computed[key], stated[key], f"{where}.{key}")
    elif isinstance(stated, list):
        assert len(computed) == len(stated), where
        for k, (one, other) in enumerate(zip(computed, stated, strict=True)):
            _require_same(one, other, f"{where}[{k}]")
    elif isinstance(stated, float):
        assert computed == pytest.approx(stated, rel=2e-5, abs=1e-18), where
    else:
        assert computed == stated, where


def test_every_fitted_entry_has_a_calibration() -> None:
    """Claim: no entry says it is fitted without code that refits it, and every recipe has its entry."""
    folder = resources.files("orsched") / "data" / "hardware"
    entries = [
        tomllib.loads(item.read_text(encoding="utf-8")) for item in folder.iterdir() if item.name.endswith(".toml")
    ]
    assert {entry["name"] for entry in entries if entry["kind"] == "fitted"} == set(fitted_names())


def test_fit_recovers_known_coefficients() -> None:
    """(c) On noise-free data of the model's own form the fit is exact, hinge included."""
    fit = fit_profile(_synthetic())
    assert fit.hinge_tokens == TRUE_HINGE
    assert fit.coefficients == pytest.approx(TRUE, rel=1e-6)
    assert [error.group for error in fit.errors] == ["chunked", "decode", "mixed", "prefill"]
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
    with pytest.raises(ValueError, match="time_s has 9 points"):
        fit_profile(_synthetic().head(9))
    with pytest.raises(ValueError, match="kv_tokens"):
        fit_profile(_synthetic().drop(columns="kv_tokens"))
    with pytest.raises(ValueError, match="warp_s"):
        fit_profile(_synthetic(), terms=("base_s", "warp_s"))


def test_unknown_entry_is_refused() -> None:
    """Only fitted entries can be refitted."""
    with pytest.raises(ValueError, match="reference"):
        fitted_entry("reference")


@pytest.mark.parametrize("name", [*REGENERATED, "llama3.1-8b/rtx4090", "reference"])
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
    """The command restores a spoilt fitted entry, keeps its power, leaves others alone and leaves no part files."""
    name, power = "llama2-13b/a100-80g", {"idle_w": 50.0, "iteration_j": 1.0, "most_w": 400.0}
    power |= {"prompt_token_j": 0.1, "sequence_j": 0.1, "kv_token_j": 1e-5}
    good = _entry(name)
    spoilt = {**good, "coefficients": {**good["coefficients"], "base_s": 1.0}, "power": power}
    path = tmp_path / "llama2-13b_a100-80g.toml"
    path.write_text(toml_text(spoilt), encoding="utf-8")
    (tmp_path / "chosen.toml").write_text('name = "reference"\n', encoding="utf-8")
    main(folder=tmp_path, only=[name], dry_run=True)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == spoilt
    main(folder=tmp_path, only=[name], dry_run=False)
    restored = tomllib.loads(path.read_text(encoding="utf-8"))
    assert restored.pop("power") == power
    _require_same(restored, {key: value for key, value in good.items() if key != "power"}, name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chosen.toml", "llama2-13b_a100-80g.toml"]
