"""Rooflines: times, scaling, and minorants that hold for whatever chip and model."""

from dataclasses import replace
from importlib import resources

import pandas as pd
import pytest
from batches import batches, value
from hypothesis import assume, given
from hypothesis import strategies as st

from orsched import hardware
from orsched.devices import AllReduce, Chip, ModelConfig, chip, chip_names, model_config, model_names
from orsched.errors import InputError
from orsched.service import FULL, Batch, OperatingPoint, PowerLaw, Scaling
from orsched.service.forms import service_model
from orsched.service.roofline import MAPPINGS, Roofline, TwoResource
from orsched.service.roofline.all_reduce import all_reduce, all_reduce_line
from orsched.service.roofline.expert_time import ExpertTime, covered
from orsched.service.roofline.pieces import Pieces, lower_hull, switched, total, upper_envelope

LLAMA = model_config("llama3-8b")
H100 = chip("h100-sxm")


def ideal(**changes: object) -> Chip:
    """A chip without dispatch time whose peaks are reached: 1 TFLOP/s, 1 TB/s."""
    plain = Chip("ideal", "ideal", "hypothetical", 1e12, 1e12, 1e12, 1.0, 1.0, 0.0)
    return replace(plain, **changes)  # type: ignore[arg-type]


magnitudes = st.integers(-3, 3).map(lambda e: 10.0**e)
tables = st.lists(st.floats(0, 1e-2), min_size=4, max_size=4).map(
    lambda times: AllReduce(2, (2.0**11, 2.0**15, 2.0**19, 2.0**25), tuple(times))
)
chips = st.builds(
    lambda flops, bandwidth, dispatch, link, latency, topology, tables: ideal(
        fp16_flops=1e13 * flops,
        bandwidth_bytes_s=1e11 * bandwidth,
        dispatch_s=dispatch,
        link_bytes_s=1e10 * link,
        link_latency_s=latency,
        topology=topology,
        all_reduces=tuple(tables),
    ),
    *(magnitudes, magnitudes, st.sampled_from([0.0, 1e-6, 1e-4]), magnitudes, st.sampled_from([0.0, 1e-6])),
    st.sampled_from(["ring", "fully-connected"]),
    st.lists(tables, max_size=1),
)
dense = st.builds(
    lambda layers, hidden, kv, group, ffn, vocab, gated: ModelConfig(
        "random", layers, hidden, kv * group, kv, 32, ffn, vocab, gated=gated
    ),
    *(st.integers(1, 4), st.sampled_from([64, 1024]), st.sampled_from([2, 4]), st.sampled_from([1, 4, 16])),
    *(st.integers(1, 4096), st.integers(1, 50_000), st.booleans()),
)
mixtures = st.builds(
    lambda layers, experts, active, width, shared: ModelConfig(
        *("random", layers, 256, 8, 2, 32, 512, 1000),
        experts=experts,
        active_experts=min(active, experts),
        expert_ffn=width,
        shared_experts=shared,
        dense_layers=layers - 1,
    ),
    *(st.integers(1, 3), st.integers(1, 64), st.integers(1, 8), st.integers(1, 2048), st.integers(0, 2)),
)
rooflines = st.builds(
    Roofline,
    chips,
    st.one_of(dense, mixtures, st.sampled_from(["deepseek-v3", "qwen3-30b-a3b", "llama3-8b"]).map(model_config)),
    st.sampled_from([1, 2]),
    overhead_s=st.sampled_from([0.0, 1e-3]),
)
pairs = st.builds(TwoResource, chips, chips, dense, st.sampled_from(sorted(MAPPINGS)))
BATCHES = batches(9000, 3, 2000, 9000)


@given(st.one_of(rooflines, pairs), st.lists(BATCHES, min_size=5, max_size=10))
def test_minorants_never_exceed_the_time_of_any_chip_and_model(service, several):
    """Claim: T >= each minorant, whatever binds: chips from 1e10 to 1e16 FLOP/s, experts, MLA, links, two engines."""
    minorants = service.affine_minorants()
    for minorant in minorants:
        coefficients = (minorant.prompt_token_s, minorant.sequence_s, minorant.kv_token_s, minorant.chunk_attention_s)
        assert min(coefficients) >= 0
    for batch in several:
        if batch.prompt_tokens or batch.num_seqs:
            time_s = service.iteration_s(batch)
            assert max(value(m, batch) for m in minorants) <= time_s * (1 + 1e-9)


@given(st.one_of(rooflines, pairs), st.integers(1, 2000), st.floats(0, 1e7))
def test_decode_curves_are_iteration_times(service, seqs, kv):
    """Claim: the curve that drives the epochs is the decode-only iteration time, for any chip and model."""
    expected = service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
    assert service.decode_curve(seqs)(kv) == pytest.approx(expected, rel=1e-12)


@given(rooflines, BATCHES, st.integers(1, 500), st.integers(0, 500))
def test_more_work_never_takes_less_time(service, batch, prompt, past):
    """Claim: another chunk or another decode does not make an iteration of a roofline shorter."""
    time_s = service.iteration_s(batch)
    more = batch._replace(
        prompt_tokens=batch.prompt_tokens + prompt,
        chunk_attention=batch.chunk_attention + prompt * (past + prompt / 2),
        past_tokens=batch.past_tokens + past,
    )
    assert service.iteration_s(more) >= time_s * (1 - 1e-12)
    assert service.iteration_s(batch._replace(num_seqs=batch.num_seqs + 1)) >= time_s * (1 - 1e-12)


@pytest.mark.parametrize("name", ["llama2-7b/h100-sxm", "llama3-8b/jetson-agx-orin", "llama3-70b/h200-sxm-tp2"])
@pytest.mark.parametrize(
    ("batch", "least"),
    [
        *((Batch(num_seqs=seqs, kv_tokens=1024 * seqs), 0.96) for seqs in (1, 8, 64, 256)),
        *((Batch(prompt, prompt**2 / 2), 0.9) for prompt in (512, 2048, 8192)),
        *((Batch(prompt, prompt**2 / 2, 0, 64, 64 * 1024), 0.9) for prompt in (512, 2048)),
    ],
)
def test_minorants_are_tight(name, batch, least):
    """Claim: for these dense models the best minorant is within 4% of the time of a decode batch, and within 10% of
    that of a prompt alone or with decodes (others: docs/chips.md)."""
    service = hardware(name).service
    best = max(value(minorant, batch) for minorant in service.affine_minorants())
    assert best >= least * service.iteration_s(batch)


def test_experts_leave_a_gap():
    """Claim: the time of experts is concave in the tokens, so that affine bounds are far below it in between."""
    service = hardware("qwen3-30b-a3b/h100-sxm").service
    shares = []
    for seqs in (1, 32, 256):
        batch = Batch(num_seqs=seqs, kv_tokens=1024 * seqs)
        shares.append(max(value(m, batch) for m in service.affine_minorants()) / service.iteration_s(batch))
    assert shares == pytest.approx([0.96, 0.20, 0.42], abs=0.02)


def test_a_decode_reads_weights_and_cache_once():
    """Claim: with arithmetic for free one decode takes (weights without embedding + KV + activations) / bandwidth."""
    service = Roofline(ideal(fp16_flops=1e30), LLAMA)
    read = LLAMA.weight_bytes - 2 * LLAMA.head_params
    alone, cached = (service.iteration_s(Batch(num_seqs=1, kv_tokens=kv)) for kv in (0, 100_000))
    assert alone == pytest.approx(read / 1e12, rel=1e-2)
    assert alone > read / 1e12
    assert cached - alone == pytest.approx(LLAMA.kv_bytes_per_token * 100_000 / 1e12, rel=1e-12)


def test_a_prefill_computes_two_flops_per_parameter_and_token():
    """Claim: with bandwidth for free a prompt takes 2 P_active L + 4 layers nq dh L^2/2 FLOPs, the head once."""
    service = Roofline(ideal(bandwidth_bytes_s=1e30), LLAMA)
    length = 2000
    body = LLAMA.params - 2 * LLAMA.head_params
    attention = 4 * LLAMA.layers * LLAMA.q_heads * LLAMA.head_dim * length**2 / 2
    flops = 2 * body * length + 2 * LLAMA.head_params + attention
    assert service.iteration_s(Batch(length, length**2 / 2)) == pytest.approx(flops / 1e12, rel=1e-9)


def test_cached_tokens_are_read_again_by_a_chunk():
    """Claim: where memory binds, a chunk's past costs its KV bytes; grouped queries divide them."""
    service = Roofline(ideal(fp16_flops=1e30), LLAMA)
    first, second = (service.iteration_s(Batch(256, 256 * (past + 128), past)) for past in (0, 10_000))
    assert second - first == pytest.approx(10_000 * LLAMA.kv_bytes_per_token / 1e12, rel=1e-9)


def test_dispatch_is_a_floor_of_every_operator():
    """Claim: on an infinitely fast chip a decode of a dense model takes nine dispatches a layer and three more."""
    service = Roofline(ideal(fp16_flops=1e30, bandwidth_bytes_s=1e30, dispatch_s=1e-6), LLAMA)
    assert service.iteration_s(Batch(num_seqs=4, kv_tokens=99)) == pytest.approx((9 * 32 + 3) * 1e-6, rel=1e-9)


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_tensor_parallelism_divides_what_it_can(gpus):
    """Claim: with free links g chips take a g-th of the time of products and attention; norms are not divided."""
    plain = ideal(link_bytes_s=1e30, link_latency_s=0.0)
    batch = Batch(4000, 4000**2 / 2)
    alone, group = (Roofline(plain, LLAMA, g).iteration_s(batch) for g in (1, gpus))
    assert alone / gpus < group < alone / gpus * 1.01


def test_all_reduce_formulas():
    """Claim: LLMCompass' ring takes 2 (g-1) hops of a g-th of the bytes; a full mesh is charged as its formula says."""
    chip_ = ideal(link_bytes_s=1e9, link_latency_s=1e-6)
    latency_s, byte_s = all_reduce_line(chip_, 4)
    assert latency_s == pytest.approx(6 * (1e-6 + 16 / 1e9))
    assert byte_s == pytest.approx(6 * (1 + 16 / 256) / 4 / 1e9)
    latency_s, byte_s = all_reduce_line(replace(chip_, topology="fully-connected"), 4)
    assert byte_s == pytest.approx((1 + 16 / 256) / 4 * (3 / (2 * 1e9 / 3) + 1 / (1e9 / 3)))
    with pytest.raises(InputError, match="no links are known for ideal"):
        all_reduce_line(ideal(), 2)


def test_a_smaller_group_of_a_full_mesh_uses_fewer_links():
    """Claim: of a machine of 8 with 7 links each, a pair is joined by one: a seventh of the bandwidth."""
    mesh = ideal(link_bytes_s=7e9, link_latency_s=0.0, topology="fully-connected", link_chips=8)
    for gpus in (2, 4, 8):
        of_that_size = replace(mesh, link_chips=None, link_bytes_s=(gpus - 1) * 1e9)
        assert all_reduce_line(mesh, gpus)[1] == pytest.approx(all_reduce_line(of_that_size, gpus)[1])
    mi300x = chip("mi300x")
    assert (mi300x.link_chips, mi300x.topology) == (8, "fully-connected")
    pair_s = all_reduce_line(mi300x, 2)[1] * 2**25
    assert pair_s >= 2**25 / (448e9 / 7)


def test_measured_all_reduces_are_used_in_place_of_links():
    """Claim: through the measured points, level before the first, with the last slope behind; sizes between take the
    next larger group; a larger one follows the links; never less than a dispatch."""
    table = (AllReduce(2, (100.0, 200.0), (1e-6, 3e-6)), AllReduce(4, (100.0, 200.0), (5e-6, 9e-6)))
    plain = ideal(link_bytes_s=1e12, link_latency_s=1e-7, all_reduces=table)
    pair = all_reduce(plain, 2, 10.0, 0.0)
    assert [pair(tokens) for tokens in (0, 10, 15, 20, 30)] == pytest.approx([1e-6, 1e-6, 2e-6, 3e-6, 5e-6])
    assert all_reduce(plain, 3, 10.0, 0.0)(15) == pytest.approx(7e-6)
    latency_s, byte_s = all_reduce_line(plain, 8)
    assert all_reduce(plain, 8, 10.0, 0.0)(15) == pytest.approx(latency_s + 150 * byte_s)
    assert all_reduce(plain, 2, 10.0, 2e-6)(10) == pytest.approx(2e-6)
    with pytest.raises(InputError, match="known for groups of at most 2"):
        all_reduce(replace(plain, link_chips=2), 4, 10.0, 0.0)


@pytest.mark.parametrize("tokens", [1, 8, 32, 128, 2048])
def test_all_reduces_of_a_roofline_are_those_measured(tokens):
    """Claim: on 8 A100 a Llama-3-70B has two measured all-reduces a layer more than with free links, within 4%."""
    table = pd.read_parquet(resources.files("orsched") / "data" / "profiles" / "aic_comm.parquet")
    rows = table[(table["gpu"] == "a100_sxm") & (table["op"] == "all_reduce") & (table["num_gpus"] == 8)]
    rows = rows[rows["kernel"] == "vLLM_custom_graph"].set_index("message_size")["time_s"]
    model, a100 = model_config("llama3-70b"), chip("a100-80g")
    batch = Batch(num_seqs=tokens, kv_tokens=tokens)
    free = replace(a100, all_reduces=(), link_bytes_s=1e30, link_latency_s=0.0)
    more = [Roofline(one, model, 8, dispatch_s=0.0).iteration_s(batch) for one in (a100, free)]
    assert more[0] - more[1] == pytest.approx(2 * 80 * rows[tokens * 8192], rel=0.04)


def test_chunks_of_latent_attention_expand_their_past():
    """Claim: 2 past r nq (nope + value) FLOPs a layer more than attention, where arithmetic binds."""
    model = model_config("deepseek-v3")
    for gpus in (1, 8):
        service = Roofline(ideal(bandwidth_bytes_s=1e30, link_bytes_s=1e30, link_latency_s=0.0), model, gpus)
        times = [service.iteration_s(Batch(512, 512 * (8192 + 256), past)) for past in (0, 8192)]
        flops = 2 * 8192 * 512 * 128 * (128 + 128) * 61
        assert times[1] - times[0] == pytest.approx(flops / gpus / 1e12, rel=1e-9)


def test_expert_coverage_is_the_mean_of_random_routing():
    """Claim: E (1 - (1 - k/E)^T) distinct experts: k for one token, E for many, and never more than k T."""
    assert covered(128, 8, 1) == pytest.approx(8)
    assert covered(128, 8, 10_000) == pytest.approx(128)
    assert covered(8, 2, 2) == pytest.approx(2 + 2 * 6 / 8)
    assert all(covered(64, 6, t) <= 6 * t + 1e-9 for t in range(1, 50))


@given(
    *(st.integers(1, 200), st.integers(1, 16)),
    *(st.floats(0, 1e-3), st.floats(0, 1e-4), st.floats(0, 1e-4), st.floats(1e-9, 1e-3), st.floats(0, 1e-2)),
    st.floats(1, 1e5),
)
def test_the_expert_bound_holds(experts, active, dispatch, compute, move, read, shared, tokens):
    """Claim: the three lines of `ExpertTime.lower` are below the time for every T >= 1, crossing or not."""
    assume(active <= experts)
    time = ExpertTime(3, experts, active, dispatch, compute, move, read, shared)
    lower = time.lower()
    for at in (1.0, tokens, *lower.breaks):
        if at >= 1:
            assert lower(at) <= time(at) * (1 + 1e-9)


@pytest.mark.parametrize(
    "time",
    [
        ExpertTime(1, 128, 1, 0.0, 1e-300, 0.0, 1.1079994856857809e-30, 0.0),
        ExpertTime(1, 8, 1, 0.0, 1e-300, 0.0, 6.664772746453728e-09, 0.0),
        ExpertTime(1, 2834, 2834, 0.0, 3.0314191129750296e-07, 0.0, 2.5353335457392575e-06, 0.0),
        ExpertTime(1, 128, 17, 0.0, 7.187399904221489e-08, 0.0, 0.0, 1.373661682569716e-06),
        ExpertTime(1, 8, 2, 0.0, 1e-6 + 1e-22, 1e-6, 1e-6, 0.0),
    ],
)
def test_the_expert_bound_holds_at_the_edge_of_numbers(time):
    """Claim: crossings beyond every number, and lines that rounding would tip downwards, give bounds that rise."""
    lower = time.lower()
    assert all(slope >= 0 for _, slope in lower.segments)
    for tokens in (1.0, 2.0, 1e3, 1e6, 1e9):
        assert lower(tokens) <= time(tokens) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overhead_s": 1e300}, "overhead_s"),
        ({"compute_efficiency": 1e-320}, "compute_efficiency"),
        ({"tensor_parallel": 10**5000}, "too many digits"),
    ],
)
def test_no_roofline_can_have_an_infinite_time(changes, message):
    """Claim: values with which a time would not be a number are refused."""
    with pytest.raises(InputError, match=message):
        Roofline(H100, LLAMA, **changes)


segments = st.tuples(st.floats(0, 10), st.floats(0, 10))


@given(st.lists(segments, min_size=1, max_size=6), st.floats(0, 100))
def test_envelopes_are_maxima(lines, x):
    """Claim: the upper envelope is the maximum of its lines at any x >= 0."""
    assert upper_envelope(lines)(x) == pytest.approx(max(c + s * x for c, s in lines), rel=1e-9, abs=1e-12)


@given(
    *(st.lists(segments, min_size=1, max_size=4), st.lists(segments, min_size=1, max_size=4)),
    *(st.floats(0.5, 50), st.floats(1, 200), st.floats(1, 200), st.floats(0, 1)),
)
def test_hulls_are_convex_and_below(first, second, at, x, y, share):
    """Claim: the hull of a function with a jump is below it and convex from its left end on."""
    pieces = total([(2.0, switched(upper_envelope(first), upper_envelope(second), at)), (1.0, upper_envelope(second))])
    hull = lower_hull(pieces, 1.0)
    assert hull(x) <= pieces(x) * (1 + 1e-9) + 1e-12
    middle = share * x + (1 - share) * y
    assert hull(middle) <= (share * hull(x) + (1 - share) * hull(y)) * (1 + 1e-9) + 1e-9


def test_the_hull_of_a_convex_function_is_itself():
    """Claim: nothing is lost where there is nothing to lose."""
    pieces = upper_envelope([(5.0, 0.0), (0.0, 1.0), (-90.0, 10.0)])
    hull = lower_hull(pieces, 1.0)
    assert all(hull(x) == pytest.approx(pieces(x)) for x in (1, 3, 5, 7, 10, 30))
    assert lower_hull(Pieces((5.0,), ((0.0, 1.0), (-3.0, 1.0))), 1.0)(5.0) == pytest.approx(2.0)


def test_operating_points_scale_arithmetic_and_traffic_apart():
    """Claim: half the SMs double arithmetic, leave traffic above the saturation share, and never touch dispatch."""
    scaling = Scaling(saturation_share=0.5)
    bound = {"compute": ideal(bandwidth_bytes_s=1e30), "memory": ideal(fp16_flops=1e30)}
    decode = Batch(num_seqs=8, kv_tokens=8000)
    for point, compute, memory in (
        (OperatingPoint(0.5), 2.0, 1.0),
        (OperatingPoint(0.25), 4.0, 2.0),
        (OperatingPoint(1.0, 0.5), 2.0, 1.0),
    ):
        for side, factor in (("compute", compute), ("memory", memory)):
            service = Roofline(bound[side], LLAMA, scaling=scaling)
            ratio = service.at(point).iteration_s(decode) / service.iteration_s(decode)
            assert ratio == pytest.approx(factor, rel=1e-6)
    floor = Roofline(ideal(fp16_flops=1e30, bandwidth_bytes_s=1e30, dispatch_s=1e-6), LLAMA, scaling=scaling)
    assert floor.at(OperatingPoint(0.1)).iteration_s(decode) == pytest.approx(floor.iteration_s(decode))
    assert floor.at(FULL) is floor


def test_power_is_between_idle_and_tdp():
    """Claim: a prefill draws the TDP, a decode less, all more than idling; a given law takes precedence."""
    service = Roofline(H100, LLAMA, 2)
    prefill, decode = service.power_w(Batch(8000, 8000**2 / 2)), service.power_w(Batch(num_seqs=8, kv_tokens=8000))
    assert prefill is not None
    assert decode is not None
    assert 2 * 75 < decode < prefill <= 2 * 700
    assert service.at(FULL).power_w(Batch(num_seqs=1)) == service.power_w(Batch(num_seqs=1))
    law = PowerLaw(100.0, 1.0, 0.0, 0.0, 0.0, 700.0)
    assert replace(service, power=law).power_w(Batch(num_seqs=1)) == law.power_w(
        Batch(num_seqs=1), service.iteration_s(Batch(num_seqs=1))
    )
    assert Roofline(ideal(), LLAMA).power_w(Batch(num_seqs=1)) is None
    slow = replace(service, scaling=Scaling(0.5)).at(OperatingPoint(1.0, 0.5))
    assert slow.power_w(Batch(8000, 8000**2 / 2)) < prefill


def test_two_engines_run_what_the_mapping_says():
    """Claim: short iterations read weights inside the memory, long ones stream them to the compute engine."""
    compute, memory = chip("halo-cim"), chip("halo-cid")
    aware, on_memory, on_compute = (
        TwoResource(compute, memory, LLAMA, mapping) for mapping in ("phase-aware", "all-memory", "all-compute")
    )
    one = Batch(num_seqs=1, kv_tokens=1)
    assert aware.iteration_s(one) == on_memory.iteration_s(one) < on_compute.iteration_s(one)
    prompt = Batch(4096, 4096**2 / 2)
    assert aware.iteration_s(prompt) < on_memory.iteration_s(prompt)
    assert aware.switch_tokens == pytest.approx(53.6e12 / compute.bandwidth_bytes_s)


@pytest.mark.parametrize("seqs", [1, 10, 39, 41, 100, 1000])
def test_the_switch_is_where_it_pays(seqs):
    """Claim: products on the engine that b* = R_cid / B_ext picks are no slower than on the other, for rates where the
    compute engine is bound by loading at b*."""
    compute, memory = chip("halo-cim"), chip("halo-cid")
    times = {
        mapping: TwoResource(compute, memory, LLAMA, mapping).iteration_s(Batch(num_seqs=seqs))
        for mapping in ("phase-aware", "all-memory", "attention-on-memory")
    }
    assert times["phase-aware"] <= 1.02 * min(times["all-memory"], times["attention-on-memory"])


def test_files_and_errors():
    """Claim: forms are built from names; what cannot be is an error that names the field."""
    nothing = {"scaling": None, "power": None}
    built = service_model("roofline", {"chip": "h100-sxm", "model": "Llama-3.1-8B", "tensor_parallel": 2}, nothing)
    assert built.iteration_s(Batch(num_seqs=3)) == Roofline(H100, LLAMA, 2).iteration_s(Batch(num_seqs=3))
    assert built.at(OperatingPoint(0.5)).iteration_s(Batch(5000)) > built.iteration_s(Batch(5000))
    for form, coefficients, message in (
        ("roofline", {"chip": "h100-sxm"}, r"coefficients\.model is missing"),
        ("roofline", {"chip": "h100-sx", "model": "llama3-8b"}, "did you mean 'h100-sxm'"),
        ("roofline", {"chip": "h100-sxm", "model": "llama3-8b", "colour": 1}, "unknown coefficient"),
        (
            "roofline",
            {"chip": "h100-sxm", "model": "llama3-8b", "tensor_parallel": 3},
            "must divide the 32 query",
        ),
        ("roofline", {"chip": "h100-sxm", "model": "llama3-8b", "tensor_parallel": 0}, "tensor_parallel = 0"),
        ("roofline", {"chip": "h100-sxm", "model": "llama3-8b", "memory_efficiency": 2}, "memory_efficiency = 2"),
        ("roofline", {"chip": "h100-sxm", "model": "llama3-8b", "overhead_s": "1"}, "overhead_s = '1'"),
        ("two-resource", {"compute": "halo-cim", "memory": "halo-cid", "model": "llama3-8b"}, "mapping is missing"),
    ):
        with pytest.raises(InputError, match=message):
            service_model(form, coefficients, nothing)
    with pytest.raises(InputError, match="knows no experts"):
        TwoResource(chip("halo-cim"), chip("halo-cid"), model_config("mixtral-8x7b"))
    with pytest.raises(InputError, match="did you mean 'phase-aware'"):
        TwoResource(chip("halo-cim"), chip("halo-cid"), LLAMA, "phase-awar")
    with pytest.raises(InputError, match="calibrated for the whole device"):
        TwoResource(chip("halo-cim"), chip("halo-cid"), LLAMA).at(OperatingPoint(0.5))


@pytest.mark.parametrize("name", model_names())
def test_every_model_runs_on_every_chip(name):
    """Claim: each pair of the catalogue has finite times, and no decode beats the reading of its weights."""
    for device in map(chip, chip_names()):
        service = Roofline(device, model_config(name))
        decode_s = service.iteration_s(Batch(num_seqs=1, kv_tokens=1000))
        active = model_config(name).active_params * model_config(name).dtype_bytes
        ends = 2 * model_config(name).head_params * model_config(name).dtype_bytes
        assert decode_s >= (active - ends) / device.bandwidth_bytes_s
        assert decode_s < service.iteration_s(Batch(2000, 2e6)) < float("inf")
