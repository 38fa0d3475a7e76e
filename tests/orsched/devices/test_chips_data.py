"""Chips: every value has a source, and the published ones are what the files hold."""

import re

import pytest

from orsched.devices import chip, chip_names
from orsched.devices.chip_files import chip_from_toml
from orsched.errors import InputError, UnknownNameError

PEAKS = {  # TFLOP/s dense 16 bit, GiB usable, GB/s, W
    "a100-40g": (312, 40, 1555, 400),
    "a100-80g": (312, 80, 2039, 400),
    "h100-sxm": (989.4, 80, 3350, 700),
    "h200-sxm": (989.4, 141, 4800, 700),
    "b200": (2250, 179, 8000, 1000),
    "a40": (149.7, 45, 696, 300),
    "a6000": (154.8, 48, 768, 300),
    "l40s": (362, 48, 864, 350),
    "l4": (121, 24, 300, 72),
    "mi300x": (1307, 192, 5300, 750),
    "tpu-v5e": (197, 16, 819, None),
    "tpu-v5p": (459, 95, 2765, None),
    "ascend-910b": (280, 64, 1382, 310),
    "jetson-agx-orin": (42.8, 64, 204.8, 60),
    "jetson-agx-xavier": (11, 32, 137, 30),
    "jetson-xavier-nx": (1.69, 8, 59.7, 20),
}


@pytest.mark.parametrize(("name", "peaks"), PEAKS.items())
def test_peaks_are_those_of_the_table(name, peaks):
    """Claim: dense peaks (never the sparse ones that are printed as dense), memory, bandwidth and power."""
    device = chip(name)
    found = (device.fp16_flops / 1e12, device.memory_bytes / 2**30, device.bandwidth_bytes_s / 1e9, device.tdp_w)
    assert found == peaks
    assert device.kind == "datasheet"


@pytest.mark.parametrize("name", chip_names())
def test_every_value_has_a_source(name):
    """Claim: no number of a chip without where it comes from and how sure it is; prices have a date."""
    device = chip(name)
    assert device.name == name
    named = {"fp16_flops", "memory_bytes", "bandwidth_bytes_s", "compute_efficiency", "memory_efficiency", "dispatch_s"}
    assert named <= set(device.facts)
    optional = ("tdp_w", "fp8_flops", "int8_ops", "idle_w", "link_bytes_s", "link_latency_s", "sms", "saturation_share")
    assert {field for field in optional if getattr(device, field) is not None} <= set(device.facts)
    assert all(fact.source and fact.confidence for fact in device.facts.values())
    assert all(re.fullmatch(r"20\d\d-\d\d(-\d\d)?", price.date) and price.source for price in device.prices)


def test_spads_prefill_chip_is_consistent():
    """Claim: 128 cores of 4 lanes of 32 x 32 at 1.83 GHz give 1.92 PFLOP/s; ridges are 938 FLOP a byte and 295."""
    prefill = chip("spad-prefill")
    assert prefill.sms is not None
    clock = prefill.fp16_flops / (prefill.sms * 4 * 32 * 32 * 2)
    assert clock == pytest.approx(prefill.clock_most_hz, rel=1e-3)
    assert round(prefill.ridge_flop_byte) == 938
    assert round(chip("h100-sxm").ridge_flop_byte) == 295
    assert chip("spad-decode").tdp_w == pytest.approx(0.72 * chip("h100-sxm").tdp_w)
    assert prefill.prices[0].value == pytest.approx(1 - 0.52)


def test_eight_bit_peaks_are_used_where_they_exist():
    """Claim: weights of one byte run at the 8-bit peak on an H100, at the 16-bit peak on an A100, which has none."""
    assert chip("h100-sxm").peak_flops(1) == 1978.9e12
    assert chip("a100-80g").peak_flops(1) == chip("a100-80g").peak_flops(2) == 312e12


def test_names_and_aliases():
    """Claim: a chip is found by its aliases, in upper case too; an unknown one is answered with the nearest."""
    assert chip("H100").name == "h100-sxm"
    with pytest.raises(UnknownNameError, match="did you mean 'h200-sxm'"):
        chip("h200-sx")


def a_chip(**changes: str) -> str:
    tables = {"fp16_flops": "1e12", "memory_bytes": "1e9", "bandwidth_bytes_s": "1e11", "dispatch_s": "1e-6"}
    tables |= {"compute_efficiency": "0.8", "memory_efficiency": "0.8"} | changes
    lines = 'name = "c"\ntitle = "C"\nkind = "hypothetical"\n'
    return lines + "".join(
        f'[{field}]\nvalue = {value}\nsource = "test"\nconfidence = "ours"\n' for field, value in tables.items()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (a_chip(fp16_flops="-1.0"), "fp16_flops = -1.0"),
        (a_chip(fp16_flops="nan"), "fp16_flops"),
        (a_chip(memory_efficiency="1.2"), "memory_efficiency = 1.2"),
        (a_chip(sms="2.5"), "sms.value = 2.5"),
        (a_chip(colour="1.0"), "colour"),
        (a_chip(memory_bytes='"80 GB"'), "memory_bytes.value = 80 GB"),
        (a_chip().replace('confidence = "ours"', 'confidence = "sure"', 1), "confidence = sure"),
        (a_chip().replace('source = "test"', 'source = ""', 1), "source"),
        ('topology = "star"\n' + a_chip(), "topology = star"),
        (a_chip() + '[[price]]\nvalue = 1.0\nunit = "USD"\ndate = "yesterday"\nsource = "x"\n', "date = yesterday"),
    ],
)
def test_bad_chip_files_are_refused(text, message):
    """Claim: a file that breaks the schema is an error that names the file and the field."""
    assert chip_from_toml(a_chip(), "here")[0].name == "c"
    with pytest.raises(InputError, match=re.escape(message)) as error:
        chip_from_toml(text, "here")
    assert str(error.value).startswith("here: ")
