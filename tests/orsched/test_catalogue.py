"""The catalogue: entries from files, and names composed of a model and a chip."""

import pytest

from orsched import hardware, hardware_names
from orsched.composition import compose, kv_capacity_tokens
from orsched.devices import chip, chip_names, model_config
from orsched.errors import InputError, UnknownNameError
from orsched.service.roofline import Roofline


def test_names_without_a_file_are_composed():
    """Claim: a model and a chip make an entry, with N chips of a tensor-parallel group as -tpN."""
    made = hardware("llama2-13b/h100-sxm-tp2")
    assert made.name == "llama2-13b/h100-sxm-tp2"
    assert made.kind == "datasheet"
    assert made.service.tensor_parallel == 2
    assert (made.tdp_w, made.cost) == (1400, 60_000)
    assert made.cost_unit.startswith("USD (2026-11")
    assert hardware("llama2-13b/h100-sxm-tp2") is made
    assert made.name not in hardware_names()


def test_other_names_of_model_and_chip_mean_the_same_entry():
    """Claim: aliases, upper case and -tp1 lead to the canonical name, and to its file where there is one."""
    assert hardware("meta-llama/Llama-2-13b-hf/H100-tp2") is hardware("llama2-13b/h100-sxm-tp2")
    assert hardware("Llama-2-7b-hf", "a100-80g-tp1") is hardware("llama2-7b/a100-80g")
    assert hardware("llama2-7b/a100-80g").kind == "fitted"
    assert hardware("vicuna-13b/h100-sxm").name == "llama2-13b/h100-sxm"


@pytest.mark.parametrize(("model", "device", "gpus"), [("llama3-8b", "h100-sxm", 1), ("llama2-70b", "h100-sxm", 16)])
def test_kv_capacity_is_what_the_weights_leave(model, device, gpus):
    """Claim: (0.9 memory - weights) / KV bytes; with 16 chips for 8 KV heads every head is stored twice."""
    shape, silicon = model_config(model), chip(device)
    copies = max(1, gpus // shape.kv_heads)
    expected = (0.9 * silicon.memory_bytes * gpus - shape.weight_bytes) / (shape.kv_bytes_per_token * copies)
    assert kv_capacity_tokens(shape, silicon, gpus) == int(expected)
    assert compose(shape, silicon, gpus).kv_capacity_tokens == int(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llama2-70b/h100-sxm", "the fewest that hold it are 2: llama2-70b/h100-sxm-tp2"),
        ("deepseek-v3/a100-80g-tp8", "the fewest that hold it are 16"),
        ("llama3-70b/jetson-agx-orin", "take a smaller model"),
        ("llama3-70b/l40s", "no number of chips up to 2"),
        ("llama3-8b/l40s-tp4", "known for groups of at most 2"),
        ("llama3-8b/jetson-agx-orin-tp2", "no links are known for jetson-agx-orin"),
        ("llama3-8b/h100-sxm-tp3", "must divide the 32 query heads"),
    ],
)
def test_what_does_not_fit_is_refused(name, message):
    """Claim: no entry whose weights do not fit; the message says what does."""
    with pytest.raises(InputError, match=message):
        hardware(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llama2-7b/a100", "did you mean 'llama2-7b/a100-80g'"),
        ("llama2-13b/h10-sxm", "did you mean 'llama2-13b/h100-sxm'"),
        ("llama4-13b/h100-sxm", "did you mean 'llama2-13b/h100-sxm'"),
        ("referense", "did you mean 'reference'"),
        ("llama2-13b/h100-sxm-tp0", "did you mean 'llama2-13b/h100-sxm'"),
        ("h100-sxm", "unknown hardware 'h100-sxm'"),
        ("", "unknown hardware ''"),
        ("/", "unknown hardware '/'"),
    ],
)
def test_unknown_names_suggest_files_and_compositions(name, message):
    """Claim: the nearest of what exists or could be composed is suggested."""
    with pytest.raises(UnknownNameError, match=message):
        hardware(name)


def test_the_stored_datasheet_entries_are_what_their_names_compose():
    """Claim: a roofline entry of the catalogue is its composition: service, capacity, power and cost."""
    found = 0
    for entry in map(hardware, hardware_names()):
        if isinstance(entry.service, Roofline):
            made = compose(entry.service.model, entry.service.chip, entry.service.tensor_parallel)
            assert (entry.name, entry.service, entry.kv_capacity_tokens) == (
                made.name,
                made.service,
                made.kv_capacity_tokens,
            )
            assert (entry.tdp_w, entry.cost, entry.cost_unit, entry.kind) == (
                made.tdp_w,
                made.cost,
                made.cost_unit,
                made.kind,
            )
            found += 1
    assert found >= 25


def test_every_chip_of_a_data_sheet_has_an_entry():
    """Claim: the list shows each real chip at least once."""
    listed = {name.partition("/")[2].partition("-tp")[0] for name in hardware_names()}
    assert {name for name in chip_names() if chip(name).kind == "datasheet"} <= listed
