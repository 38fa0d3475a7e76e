"""Chips: every value has a source, and the published ones are what the files hold."""

import re
from dataclasses import replace
from importlib import resources

import pandas as pd
import pytest

from orsched import hardware
from orsched.devices import AllReduce, Price, chip, chip_names
from orsched.devices.chip_files import chip_from_toml
from orsched.errors import InputError, UnknownNameError
from orsched.service.roofline.from_file import chip_scaling

PEAKS = {  # TFLOP/s dense 16 bit, GiB usable, GB/s, W
    "a100-40g": (312, 40, 1555, 400),
    "a100-80g": (312, 80, 2039, 400),
    "h100-sxm": (989.4, 80, 3350, 700),
    "h200-sxm": (989.4, 141, 4800, 700),
    "b200": (2250, 179, 8000, 1000),
    "a40": (149.7, 48, 696, 300),
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
    optional = ("tdp_w", "fp8_flops", "int8_ops", "idle_w", "link_bytes_s", "link_latency_s", "link_chips", "sms")
    optional += ("saturation_share", "compute_share", "sharpness")
    assert {field for field in optional if getattr(device, field) is not None} <= set(device.facts)
    assert (device.link_bytes_s is None) == ("link_efficiency" not in device.facts)
    assert all(f"all_reduces of {table.gpus}" in device.facts for table in device.all_reduces)
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


@pytest.mark.parametrize("name", chip_names())
def test_what_is_taken_from_another_chip_is_marked_ours(name):
    """Claim: efficiencies of AttAcc's A100 and H100, dispatch times and links that were measured on other chips, and
    shares of the SMs, are an assumption everywhere else, and say so."""
    facts = chip(name).facts
    of_the_a100 = {"a100-40g", "a100-80g", "a100-hbm3"}
    own = {
        "compute_efficiency": of_the_a100 | {"h100-sxm"},
        "memory_efficiency": of_the_a100 | {"h100-sxm"},
        "dispatch_s": of_the_a100 | {"h100-sxm", "a40"},
        "saturation_share": {"a100-80g"},
        "link_latency_s": {"a100-80g", "h200-sxm", "l40s", "cent-device"},
        "link_efficiency": {"a100-80g", "h200-sxm", "l40s"},
        "all_reduces of 2": {"a100-80g", "h200-sxm", "l40s"},
        "all_reduces of 8": {"a100-80g", "h200-sxm", "l40s"},
    }
    for field, chips in own.items():
        if field in facts:
            assert (facts[field].confidence != "ours") == (name in chips), field
    if name.startswith("spad"):
        assert {facts[field].confidence for field in facts if field.startswith("link")} == {"ours"}
    assert all(fact.confidence == "ours" for fact in facts.values() if fact.source.startswith("assumed"))


@pytest.mark.parametrize(("name", "gpu"), [("a100-80g", "a100_sxm"), ("h200-sxm", "h200_sxm"), ("l40s", "l40s")])
def test_all_reduces_are_those_measured(name, gpu):
    """Claim: the tables are vLLM's times in the bundled profile, to three digits; sizes there are 16-bit numbers."""
    table = pd.read_parquet(resources.files("orsched") / "data" / "profiles" / "aic_comm.parquet")
    found = table[(table["gpu"] == gpu) & (table["op"] == "all_reduce") & (table["kernel"] == "vLLM_custom_graph")]
    assert [one.gpus for one in chip(name).all_reduces] == [2, 4, 8]
    for one in chip(name).all_reduces:
        rows = found[(found["num_gpus"] == one.gpus) & (found["message_size"] >= 1024)].sort_values("message_size")
        assert list(one.sizes_bytes) == (2 * rows["message_size"]).tolist()
        assert list(one.times_s) == pytest.approx(rows["time_s"].tolist(), rel=6e-3)


def test_a_disturbed_time_does_not_raise_those_of_larger_messages():
    """Claim: times of an all-reduce do not fall with its size; one above that of a larger message takes that one."""
    assert AllReduce(2, (1.0, 2.0, 3.0), (5.0, 9.0, 6.0)).points() == [(1.0, 5.0), (2.0, 6.0), (3.0, 6.0)]
    for sizes, times in (((1.0,), (1.0,)), ((1.0, 1.0), (1.0, 2.0)), ((1.0, 2.0), (1.0,)), ((1.0, 2.0), (1.0, 1e300))):
        with pytest.raises(InputError):
            AllReduce(2, sizes, times)


def test_the_a100_scales_like_its_fitted_entries():
    """Claim: one source for shares of the SMs: a roofline on an A100 scales as the catalogue's fitted A100 does."""
    fitted = hardware("llama2-7b/a100-80g").service.scaling
    made = chip_scaling(chip("a100-80g"))
    for field in ("saturation_share", "compute_share", "sharpness", "compute_exponent", "memory_exponent"):
        assert getattr(made, field) == getattr(fitted, field)


def test_one_basis_of_price_is_used_in_a_stated_order():
    """Claim: rent before rent by use before purchase before relative prices, whatever the order in the file."""
    prices = [Price(1.0, unit, "2026-11", "test") for unit in ("H100 = 1", "USD", "USD/h serverless", "USD/h")]
    for least in range(4):
        found = replace(chip("l4"), prices=tuple(prices[: least + 1])).price
        assert found is prices[least]
    assert replace(chip("l4"), prices=()).price is None
    assert chip("h100-sxm").price.unit == chip("a100-80g").price.unit == "USD/h"
    assert chip("a40").price.unit == "USD/h serverless"


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
        (a_chip(memory_bytes='"80 GB"'), "memory_bytes.value = '80 GB'"),
        (a_chip().replace('confidence = "ours"', 'confidence = "sure"', 1), "confidence = 'sure'"),
        (a_chip().replace('source = "test"', 'source = ""', 1), "source"),
        ('topology = "star"\n' + a_chip(), "topology = 'star'"),
        (a_chip() + '[[price]]\nvalue = 1.0\nunit = "USD"\ndate = "yesterday"\nsource = "x"\n', "date = 'yesterday'"),
        (a_chip() + '[[price]]\nvalue = 1.0\nunit = "USD"\ndate = "2026-99"\nsource = "x"\n', "date = '2026-99'"),
        (a_chip() + '[[price]]\nvalue = inf\nunit = "USD"\ndate = "2026-09"\nsource = "x"\n', "value = inf"),
        (a_chip(fp16_flops="1" + "0" * 5000), "not a TOML file"),
        (a_chip() + "x = " + "[" * 5000, "nested too deeply"),
        (a_chip(memory_bytes="1e300"), "memory_bytes = 1e+300"),
        (a_chip(compute_efficiency="1e-320"), "compute_efficiency = 1e-320"),
        (a_chip(idle_w="20.0", tdp_w="10.0"), "idle_w = 20.0: must be at most tdp_w"),
        (a_chip(clock_least_hz="2e9", clock_most_hz="1e9"), "clock_least_hz = 2000000000.0"),
        (a_chip().replace('name = "c"', 'name = ""'), "name"),
        (a_chip().replace('name = "c"', 'name = "c\\u001b[31m"'), "no control characters"),
        (
            a_chip() + '[[all_reduce]]\ngpus = 1\nsizes_bytes = [1.0, 2.0]\ntimes_s = [1.0, 2.0]\nsource = "x"\n'
            'confidence = "ours"\n',
            "AllReduce.gpus = 1",
        ),
    ],
)
def test_bad_chip_files_are_refused(text, message):
    """Claim: a file that breaks the schema is an error that names the file and the field."""
    assert chip_from_toml(a_chip(), "here")[0].name == "c"
    with pytest.raises(InputError, match=re.escape(message)) as error:
        chip_from_toml(text, "here")
    assert str(error.value).startswith("here: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Chip.name = ''"),
        ({"name": "a\nb"}, "Chip.name"),
        ({"kind": "rumour"}, "Chip.kind = 'rumour': must be 'datasheet' or 'hypothetical'"),
        ({"idle_w": 500.0}, "Chip.idle_w = 500.0"),
        ({"memory_bytes": 1e200}, "Chip.memory_bytes"),
    ],
)
def test_bad_chips_are_refused(changes, message):
    """Claim: a chip made in code is held to the same limits."""
    with pytest.raises(InputError, match=re.escape(message)):
        replace(chip("h200-sxm"), tdp_w=400.0, **changes)
