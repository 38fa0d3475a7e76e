"""Energy: what an iteration, an epoch and a run cost, and the clock that costs least."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, build, policy_names, random_workload, seeds, services, tight_hardware

import policies
from fluid.fleets import Phase
from orsched import Fleet, Hardware, Workload, hardware, load_run, measure, save_run, simulate
from orsched.energy import ChipEnergy, ClockLaw
from orsched.engine.integrals import Integrals
from orsched.engine.meter import MeteredIntegrals, integrals_for, positive_sum
from orsched.errors import InputError
from orsched.service import Affine, Batch, OperatingPoint, PiecewiseLinear, PowerLaw, Scaling
from policies import ROUTERS

LAW = PowerLaw(60.0, 2.0, 0.02, 0.01, 1e-4, 400.0, active_w=30.0)
numbers = st.floats(-1e3, 1e3)
positive = st.floats(1e-3, 1e3)
limits = st.sampled_from([120.0, 250.0, 330.0, 5e3])


@given(numbers, numbers, st.integers(1, 60))
def test_positive_part_of_a_progression_sums_in_closed_form(first, step, count):
    """Claim: `positive_sum` is the sum of the positive terms, whichever way the progression runs."""
    terms = [first + n * step for n in range(count)]
    assert positive_sum(first, step, count) == pytest.approx(math.fsum(t for t in terms if t > 0), rel=1e-9, abs=1e-6)


def test_energy_of_an_iteration_by_hand():
    """Claim: static watts times the time, and joules by the piece; cut at the limit."""
    batch = Batch(prompt_tokens=100, num_seqs=10, kv_tokens=5_000)
    assert LAW.work_j(batch) == pytest.approx(2 + 2 + 0.1 + 0.5)
    assert LAW.energy_j(batch, 0.1) == pytest.approx(9 + 4.6)
    assert LAW.power_w(batch, 0.1) == pytest.approx(136)
    assert LAW.energy_j(batch, 0.01) == pytest.approx(4.0)
    assert LAW.power_w(batch, 0.01) == 400


def test_energy_of_a_run_by_hand():
    """Claim: one request of 3 prompt and 3 output tokens costs one prefill, two decodes and the idle time between."""
    service = Affine(0.1, 0.01, 0.0, 0.001, power=LAW)
    fleet = Fleet.single(Hardware("toy", service, 1_000))
    workload = Workload.of([0.0, 2.0], [3, 3], [3, 3])
    run = simulate(workload, fleet, build("vllm-v1", workload, fleet))
    decode_s = [0.1 + 0.001 * 3, 0.1 + 0.001 * 4]
    once = 2.0 * 3 + 3 * 0.02 + 2 * 0.01 + (3 + 4) * 1e-4
    busy = 2 * (0.13 + sum(decode_s))
    makespan = 2.0 + busy / 2
    assert run.busy_s[0] == pytest.approx(busy)
    assert run.energy_j == pytest.approx([60 * makespan + 30 * busy + 2 * once])
    found = measure(run)
    assert found["energy_per_token_j"] == pytest.approx(run.energy_j[0] / 6)
    assert found["power_mean_w"] == pytest.approx(run.energy_j[0] / makespan)
    assert "energy_per_token_j" in run.summary()


@settings(max_examples=60)
@given(policy_names, services, seeds, limits)
def test_energy_is_exact_over_epochs(name, service, seed, most):
    """Claim: epochs of length one give the same energy to 1e-9, for every policy and form, limited or not."""
    assume(hasattr(service, "power"))
    law = replace(LAW, idle_w=10.0, active_w=5.0, iteration_j=1.0, kv_token_j=1e-3, most_w=most)
    fleet = Fleet.identical(tight_hardware(replace(service, power=law), seed, 16))
    workload = random_workload(seed)
    policy = build(name, workload, fleet)
    assume(policy is not None)
    run = simulate(workload, fleet, policy, seed=3)
    one = simulate(workload, fleet, policy, seed=3, epoch_limit=1)
    assert run.energy_j == pytest.approx(one.energy_j, rel=1e-9)
    assert (run.energy_j <= most * run.makespan_s * (1 + 1e-12)).all()
    assert (run.energy_j >= law.idle_w * run.makespan_s * (1 - 1e-12)).all()


@given(
    st.lists(st.tuples(st.floats(0, 0.01), st.floats(1, 500)), min_size=1, max_size=4),
    st.integers(0, 2_000),
    st.integers(1, 40),
    st.integers(1, 80),
    st.floats(91, 600),
)
def test_metered_decodes_sum_the_law_of_each_iteration(pieces, kv, seqs, steps, most):
    """Claim: an epoch costs the sum of the law over its iterations, on curves with breaks and unequal contexts."""
    slopes = sorted(slope / 1e3 for slope, _ in pieces)
    breaks = np.cumsum([width for _, width in pieces[1:]])
    intercepts = [0.01]
    for k, at in enumerate(breaks):
        intercepts.append(intercepts[-1] + (slopes[k] - slopes[k + 1]) * at)
    curve = PiecewiseLinear(intercepts, slopes, breaks)
    law = replace(LAW, most_w=most)
    meter, timed = integrals_for(Affine(0.1, 0.0, 0.0, 0.0, power=law)), kv + 3.5
    assert isinstance(meter, MeteredIntegrals)
    meter.decode(curve, timed, seqs, steps, kv, kv)
    times = [curve(timed + n * seqs) for n in range(steps)]
    each = [law.energy_j(Batch(num_seqs=seqs, kv_tokens=kv + n * seqs), t) for n, t in enumerate(times)]
    assert meter.busy_s == pytest.approx(sum(times))
    assert meter.energy_j(meter.busy_s) == pytest.approx(sum(each), rel=1e-9)


ROOFLINES = ("llama3-8b/h100-sxm", "llama3-8b/l4", "deepseek-v3/h200-sxm-tp8", "llama3-70b/mi300x")


def _limited_roofline(name, share):
    """Return a roofline entry whose power limit is a share of the way from idling to its own."""
    entry = hardware(name)
    power = entry.service.power
    limited = replace(power, most_w=power.idle_w + share * (power.most_w - power.idle_w))
    return replace(entry, service=replace(entry.service, power=limited), kv_capacity_tokens=8_000)


@given(
    st.sampled_from(ROOFLINES),
    st.sampled_from([0.2, 0.45, 1.0]),
    st.integers(0, 20_000),
    st.integers(1, 300),
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(1, 4_000), st.integers(0, 8_000)), min_size=1, max_size=3),
)
def test_rooflines_are_metered_by_the_watts_they_state(name, share, kv, seqs, steps, chunks):
    """Claim: an epoch of decodes and a mixed iteration cost `Roofline.power_w` of each iteration times its duration,
    with mixtures of experts, attention of chunks and a limit that binds."""
    service = _limited_roofline(name, share).service
    decodes = [Batch(num_seqs=seqs, kv_tokens=kv + n * seqs) for n in range(steps)]
    prompt = sum(p for p, _ in chunks)
    mixed = Batch(prompt, sum(p * (past + 0.5 * p) for p, past in chunks), sum(past for _, past in chunks), seqs, kv)
    meter = integrals_for(service)
    meter.decode(service.decode_curve(seqs), kv, seqs, steps, kv, kv)
    meter.iteration(service.iteration_s(mixed), seqs + len(chunks), kv + prompt, mixed)
    each = [service.power_w(batch) * service.iteration_s(batch) for batch in (*decodes, mixed)]
    assert meter.energy_j(meter.busy_s) == pytest.approx(math.fsum(each), rel=1e-9)


@settings(max_examples=30)
@given(st.sampled_from(ROOFLINES), st.sampled_from([0.2, 0.45, 1.0]), policy_names, seeds)
def test_energy_of_rooflines_is_exact_over_epochs(name, share, policy, seed):
    """Claim: epochs of length one give the same energy of a run on a roofline to 1e-9, between idling and the limit."""
    entry = _limited_roofline(name, share)
    fleet, workload = Fleet.single(entry), random_workload(seed)
    batcher = build(policy, workload, fleet)
    assume(batcher is not None)
    run = simulate(workload, fleet, batcher, seed=3)
    one = simulate(workload, fleet, batcher, seed=3, epoch_limit=1)
    assert run.energy_j == pytest.approx(one.energy_j, rel=1e-9)
    power = entry.service.power
    assert power.idle_w < run.energy_j[0] / run.makespan_s <= power.most_w * (1 + 1e-12)


def test_energy_of_a_roofline_by_hand():
    """Claim: one request costs its prefill and its decodes at the watts of the roofline, joules by its operations."""
    entry = hardware("llama3-8b/h100-sxm")
    fleet, workload = Fleet.single(entry), Workload.of([0.0], [1_000], [3])
    run = simulate(workload, fleet, policies.build("vllm-v1", workload, fleet))
    service = entry.service
    batches = [Batch(1_000, 500_000), Batch(num_seqs=1, kv_tokens=1_000), Batch(num_seqs=1, kv_tokens=1_001)]
    assert run.energy_j[0] == pytest.approx(sum(service.power_w(b) * service.iteration_s(b) for b in batches), rel=1e-9)


def test_what_has_no_law_has_no_energy():
    """Claim: without a power law energy is absent, not zero: in the run, the metrics, the summary and the integrals."""
    workload = random_workload(1, n=5)
    fleet = Fleet.single(Hardware("toy", SERVICE_MODELS["affine"], 10_000))
    run = simulate(workload, fleet, build("vllm-v1", workload, fleet))
    assert run.energy_j is None
    assert not {"energy_per_token_j", "power_mean_w"} & measure(run).keys()
    assert "energy" not in run.summary()
    assert type(integrals_for(object())) is Integrals
    assert Integrals().energy_j(1.0) is None


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_run_files_keep_energy_and_old_ones_have_none(tmp_path, ending):
    """Claim: energy survives the disk bit by bit; a file of version 1 still loads, without energy; junk is refused."""
    workload = random_workload(2, n=8)
    fleet = Fleet.identical(Hardware("toy", replace(SERVICE_MODELS["affine"], power=LAW), 10_000), 2)
    run = simulate(workload, fleet, build("vllm-v1", workload, fleet).routed_by(ROUTERS["round-robin"]))
    path = tmp_path / f"run{ending}"
    save_run(run, path)
    assert load_run(path).energy_j.tolist() == run.energy_j.tolist()
    save_run(replace(run, energy_j=None), path)
    assert load_run(path).energy_j is None
    if ending == ".parquet":
        return
    save_run(run, path)
    head, rest = path.read_text().split("\n", 1)
    header = json.loads(head.removeprefix("# orsched_run "))

    def write(head, rows):
        path.write_text(f"# orsched_run {json.dumps(head)}\n{rows}")
        return load_run(path)

    def reload(**changes):
        return write({k: v for k, v in {**header, **changes}.items() if v != "drop"}, rest)

    old = {**header, "version": 1, "kv_capacity_tokens": 10_000, "max_num_seqs": 4}
    del old["on_s"]
    older = "\n".join(",".join(row.split(",")[:-3]) for row in rest.splitlines())
    assert write({name: value for name, value in old.items() if name != "energy_j"}, older).energy_j is None
    for wrong in ([1.0], [1.0, -1.0], "much", [1.0, float("nan")]):
        with pytest.raises(InputError, match=r"energy_j|differ in length"):
            reload(energy_j=wrong)
    for energy in (old["energy_j"], None):
        with pytest.raises(InputError, match="'energy_j' is unknown in version 1"):
            write(old | {"energy_j": energy}, older)
    for changes in ({"energy_j": "drop"}, {"version": 4}, {"version": True}):
        with pytest.raises(InputError, match=r"energy_j|version 1 to 3"):
            reload(**changes)


clocks = st.builds(
    ClockLaw,
    static_w=st.floats(0, 500),
    dynamic_w=st.floats(1, 500),
    alpha=st.floats(0, 4),
    beta=st.floats(0, 1),
)


@given(clocks, st.floats(0.05, 1))
def test_cheapest_clock_beats_a_grid(law, least):
    """Claim: no clock of a fine grid costs less than `cheapest`, and the U-shape is as the grid shows it."""
    best = law.cheapest(least)
    grid = np.linspace(least, 1, 400)
    energy = np.array([law.energy_j(f) for f in grid])
    assert law.energy_j(best) <= energy.min() * (1 + 1e-12)
    if law.is_u_shaped(least):
        assert energy[0] >= law.energy_j(best) <= energy[-1]
        left, right = grid < best, grid > best
        assert (np.diff(energy[left]) <= 1e-9 * energy.max()).all()
        assert (np.diff(energy[right]) >= -1e-9 * energy.max()).all()


@given(clocks, st.floats(0.1, 1), positive)
def test_clock_law_is_that_of_the_fleet_programme(law, clock, seconds):
    """Claim: `fluid.fleets.Phase` with ``memory_s = 0`` is the same law with the same optimum."""
    phase = Phase(
        name="p",
        iterations_per_s=1,
        compute_s=seconds,
        beta=law.beta,
        static_w=law.static_w,
        dynamic_w=law.dynamic_w,
        alpha=law.alpha,
    )
    assert phase.iteration_s(clock) == pytest.approx(seconds * law.stretch(clock), rel=1e-12)
    assert phase.power_w(clock) == pytest.approx(law.power_w(clock), rel=1e-12)
    assert phase.energy_j(clock) == pytest.approx(seconds * law.energy_j(clock), rel=1e-12)
    assert law.energy_j(law.cheapest(0.1)) == pytest.approx(law.energy_j(phase.cheapest(0.0, 0.1, 1.0)), rel=1e-9)


@given(st.floats(0.2, 1), st.floats(0, 3), st.floats(0, 200), st.floats(0, 200))
def test_power_law_at_a_clock_is_the_clock_law(clock, alpha, idle, active):
    """Claim: work whose time goes as 1/f draws ``A + B f^(1 + alpha)``: the same watts from a service model at a clock
    as from `Phase`; running watts alone do so whatever part of the time the clock scales."""
    law = PowerLaw(idle, 1.0, 0.0, 0.3, 0.0, 1e9, active_w=active, clock_exponent=alpha)
    batch = Batch(num_seqs=10)
    scaling = Scaling(1.0, memory_exponent=1.0)
    model = Affine(0.02, 0.0, 0.001, 0.0, scaling=scaling, power=law)
    dynamic = active + 4.0 / 0.03
    args = {"name": "p", "iterations_per_s": 1.0, "static_w": idle, "alpha": alpha}
    phase = Phase(compute_s=0.03, beta=1.0, dynamic_w=dynamic, **args)
    at = model.at(OperatingPoint(clock_share=clock))
    assert at.iteration_s(batch) == pytest.approx(phase.iteration_s(clock), rel=1e-12)
    assert at.power_w(batch) == pytest.approx(phase.power_w(clock), rel=1e-9)
    waiting = replace(model, scaling=Scaling(1.0), power=replace(law, iteration_j=0.0, sequence_j=0.0))
    at = waiting.at(OperatingPoint(clock_share=clock))
    phase = Phase(memory_s=0.02, compute_s=0.01, beta=1.0, dynamic_w=max(active, 1e-300), **args)
    assert at.iteration_s(batch) == pytest.approx(phase.iteration_s(clock), rel=1e-12)
    assert at.power_w(batch) == pytest.approx(phase.power_w(clock), rel=1e-9, abs=1e-12)


def test_a_slower_clock_saves_energy_where_static_power_is_small():
    """Claim: through the simulator, decoding at 0.8 of the clock costs less energy and more time; without static power
    the joules of work alone change, by ``f^alpha``."""
    law = PowerLaw(0.0, 2.0, 0.02, 0.01, 1e-4, 1e9, clock_exponent=2.0)
    service = Affine(0.02, 1e-4, 1e-3, 1e-6, scaling=Scaling(0.5, memory_exponent=0.5), power=law)
    workload = Workload.of([0.0, 0.1, 0.2], [50, 60, 70], [20, 30, 40])
    runs = []
    for clock in (1.0, 0.8):
        fleet = Fleet.single(Hardware("toy", service.at(OperatingPoint(clock_share=clock)), 10_000))
        runs.append(simulate(workload, fleet, build("vllm-v1", workload, fleet)))
    assert runs[1].makespan_s > runs[0].makespan_s
    assert runs[1].energy_j[0] < runs[0].energy_j[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"idle_w": -1.0}, "idle_w"),
        ({"active_w": math.nan}, "active_w"),
        ({"sequence_j": math.inf}, "sequence_j"),
        ({"most_w": 0.0}, "most_w"),
        ({"most_w": 80.0}, r"idle_w \+ active_w = 90.0: must be <= most_w"),
        ({"clock_exponent": 5.0}, "clock_exponent"),
        ({"relative_error": -0.1}, "relative_error"),
        ({"iteration_j": "2"}, "iteration_j"),
    ],
)
def test_impossible_laws_are_refused(change, named):
    """Claim: a power law that cannot be is refused by name."""
    with pytest.raises(InputError, match=named):
        replace(LAW, **change)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ClockLaw(-1.0, 1.0, 1.0, 1.0), "static_w"),
        (lambda: ClockLaw(1.0, 0.0, 1.0, 1.0), "dynamic_w"),
        (lambda: ClockLaw(1.0, 1.0, 4.5, 1.0), "alpha"),
        (lambda: ClockLaw(1.0, 1.0, 1.0, 1.5), "beta"),
        (lambda: ClockLaw(1.0, 1.0, 1.0, 1.0).power_w(0.0), "clock"),
        (lambda: ClockLaw(1.0, 1.0, 1.0, 1.0).cheapest(1.5), "least"),
        (lambda: ChipEnergy(90.0, 2e-10, 1e-12, 100.0, 400.0), "running_w"),
        (lambda: ChipEnergy(90.0, -2e-10, 1e-12, 60.0, 400.0), "byte_j"),
        (lambda: CHIP.power_law(0.0, 5e5), "parameters"),
        (lambda: CHIP.power_law(7e9, 5e5, active_parameters=8e9), "active_parameters"),
        (lambda: CHIP.power_law(7e9, -1.0), "kv_token_bytes"),
        (lambda: CHIP.power_law(7e9, 5e5, chips=0), "chips"),
    ],
)
def test_impossible_chips_and_clocks_are_refused(make, named):
    """Claim: chips, clocks and models that cannot be are refused by name."""
    with pytest.raises(InputError, match=named):
        make()


CHIP = ChipEnergy(90.0, 2e-10, 1e-12, 60.0, 400.0, clock_exponent=1.5, relative_error=0.1, source="made up")


def test_a_chip_charges_bytes_and_operations():
    """Claim: weights and KV are charged by the byte, active weights by the operation, watts by the chip."""
    law = CHIP.power_law(4e10, 1e5, active_parameters=1e10, chips=4)
    assert (law.idle_w, law.active_w, law.most_w) == (240.0, 120.0, 1600.0)
    assert law.iteration_j == pytest.approx(2e-10 * 2 * 4e10)
    assert law.prompt_token_j == law.sequence_j == pytest.approx(1e-12 * 2 * 1e10)
    assert law.kv_token_j == pytest.approx(2e-5)
    assert (law.clock_exponent, law.relative_error, law.source) == (1.5, 0.1, "made up")
    assert CHIP.power_law(4e10, 1e5, weight_bytes=1.0).iteration_j == pytest.approx(8.0)


def test_catalogue_entries_with_a_law_report_energy():
    """Claim: a catalogue entry with a power law gives energy; its mean power lies between idling and the limit."""
    entry = hardware("llama2-7b/a100-80g")
    fleet = Fleet.single(entry)
    workload = random_workload(4, n=40)
    found = measure(simulate(workload, fleet, build("vllm-v1", workload, fleet)))
    assert entry.service.power.idle_w < found["power_mean_w"] < entry.service.power.most_w
    assert 0 < found["energy_per_token_j"] < 20
