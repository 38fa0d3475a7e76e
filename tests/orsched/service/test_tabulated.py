"""The tabulated form: interpolation, what holds outside its tables, and minorants that hold everywhere."""

import pickle
import tomllib
from itertools import product

import numpy as np
import pytest
from batches import value
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import TABULATED, noisy_tables

from orsched.errors import InputError
from orsched.hardware_file import hardware_from_toml
from orsched.service import Batch, Curve, Grid, OperatingPoint, PowerLaw, Scaling, Tabulated
from orsched.service.tabulated.minorants import Conditions
from orsched.service.tabulated.values import monotone


@st.composite
def axes(draw, least, most=5, low=1.0):
    """An increasing axis: whole numbers or not, close or far apart."""
    steps = draw(st.lists(st.floats(0.5, 400), min_size=least - 1, max_size=most - 1))
    return tuple(np.cumsum([draw(st.floats(low, 20)), *steps]).tolist())


@st.composite
def tables(draw, *lengths):
    """A grid (or curve) over random axes whose values are any, made non-decreasing."""
    found = tuple(draw(axes(least, low=low)) for least, low in lengths)
    shape = tuple(map(len, found))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["steps", "noise", "zeros", "product"]))
    values = {
        "steps": rng.integers(0, 4, shape) * 1e-3,
        "noise": 10 ** rng.uniform(-6, 0, shape),
        "zeros": np.zeros(shape),
        "product": 1e-7 * np.prod(np.meshgrid(*found, indexing="ij"), axis=0) * rng.uniform(0.8, 1.25, shape),
    }[kind]
    if len(found) == 1:
        return Curve.monotone(found[0], values)
    return Grid.monotone(found, values)


@st.composite
def models(draw):
    """A model of random non-decreasing tables."""
    count, length = (1, 0.5), (2, 0.0)
    skew = draw(st.one_of(st.none(), st.lists(st.floats(0, 1), min_size=2, max_size=2)))
    return Tabulated(
        draw(st.floats(1e-6, 0.1)),
        draw(tables((1, 0.0))),
        draw(tables((1, 0.0))),
        draw(tables(count, length)),
        draw(tables(count, length)),
        draw(tables((1, 0.0), count, length)),
        skew and Curve((1.0, 50.0), tuple(skew)),
    )


chunks = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 40_000)), max_size=4)
whole = st.builds(
    lambda parts, seqs, each, stretch: Batch(
        sum(p for p, _ in parts),
        sum(p * (past + p / 2) for p, past in parts),
        sum(past for _, past in parts),
        seqs,
        seqs * each,
        stretch * each if seqs else 0,
    ),
    chunks,
    st.integers(0, 3000),
    st.integers(1, 60_000),
    st.sampled_from([0.0, 1.0, 1.5, 7.0]),
)
means = st.builds(
    lambda p, span, seqs, each: Batch(p, p * span, 0.0, seqs, seqs * each),
    *(st.one_of(st.just(0.0), st.floats(1e-3, 1e5)) for _ in range(4)),
)
batches = st.one_of(whole, means).filter(lambda b: b.prompt_tokens or b.num_seqs)


@settings(max_examples=80, deadline=None)
@given(models(), st.lists(batches, min_size=20, max_size=40))
def test_no_minorant_exceeds_the_iteration_time(model, many):
    """Claim: for any non-decreasing tables and any batch, in the tables or far outside, whole or mean, T is at least
    each minorant, without any tolerance."""
    found = model.affine_minorants()
    assert 1 <= len(found) <= 3
    for minorant, batch in product(found, many):
        assert value(minorant, batch) <= model.iteration_s(batch)


@settings(max_examples=80, deadline=None)
@given(models(), st.lists(st.floats(0, 1), min_size=6, max_size=6), st.lists(batches, min_size=20, max_size=40))
def test_any_slopes_at_all_give_a_minorant(model, slopes, many):
    """Claim: the proof does not rest on the solver: whatever slopes it returns, what comes out is a lower bound."""
    scale = np.array([1e-4, 1e-4, 1e-4, 1e-7, 1e-4, 1e-6])
    minorant = Conditions.of(model).minorant(np.array(slopes) * scale)
    assert min(minorant.prompt_token_s, minorant.sequence_s, minorant.kv_token_s, minorant.chunk_attention_s) >= 0
    for batch in many:
        assert value(minorant, batch) <= model.iteration_s(batch)


@settings(deadline=None)
@given(models(), st.one_of(st.integers(0, 3000), st.floats(0.1, 3000)), st.lists(st.floats(0, 1e7), max_size=20))
def test_decode_curves_are_iteration_times(model, seqs, kv):
    """Claim: the curve equals the decode-only iteration time at any KV, for whole and real numbers of decodes."""
    curve = model.decode_curve(seqs)
    assert model.decode_curve(seqs) is curve
    for tokens in (0.0, *kv):
        expected = model.iteration_s(Batch(num_seqs=seqs, kv_tokens=tokens if seqs else 0))
        assert curve(tokens) == pytest.approx(expected, rel=1e-12)


def flat(**changes):
    """A model of which every part is zero but 1 ms of overhead; `changes` replace parts."""
    none, plane = Curve((1,), (0,)), Grid(((1, 2), (0, 1)), ((0, 0), (0, 0)))
    space = Grid(((1, 2), (1, 2), (0, 1)), (((0, 0), (0, 0)), ((0, 0), (0, 0))))
    parts = {"tokens": none, "sequences": none, "prefill": plane, "decode": plane, "mixed": space}
    return Tabulated(overhead_s=1e-3, **(parts | changes))


def above(model, batch):
    """Iteration time beyond the overhead, ms."""
    return pytest.approx(1e3 * model.iteration_s(batch) - 1, abs=1e-12)


def test_curves_by_hand():
    """Claim: constant before, linear between, and beyond as over the last doubling (from 4 to 8), not the last cell."""
    tokens = Curve((2, 4, 7, 8), (0.010, 0.012, 0.030, 0.032))
    assert [tokens(x) for x in (0, 2, 3, 4, 5.5, 8, 10)] == pytest.approx(
        [0.010, 0.010, 0.011, 0.012, 0.021, 0.032, 0.032 + 2 * 0.020 / 4]
    )
    assert Curve((5,), (0.1,))(1e9) == 0.1
    model = flat(tokens=tokens, sequences=Curve((0, 100), (0, 0.1)))
    assert above(model, Batch(4, 8.0, 0, 3, 3)) == 30 + 4
    assert above(model, Batch(num_seqs=3, kv_tokens=3)) == 11 + 3


def test_decodes_by_hand():
    """Claim: bilinear in decodes and their context; beyond the table's 4 decodes in proportion, beyond context 300 at
    the larger of the row's own slope and the share of the slope at 4 decodes."""
    decode = Grid(((1, 4), (100, 300)), ((0.001, 0.002), (0.004, 0.012)))
    model = flat(decode=decode)
    for seqs, context, ms in (
        (1, 100, 1),
        (1, 50, 1),
        (0.5, 100, 1),
        (1, 200, 1.5),
        (2.5, 200, (1.5 + 8) / 2),
        (8, 200, 16),
        (4, 400, 12 + 100 * 8 / 200),
        (1, 400, 2 + 100 * 8 / 200 / 4),
        (8, 400, 2 * (12 + 100 * 8 / 200)),
        (0, 0, 0),
    ):
        assert above(model, Batch(num_seqs=seqs, kv_tokens=seqs * context)) == ms


def test_chunks_by_hand():
    """Claim: a chunk is itself; several are the fewest equal ones with the same tokens and attention."""
    prefill = Grid(((10, 40), (0, 100)), ((0.001, 0.002), (0.008, 0.020)))
    model = flat(prefill=prefill)

    def batch(*parts):
        return Batch(sum(p for p, _ in parts), sum(p * (c + p / 2) for p, c in parts), sum(c for _, c in parts))

    assert above(model, batch((40, 50))) == 14
    assert above(model, batch((5, 0))) == 1
    assert above(model, batch((25, 0))) == 4.5
    # Without anything cached: 4 chunks of 10; with 100 cached each of two of 10 is one of 20 with the same span.
    assert above(model, batch(*[(10, 0)] * 4)) == 4
    span = 105
    each = 2 + (20 - 10) / 30 * 18 - (100 - (span - 10)) / 100 * (1 + (20 - 10) / 30 * 11)
    assert above(model, batch((10, 100), (10, 100))) == each
    # More than the table knows: 80 tokens as two chunks of 40 with the same span, 40, so 20 cached.
    assert above(model, batch((80, 0))) == 2 * (8 + 0.2 * 12)
    # Chunks smaller than the smallest share its launch: as many as would fill it.
    assert above(model, batch(*[(1, 0)] * 20)) == 2


def test_mixed_by_hand():
    """Claim: decodes beside a chunk are priced by `mixed`, on top of the chunk; at more prompt tokens than it knows, as
    at the most."""
    mixed = Grid(((10, 20), (1, 2), (0, 100)), (((0, 0.001), (0, 0.002)), ((0.001, 0.003), (0.001, 0.006))))
    model = flat(mixed=mixed, prefill=Grid(((10, 20), (0, 1)), ((0.005, 0.005), (0.005, 0.005))))
    for prompt, seqs, kv, ms in ((10, 1, 50, 0.5), (15, 2, 200, 4), (5, 1, 100, 1), (20, 4, 400, 12), (20, 0, 0, 0)):
        assert above(model, Batch(prompt, prompt**2 / 2, 0, seqs, kv)) == 5 + ms
    assert above(model, Batch(40, 800, 0, 1, 100)) == 10 + 3


def test_skew_by_hand():
    """Claim: with skew 0.25 and decodes reading 100 and 300, the time is that of 2 x (200 + 0.25 x 100); constant
    beyond the ends; nothing without a longest context, or if it is shorter than the mean."""
    decode = Grid(((1, 2), (0, 1000)), ((0, 0.1), (0, 0.1)))
    model = flat(decode=decode, skew=Curve((2, 4), (0.25, 0.75)))
    assert [model.kv_skew(n) for n in (1, 2, 3, 4, 100)] == [0.25, 0.25, 0.5, 0.75, 0.75]
    assert above(model, Batch(num_seqs=2, kv_tokens=400, longest_kv_tokens=300)) == 22.5
    assert above(model, Batch(num_seqs=2, kv_tokens=400)) == 20
    assert above(model, Batch(num_seqs=2, kv_tokens=400, longest_kv_tokens=100)) == 20
    assert flat(decode=decode).kv_skew(2) == 0


@given(st.integers(0, 2**32), st.sampled_from([(1,), (7,), (4, 5), (2, 3, 4)]))
def test_monotone_is_non_decreasing_and_the_nearest(seed, shape):
    """Claim: non-decreasing along every axis; changes nothing that is; and the largest change is half of the largest
    decrease from an earlier entry to a later one, which no non-decreasing table can undercut."""
    raw = np.random.default_rng(seed).normal(1, 0.5, shape)
    table = monotone(raw)
    assert all(np.all(np.diff(table, axis=axis) >= 0) for axis in range(raw.ndim))
    assert np.array_equal(monotone(table), table)
    kept = np.maximum(raw, 0)
    index = list(np.ndindex(shape))
    worst = max(kept[i] - kept[j] for i in index for j in index if all(a <= b for a, b in zip(i, j, strict=True)))
    assert np.abs(table - kept).max() == pytest.approx(worst / 2, abs=1e-15)


def test_tight_where_the_device_is_linear():
    """Claim: on a device of floor and slope (hinge at 256 tokens, attention affine in decodes, KV and A) the best
    minorant is the time itself, but for the sum of parts that cannot both be tight."""
    seqs, contexts, sizes, pasts = (1, 16, 64, 256), (16, 256, 4096, 16384), (16, 64, 256, 512, 1024), (0, 1024, 16384)
    n, c = np.meshgrid(seqs, contexts, indexing="ij")
    p, past = np.meshgrid(sizes, pasts, indexing="ij")
    decode = 3e-4 + 4e-6 * n + 1.3e-7 * n * c
    model = Tabulated(
        1e-3,
        Curve((1, 256, 512, 2048), (15e-3, 15e-3, 40e-3, 190e-3)),
        Curve((1, 256), (1e-3, 1.6e-3)),
        Grid(((16, 64, 256, 512, 1024), pasts), (3e-4 + 1e-6 * p + 4e-9 * p * (past + p / 2)).tolist()),
        Grid((seqs, contexts), decode.tolist()),
        Grid(((16, 1024), seqs, contexts), [decode.tolist(), decode.tolist()]),
    )
    for batch, share in (
        (Batch(num_seqs=8, kv_tokens=8000), 0.999),
        (Batch(num_seqs=200, kv_tokens=200_000), 0.999),
        (Batch(256, 256**2 / 2), 0.99),
        (Batch(1024, 1024**2 / 2), 0.99),
        (Batch(512, 512 * 2256, 2000, 64, 64_000), 0.98),
    ):
        assert max(value(m, batch) for m in model.affine_minorants()) >= share * model.iteration_s(batch)


def test_operating_points():
    """Claim: at half of the clock with exponents 1 and 0.5, reading weights, decodes and sequences stretch by the root
    of 2, the tokens' excess and prefill by 2, the overhead not at all; the power law moves along."""
    power = PowerLaw(100, 1, 0, 0, 0, 500)
    model = flat(
        tokens=Curve((1, 2), (0.010, 0.014)),
        sequences=Curve((1,), (0.001,)),
        prefill=Grid(((1, 2), (0, 1)), ((0.003, 0.003), (0.003, 0.003))),
        decode=Grid(((1, 2), (0, 1)), ((0.002, 0.002), (0.002, 0.002))),
        mixed=Grid(((1,), (1, 2), (0, 1)), (((0.004, 0.004), (0.004, 0.004)),)),
        scaling=Scaling(saturation_share=0.5, memory_exponent=0.5),
        power=power,
    )
    slow = model.at(OperatingPoint(clock_share=0.5))
    root = 2**0.5
    assert model.at(OperatingPoint()) is model
    assert above(slow, Batch(num_seqs=1, kv_tokens=1)) == root * (10 + 1 + 2)
    assert above(slow, Batch(2, 2.0)) == root * (10 + 1) + 2 * (4 + 3)
    assert above(slow, Batch(1, 0.5, 0, 1, 1)) == root * (10 + 1 + 4) + 2 * (4 + 3)
    assert slow.power_w(Batch(num_seqs=1)) == power.at(OperatingPoint(clock_share=0.5)).power_w(
        Batch(num_seqs=1), slow.iteration_s(Batch(num_seqs=1))
    )
    assert flat().power_w(Batch()) is None


def test_a_model_is_a_value():
    """Claim: equal by its tables alone, hashable, unchanged by pickling and by its own repr, whatever was asked of it
    before; numbers may be whole."""
    model, same = noisy_tables(), noisy_tables()
    model.decode_curve(3), model.affine_minorants()
    assert model == same
    assert hash(model) == hash(same)
    assert repr(model) == repr(same) == repr(pickle.loads(pickle.dumps(model)))
    assert eval(repr(model)) == model
    assert repr(Curve((1, 2), (0, 1))) == repr(Curve((1.0, 2.0), (0.0, 1.0)))
    assert noisy_tables(4) != model


FILE = """
name = "a/b"
form = "tabulated"
kind = "measured"
source = "a test"
kv_capacity_tokens = 1000
max_num_seqs = 8

[coefficients]
overhead_s = 0.001
tokens = {at = [1, 64, 128], values = [0.01, 0.011, 0.02]}
sequences = {at = [1], values = [0.001]}
prefill = {axes = [[16, 64], [0, 100]], values = [[0.001, 0.002], [0.003, 0.005]]}
decode = {axes = [[1, 8], [16, 512]], values = [[0.001, 0.002], [0.002, 0.006]]}
mixed = {axes = [[16], [1, 8], [16, 512]], values = [[[0.001, 0.002], [0.002, 0.006]]]}
"""


def test_hardware_files():
    """Claim: the TOML form gives the model, and the model gives the mapping back; a skew is optional."""
    service = hardware_from_toml(FILE, "here").service
    assert service.tokens == Curve((1, 64, 128), (0.01, 0.011, 0.02))
    assert service.to_mapping() == tomllib.loads(FILE)["coefficients"]
    assert Tabulated.from_mapping(TABULATED.to_mapping()) == TABULATED


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.011, 0.02]", "0.011]", r"coefficients.tokens: Curve.values: has shape 2, its axes have 3"),
        ("[1, 64, 128]", "[1, 64, 64]", r"tokens: Curve.at\[2\] = 64.0: must be larger than 64.0"),
        ("0.011, 0.02]", "0.011, 0.01]", r"tokens.values\[2\] = 0.01: less than 0.011 at \[1\]"),
        ("[0.003, 0.005]]", "[0.003, -0.005]]", r"prefill: Grid.values\[1\]\[1\] = -0.005: must be from 0 to"),
        ("[0.003, 0.005]]", "[0.003, nan]]", r"prefill: Grid.values\[1\]\[1\] = nan: must be from 0"),
        ("[0.003, 0.005]]", "[0.003, 0.001]]", r"prefill: Grid.values\[1\]\[1\] = 0.001: less than 0.00[23]"),
        ("[0.003, 0.005]]", "[0.003]]", r"prefill: Grid.values: must be numbers, in lists of equal lengths"),
        ("[0.003, 0.005]]", "[0.003, true]]", r"prefill: Grid.values: must be numbers"),
        ("[[16, 64], [0, 100]]", "[[16, 64], [0]]", r"prefill: Grid.axes\[1\]: needs two or more points"),
        ("[[16, 64], [0, 100]]", "[[0, 64], [0, 100]]", r"Tabulated.prefill.axes\[0\]\[0\] = 0"),
        ("[[1, 8], [16, 512]], values", "[[1, 8]], values", r"decode: Grid.axes: must be two or three lists"),
        ("overhead_s = 0.001", 'overhead_s = "1 ms"', r"coefficients.overhead_s = '1 ms': must be a finite number"),
        ("sequences = {at = [1], values = [0.001]}\n", "", r"coefficients.sequences is missing"),
        ("sequences = {", "seqs = {", r"unknown key of coefficients 'seqs': did you mean 'sequences'"),
        ("{at = [1], values", "{x = [1], values", r"unknown key of coefficients.sequences 'x'"),
        ("{at = [1], values = [0.001]}", "3", r"coefficients.sequences = 3: must be a table with at, values"),
        ("sequences =", "skew = {at = [1], values = [1.5]}\nsequences =", r"Tabulated.skew.values = \(1.5,\)"),
    ],
)
def test_bad_files_are_refused(old, new, message):
    """Claim: each mistake is one line that names the field, the position and what is allowed."""
    assert FILE.count(old) == 1
    with pytest.raises(InputError, match=message):
        hardware_from_toml(FILE.replace(old, new), "here")


def test_bad_parts_are_refused():
    """Claim: parts of another kind, with another number of axes, or an iteration without time raise."""
    grid = Grid(((1, 2), (0, 1)), ((0, 0), (0, 0)))
    with pytest.raises(InputError, match=r"Tabulated.mixed has 2 axes: must have 3"):
        flat(mixed=grid)
    with pytest.raises(InputError, match=r"Tabulated.tokens = .*: must be of type Curve"):
        flat(tokens=grid)
    with pytest.raises(InputError, match="must take time"):
        Tabulated(0.0, *(getattr(flat(), name) for name in ("tokens", "sequences", "prefill", "decode", "mixed")))
    with pytest.raises(InputError, match="ends at 0"):
        Grid(((0,), (0, 1)), ((0, 0),))
    with pytest.raises(InputError, match="at most 100,000"):
        Curve(tuple(range(100_001)), tuple(range(100_001)))
    with pytest.raises(InputError, match=r"values\[1\] = nan"):
        monotone([0.1, float("nan")])


def test_some_minorant_has_a_positive_base():
    """Claim: where only the number of tokens costs anything, bounds still know that an iteration takes time."""
    nothing = Grid(((1.0, 2.0), (1.0, 2.0)), ((0.0, 0.0), (0.0, 0.0)))
    cube = Grid(((1.0,), (1.0, 2.0), (1.0, 2.0)), (((0.0, 0.0), (0.0, 0.0)),))
    model = Tabulated(0.05, Curve((1.0, 2.0), (0.0, 1.0)), Curve((1.0,), (0.0,)), nothing, nothing, cube)
    assert max(m.base_s for m in model.affine_minorants()) == pytest.approx(0.05)
    assert model.iteration_s(Batch(num_seqs=1, kv_tokens=1)) >= 0.05
