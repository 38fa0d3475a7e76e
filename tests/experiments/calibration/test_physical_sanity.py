"""No fitted entry reads weights or KV memory much faster than the data sheet of its GPU allows."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from experiments.calibration.plausibility import LEAST_OF_WEIGHTS, limits_of
from experiments.calibration.recipes import recipes
from experiments.calibration.request import Wanted
from orsched import hardware
from orsched.devices import model_config
from orsched.service import Batch, Hinged


@pytest.mark.parametrize("name", recipes())
def test_fitted_entries_respect_the_data_sheet(name: str) -> None:
    """Claim: one decode takes as long as reading the weights, or the notes say that it is less; hinged KV reads too."""
    recipe = recipes()[name]
    shape = model_config(recipe.model)
    limits = limits_of(Wanted(recipe.gpu, recipe.model, recipe.tensor_parallel, shape, recipe.ranks))
    assert limits is not None
    entry, ranks = hardware(name), recipe.ranks
    path = resources.files("orsched") / "data" / "hardware" / f"{name.replace('/', '_')}.toml"
    notes = tomllib.loads(path.read_text(encoding="utf-8"))["notes"]
    share = entry.service.iteration_s(Batch(num_seqs=ranks, kv_tokens=ranks)) / limits.weights_s
    assert share >= LEAST_OF_WEIGHTS
    assert share >= 1 or "data sheet's bandwidth reads the weights" in notes
    if isinstance(entry.service, Hinged):
        assert entry.service.kv_token_s >= limits.kv_token_s * (1 - 1e-5)
    most = {field: high for field, (_, high) in entry.valid_range.items()}
    full = Batch(num_seqs=int(most["num_seqs"]), kv_tokens=int(most["kv_tokens"]))
    assert entry.service.iteration_s(full) >= 0.8 * max(limits.weights_s, full.kv_tokens / ranks * limits.kv_token_s)


@pytest.mark.parametrize("name", ["llama2-7b/a100-80g", "llama3-8b/a100-80g"])
def test_the_two_oldest_entries_respect_it_too(name: str) -> None:
    """Claim: so do the two entries that are made by hand."""
    limits = limits_of(Wanted("a100", name.partition("/")[0], 1, model_config(name.partition("/")[0])))
    service = hardware(name).service
    assert limits is not None
    assert isinstance(service, Hinged)
    assert service.iteration_s(Batch(num_seqs=1, kv_tokens=1)) >= limits.weights_s
    assert service.kv_token_s >= limits.kv_token_s
