"""Bytes that one token of context takes over a link."""

import pytest

from orsched import Hardware, hardware, hardware_names
from orsched.errors import InputError
from orsched.hardware_file import hardware_from_toml
from orsched.service import Affine

FILE = """
name = "x/y"
form = "affine"
kind = "theory"
source = "test"
kv_capacity_tokens = 100000
max_num_seqs = 16
{field}
[coefficients]
base_s = 1e-2
prompt_token_s = 1e-4
sequence_s = 1e-4
kv_token_s = 1e-8
"""


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("llama2-7b/a100-80g", 2 * 32 * 4096 * 2),  # keys and values, layers, hidden width (no GQA), two bytes
        ("llama3-8b/a100-80g", 2 * 32 * 8 * 128 * 2),  # 8 KV heads of 128
        ("llama3-70b/a100-80g-tp8", 2 * 80 * 8 * 128 * 2),  # the whole group, not one of its 8 GPUs
        ("deepseek-v3/h200-sxm-tp8", 61 * (512 + 64) * 2),  # a latent vector and a rotary key, the copies not counted
        ("llama2-13b/h100-sxm-tp2", 2 * 40 * 5120 * 2),  # composed, not in the catalogue
    ],
)
def test_bytes_per_token_of_the_whole_instance(name, by_hand):
    """Claim: by hand from layers, KV heads and their size; the number of GPUs does not matter."""
    assert hardware(name).kv_bytes_per_token == by_hand


def test_every_entry_of_a_known_model_has_them():
    """Claim: in the catalogue only ``reference``, which is no model's, does not know."""
    assert [name for name in hardware_names() if hardware(name).kv_bytes_per_token is None] == ["reference"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", None),
        ('model = "nobody-knows-7b"', None),
        ('model = "Llama-2-7b-hf"', 524_288),
        ('model = "llama2-7b"\nkv_bytes_per_token = 262144', 262_144),
        ("kv_bytes_per_token = 1000.5", 1000.5),
        (f'model = "x{"-hf" * 100_000}"', None),
    ],
)
def test_a_file_says_it_or_its_model_does(field, expected):
    """Claim: the file's own number first (a cache of 8 bits, say), then the model's; an unknown model gives none."""
    assert hardware_from_toml(FILE.format(field=field), "here").kv_bytes_per_token == expected


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", '"many"', "true", "1e300"])
def test_impossible_bytes_are_refused(value):
    """Claim: zero, negative, not finite, no number, absurd: an error that names the field."""
    with pytest.raises(InputError, match="kv_bytes_per_token"):
        hardware_from_toml(FILE.format(field=f"kv_bytes_per_token = {value}"), "here")


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), "many", True])
def test_hardware_checks_its_own_bytes(value):
    """Claim: the same for hardware made in Python."""
    with pytest.raises(InputError, match=r"Hardware.kv_bytes_per_token = "):
        Hardware("x", Affine(0.01, 0, 0, 1e-6), 1000, kv_bytes_per_token=value)
