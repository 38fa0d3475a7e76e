"""Hardware files from outside: whatever is in them, an entry with finite times or one line that says what is wrong."""

import math

import pytest

from orsched import hardware
from orsched.catalogue import MOST_KV_TOKENS, Hardware
from orsched.checks import require_number, require_whole, shown
from orsched.errors import InputError
from orsched.hardware_file import MOST_SEQS, hardware_from_toml
from orsched.service import Affine, Batch

TOP = 'name = "x/y"\nform = "roofline"\nkind = "datasheet"\nsource = "s"\n'
TOP += "kv_capacity_tokens = 100000\nmax_num_seqs = 16\n"
ROOFLINE = '[coefficients]\nchip = "h100-sxm"\nmodel = "llama3-8b"\n'
AFFINE = "[coefficients]\nbase_s = 1e-2\nprompt_token_s = 1e-4\nsequence_s = 1e-4\nkv_token_s = 1e-8\n"


def a_file(top: str = "", coefficients: str = "", **changes: str) -> str:
    text = TOP
    for field, value in changes.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{field} ="))
        text = text.replace(old, f"{field} = {value}")
    return text + top + "\n" + ROOFLINE + coefficients


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (a_file("notes = " + "[" * 100_000), "nested too deeply"),
        (a_file("", "zz = " + "[" * 5000 + "]" * 5000), "nested too deeply"),
        (a_file("", "zz = " + "{a=" * 3000 + "1" + "}" * 3000), "nested too deeply"),
        (a_file("tdp_w = " + "9" * 5000), "not a TOML file"),
        (a_file("", "overhead_s = " + "9" * 4000), "overhead_s = 9999"),
        (a_file("", "overhead_s = 1e300"), "overhead_s = 1e+300: must be at most 1e+06"),
        (a_file("", "compute_efficiency = 1e-320"), "compute_efficiency"),
        (a_file(kv_capacity_tokens='"100000"'), "kv_capacity_tokens"),
        (a_file(kv_capacity_tokens="true"), "kv_capacity_tokens"),
        (a_file(kv_capacity_tokens="100000.0"), "kv_capacity_tokens"),
        (a_file(kv_capacity_tokens="10000000000000000000000"), "kv_capacity_tokens"),
        (a_file(max_num_seqs="10000000000000000000"), "max_num_seqs"),
        (a_file(max_num_seqs="1000001"), "max_num_seqs"),
        (a_file("tdp_w = inf"), "tdp_w"),
        (a_file("cost = inf"), "cost"),
        (a_file("", "[range]\nprompt_tokens = [nan, nan]"), "range.prompt_tokens"),
        (a_file("", "[range]\nprompt_tokens = [5, 1]"), "range.prompt_tokens = [5, 1]"),
        (a_file("", "[range]\nprompt_tokens = [5]"), "range.prompt_tokens"),
        (a_file("", "[range]\nfoo = [1, 2]"), "unknown range 'foo'"),
        (a_file("", '[[fit]]\nregime = "x"\npoints = 1\nmape = 0.1\np95_ape = inf'), "p95_ape"),
        (a_file("", "[scaling]\nsaturation_share = 0.5\nsource = 3"), "scaling.source = 3"),
        (a_file(name='"x\\ny\\u001b[31m"'), "no control characters"),
    ],
)
def test_hostile_files_are_refused_in_one_line(text, message):
    """Claim: nesting, digits, types, sizes, order and control characters: one short line, never a traceback."""
    with pytest.raises(InputError) as error:
        hardware_from_toml(text, "here")
    assert message in str(error.value)
    assert str(error.value).startswith("here: ")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_the_file_without_its_fault_is_read():
    """Claim: what the hostile files are made of is a good file; whole numbers will do where a number is asked for."""
    made = hardware_from_toml(a_file("tdp_w = 700", "[range]\nprompt_tokens = [0, 10]"), "here")
    assert made.valid_range == {"prompt_tokens": (0, 10)}
    assert made.tdp_w == 700


@pytest.mark.parametrize("field", ["base_s", "prompt_token_s", "sequence_s", "kv_token_s"])
def test_no_coefficient_in_seconds_can_make_a_time_infinite(field):
    """Claim: at the largest seconds a file may have, any batch has a finite time; more is refused."""
    text = TOP.replace("roofline", "affine") + AFFINE
    line = next(line for line in AFFINE.splitlines() if line.startswith(field))
    made = hardware_from_toml(text.replace(line, f"{field} = 1e6"), "here")
    assert math.isfinite(made.service.iteration_s(Batch(2**31, 2.0**61, 2**31, MOST_SEQS, MOST_KV_TOKENS)))
    with pytest.raises(InputError, match=f"{field} = 2000000.0: must be at most"):
        hardware_from_toml(text.replace(line, f"{field} = 2e6"), "here")


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_num_seqs", 10**12), ("max_num_seqs", True), ("kv_capacity_tokens", 10**30), ("kv_capacity_tokens", 1.5)],
)
def test_instances_have_limits(field, value):
    """Claim: seats and KV memory are whole numbers within limits, in code, too."""
    with pytest.raises(InputError, match=rf"Hardware\.{field} = "):
        Hardware("x", Affine(0.01, 0.0, 1e-3, 0.0), **{"kv_capacity_tokens": 1000, field: value})


@pytest.mark.parametrize(
    "name", [None, 5, ("a",), b"x", ["llama3-8b/h100-sxm"], {}, "a\0b.toml", "a\nb", "x" * 100_000]
)
def test_what_is_no_name_is_refused(name):
    """Claim: an error of ours for whatever is given as a name, also as the device."""
    with pytest.raises(InputError):
        hardware(name)
    with pytest.raises(InputError):
        hardware("llama3-8b", name if name is not None else 5)


def test_messages_show_no_more_than_eighty_characters():
    """Claim: values of any length, and integers that Python refuses to print, make short messages."""
    assert shown("a" * 1000) == "'" + "a" * 76 + "..."
    assert shown(10**5000) == "an integer of too many digits"
    for check in (require_whole, require_number):
        for value in ("9" * 5000, 10**5000, 10**4000, [0] * 5000):
            with pytest.raises(InputError) as error:
                check("x", value, most=5)
            assert len(str(error.value)) < 200
