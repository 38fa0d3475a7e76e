"""The catalogue: entries from files, and names composed of a model and a chip."""

from dataclasses import replace

import pytest

from orsched import hardware, hardware_names
from orsched.composition import compose, kv_capacity_tokens
from orsched.devices import chip, chip_names, find_chip, find_model, model_config
from orsched.errors import InputError, UnknownNameError
from orsched.service.roofline import Roofline


def test_names_without_a_file_are_composed():
    """Claim: a model and a chip make an entry, with N chips of a tensor-parallel group as -tpN."""
    made = hardware("llama2-13b/h100-sxm-tp2")
    assert made.name == "llama2-13b/h100-sxm-tp2"
    assert made.kind == "datasheet"
    assert made.service.tensor_parallel == 2
    assert (made.tdp_w, made.cost) == (1400, pytest.approx(2 * 2.69))
    assert made.cost_unit.startswith("USD/h (2026-11")
    assert hardware("llama2-13b/h100-sxm-tp2") is made
    assert made.name not in hardware_names()


def test_other_names_of_model_and_chip_mean_the_same_entry():
    """Claim: aliases, upper case and -tp1 lead to the canonical name, and to its file where there is one."""
    assert hardware("meta-llama/Llama-2-13b-hf/H100-tp2") is hardware("llama2-13b/h100-sxm-tp2")
    assert hardware("Llama-2-7b-hf", "a100-80g-tp1") is hardware("llama2-7b/a100-80g")
    assert hardware("llama2-7b/a100-80g").kind == "fitted"
    assert hardware("vicuna-13b/h100-sxm").name == "llama2-13b/h100-sxm"


@pytest.mark.parametrize(
    ("spelling", "entry"),
    [
        ("Llama-3.1-8B/L40S", "llama3.1-8b/l40s"),
        ("llama3.1-8b/h200-sxm", "llama3.1-8b/h200"),
        ("Llama-3.1-70B/h100-tp4", "llama3.1-70b/h100-tp4"),
        ("llama3.1-70b/H100-SXM-TP4", "llama3.1-70b/h100-tp4"),
        ("llama-2-70b/h100-80g-tp8", "llama2-70b/h100-80g-tp8"),
        ("llama2-70b/h100-tp8", "llama2-70b/h100-80g-tp8"),
        ("llama3-70b/h100-tp4", "llama3.1-70b/h100-tp4"),
        ("llama3.3-70b/a100-80g-tp4", "llama3-70b/a100-80g-tp4"),
        ("llama3.3-70b/h200-tp8", "llama3.1-70b/h200-tp8"),
        ("Meta-Llama-3.1-8B-Instruct/RTX4090", "llama3.1-8b/rtx4090"),
        ("llama3-8b/rtx4090", "llama3.1-8b/rtx4090"),
        ("llama3.1-8b/RTX4090-hinged", "llama3.1-8b/rtx4090-hinged"),
        ("LLAMA3-8B/H200-SXM", "llama3-8b/h200-sxm"),
        ("llama2-7b/A100-80G-TP1", "llama2-7b/a100-80g"),
    ],
)
def test_another_spelling_never_turns_a_fit_into_a_data_sheet(spelling, entry):
    """Claim: names of model and chip, upper case, -tpN in any case: the entry meant, fitted where there is a fit."""
    assert hardware(spelling) is hardware(entry)


def test_no_composition_where_there_is_a_fit():
    """Claim: for every fitted entry with a chip here, every alias of its model with every alias of its chip means a
    fitted entry, but where the catalogue has a data sheet under exactly that name."""
    for entry in map(hardware, hardware_names()):
        model, _, device = entry.name.rpartition("/")
        name, _, gpus = device.partition("-tp")
        if entry.kind == "fitted" and find_chip(name) is not None and find_model(model) is not None:
            for spelt in {model, model.upper(), find_model(model).name}:
                for silicon in {name, name.upper(), find_chip(name).name}:
                    found = hardware(f"{spelt}/{silicon}" + (f"-tp{gpus}" if gpus else ""))
                    exact = f"{spelt.lower()}/{silicon.lower()}" + (f"-tp{gpus}" if gpus else "")
                    assert found.kind == "fitted" or found.name == exact


@pytest.mark.parametrize(("model", "device", "gpus"), [("llama3-8b", "h100-sxm", 1), ("llama2-70b", "h100-sxm", 16)])
def test_kv_capacity_is_what_the_weights_leave(model, device, gpus):
    """Claim: (0.9 memory - weights) / KV bytes; with 16 chips for 8 KV heads every head is stored twice, and so are
    their projections."""
    shape, silicon = model_config(model), replace(chip(device), link_chips=None)
    copies = max(1, gpus // shape.kv_heads)
    projections = shape.layers * 2 * shape.hidden * shape.kv_heads * shape.head_dim * shape.dtype_bytes
    weights = shape.weight_bytes + (copies - 1) * projections
    expected = (0.9 * silicon.memory_bytes * gpus - weights) / (shape.kv_bytes_per_token * copies)
    assert kv_capacity_tokens(shape, silicon, gpus) == int(expected)
    assert compose(shape, silicon, gpus).kv_capacity_tokens == int(expected)


def test_notes_of_model_and_chip_reach_the_entry():
    """Claim: what is noted of the model, its limit of positions and the chip's notes are in the composed entry's."""
    notes = hardware("opt-13b/mi300x").notes
    assert "At most 2,048 positions" in notes
    assert model_config("opt-13b").notes in notes
    assert chip("mi300x").notes in notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("llama3-8b", "h100-sxm", 1), "takes a ModelConfig and a Chip"),
        ((model_config("llama3-8b"), "h100-sxm", 1), "takes a ModelConfig and a Chip"),
        ((model_config("llama3-8b"), chip("h100-sxm"), 0), "gpus = 0"),
        ((model_config("llama3-8b"), chip("h100-sxm"), "1"), "gpus = '1'"),
        ((model_config("llama3-8b"), chip("h100-sxm"), 10**5000), "too many digits"),
        ((model_config("llama3-8b"), replace(chip("h100-sxm"), memory_bytes=1e18), 1), "kv_capacity_tokens"),
    ],
)
def test_compose_takes_a_model_and_a_chip(arguments, message):
    """Claim: names in place of objects, no number of chips and an absurd memory are errors that say so."""
    with pytest.raises(InputError, match=message):
        compose(*arguments)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llama2-70b/h100-sxm", "the fewest that hold it are 2: llama2-70b/h100-sxm-tp2"),
        ("deepseek-v3/a100-80g-tp8", "no number of chips up to 8"),
        ("deepseek-v3/a100-80g-tp16", "known for groups of at most 8"),
        ("llama2-70b/h100-sxm-tp16", r"groups of at most 8 \(GPUs of an HGX machine"),
        ("llama2-70b/mi300x-tp64", "known for groups of at most 8"),
        ("llama3-70b/jetson-agx-orin", "take a smaller model"),
        ("llama3-70b/l4", "no number of chips up to 2"),
        ("llama3-8b/l4-tp4", "known for groups of at most 2"),
        ("qwen2.5-7b/h100-sxm-tp7", "its 4 KV heads can be neither divided among 7 nor copied evenly"),
        ("qwen2.5-32b/h100-sxm-tp5", "qwen2.5-32b runs on 1, 2, 4, 8, 40"),
        ("qwen2.5-32b/cent-device", "the fewest that hold it are 8:"),
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
