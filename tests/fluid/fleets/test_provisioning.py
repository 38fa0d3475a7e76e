"""Provisioning: relaxation <= branch and bound = exhaustive search <= any feasible counts; monotone; explained."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fluid import ClassRate
from fluid.fleets.provisioning import provision
from fluid.fleets.server_option import ServerOption, server_options
from fluid.fleets.tier import Tier
from fluid.fleets.tier_demand import TierDemand
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.service import Affine

TIERS = ("chat", "batch")


@st.composite
def cases(draw):
    """Demands and options of two chips, all roles possible; every tier can be served."""
    demands = [TierDemand(t, draw(st.floats(1, 12)), draw(st.sampled_from([0.0, 500.0]))) for t in TIERS]
    rates = st.sampled_from([0.0, 2.0, 3.5, 6.0])
    options = [
        ServerOption(
            f"{chip} {role}",
            chip,
            role,
            {t: draw(rates) for t in TIERS},
            cost=draw(st.sampled_from([1.0, 2.5, 4.0])),
            power_w=draw(st.sampled_from([300.0, 700.0])),
            kv_tokens=draw(st.sampled_from([math.inf, 8_000.0])),
            kv_token_s={t: draw(st.sampled_from([500.0, 3_000.0])) for t in TIERS},
            transfer_tokens_per_s=draw(st.sampled_from([math.inf, 2_000.0])),
        )
        for chip, role in (("big", "mixed"), ("big", "prefill"), ("lean", "decode"))
    ]
    options[0] = replace(options[0], rates_per_s={t: draw(rates) or 3.0 for t in TIERS})
    return demands, options


def feasible(demands, options, counts):
    """Whether given counts can serve the demands: an LP in the rates, written here from the formulas."""
    pairs = [
        (o, d) for o in range(len(options)) for d in range(len(demands)) if options[o].rates_per_s[demands[d].name]
    ]
    rows, rhs = [], []
    for o, option in enumerate(options):
        each = [(demands[d], float(i == o)) for i, d in pairs]
        rows.append([on / option.rates_per_s[d.name] if on else 0.0 for d, on in each])
        rhs.append(counts[o])
        if math.isfinite(option.kv_tokens):
            rows.append([on * option.kv_token_s[d.name] for d, on in each])
            rhs.append(counts[o] * option.kv_tokens)
        if math.isfinite(option.transfer_tokens_per_s) and option.role != "mixed":
            rows.append([on * d.transfer_tokens for d, on in each])
            rhs.append(counts[o] * option.transfer_tokens_per_s)
    equal = []
    for k, demand in enumerate(demands):
        rows.append([-float(d == k and options[o].role != "prefill") for o, d in pairs])
        rhs.append(-demand.rate_per_s)
        sign = {"prefill": 1.0, "decode": -1.0, "mixed": 0.0}
        equal.append([sign[options[o].role] * (d == k) for o, d in pairs])
    return linprog([0.0] * len(pairs), rows, rhs, equal, [0.0] * len(demands), method="highs").status == 0


@settings(max_examples=12)
@given(cases(), st.sampled_from(["cost", "power_w"]))
def test_plan_equals_exhaustive_search(case, what):
    demands, options = case
    plan = provision(demands, options, minimise=what)
    fractional, solver = plan.bounds
    assert plan.status == "optimal"
    assert fractional.value <= solver.value * (1 + 1e-9) <= plan.value * (1 + 2e-9)
    assert feasible(demands, options, [plan.counts[o.name] for o in options])
    price = [getattr(o, what) for o in options]
    most = 7
    if max(plan.counts.values()) <= most:
        cheaper = [
            n
            for n in itertools.product(range(most + 1), repeat=3)
            if sum(a * b for a, b in zip(n, price, strict=True)) < plan.value * (1 - 1e-6)
        ]
        maximal = [n for n in cheaper if not any(n != m and all(map(int.__le__, n, m)) for m in cheaper)]
        assert not any(feasible(demands, options, n) for n in maximal)


@settings(max_examples=6)
@given(cases())
def test_monotone(case):
    """Less demand, more options or lower prices never cost more; a stock or a power cap never costs less."""
    demands, options = case

    def cost(demands=demands, options=options, **more):
        return provision(demands, options, **more).value

    base, slack = cost(), 1 + 1e-6
    assert cost([replace(demands[0], rate_per_s=demands[0].rate_per_s / 2), demands[1]]) <= base * slack
    assert cost(options=[replace(options[0], cost=options[0].cost / 2), *options[1:]]) <= base * slack
    extra = ServerOption("new", "new", "mixed", dict.fromkeys(TIERS, 2.0), cost=1.0)
    assert cost(options=[*options, extra]) <= base * slack
    plan = provision(demands, options)
    assert cost(power_cap_w=plan.total("power_w")) == pytest.approx(base)
    stock = {chip: sum(plan.counts[o.name] for o in options if o.chip == chip) for chip in ("big", "lean")}
    assert cost(stock=stock) == pytest.approx(base)


CHAT = TierDemand("chat", 40.0, 500.0)
BIG = ServerOption("big prefill", "big", "prefill", {"chat": 30.0}, cost=10.0, power_w=700.0)
LEAN = ServerOption("lean decode", "lean", "decode", {"chat": 11.0}, cost=6.0, power_w=500.0)


def test_transfer_and_memory_bind():
    """2 + 4 servers by rates alone; a slow link or a small memory asks for more."""
    assert provision([CHAT], [BIG, LEAN]).counts == {"big prefill": 2, "lean decode": 4}
    slow = replace(LEAN, transfer_tokens_per_s=2_500.0)
    assert provision([CHAT], [BIG, slow]).counts == {"big prefill": 2, "lean decode": 8}
    small = replace(LEAN, kv_tokens=10_000.0, kv_token_s={"chat": 1_500.0})
    assert provision([CHAT], [BIG, small]).counts == {"big prefill": 2, "lean decode": 6}


def test_reallocation_with_chips_in_stock():
    """Chips that are there anyway change roles: with a stock of one big chip the lean ones have to prefill too."""
    options = [BIG, LEAN, replace(LEAN, name="lean prefill", role="prefill", rates_per_s={"chat": 9.0})]
    plan = provision([CHAT], options, stock={"big": 1, "lean": 10})
    assert plan.counts == {"big prefill": 1, "lean decode": 4, "lean prefill": 2}
    rows = {row["option"]: row for row in plan.to_rows()}
    assert rows["lean decode"]["used"] == pytest.approx(40 / 44)
    assert plan.total("power_w") == 700 + 6 * 500
    assert 0 <= plan.gap <= 1e-6 < plan.rounding_gap


def test_infeasible_in_words():
    with pytest.raises(InputError, match=r"tier 'chat': no mixed server .* for prefill does \(chips offered: lean"):
        provision([CHAT], [LEAN])
    with pytest.raises(InputError, match=r"cannot hold together: .*3 servers of chip 'lean'.*rate of tier 'chat'"):
        provision([CHAT], [BIG, LEAN], stock={"lean": 3})
    with pytest.raises(InputError, match=r"cannot hold together: .*power cap of 3000 W"):
        provision([CHAT], [BIG, LEAN], power_cap_w=3000.0)


def test_bad_input_in_words():
    with pytest.raises(InputError, match="has no power_w"):
        provision([CHAT], [BIG, replace(LEAN, power_w=None)], minimise="power_w")
    with pytest.raises(InputError, match="unknown chip in stock 'bigg': did you mean 'big'"):
        provision([CHAT], [BIG, LEAN], stock={"bigg": 3})
    with pytest.raises(InputError, match="role = 'both'"):
        replace(LEAN, role="both")
    with pytest.raises(InputError, match="rate of chat = -1"):
        replace(LEAN, rates_per_s={"chat": -1.0})
    with pytest.raises(InputError, match="distinct names"):
        provision([CHAT], [LEAN, LEAN])


def test_a_time_limit_is_labelled():
    """With no time at all there is a status, and every number that is there is a bound or a plan."""
    tiers = [TierDemand(f"t{k}", 100.0 + 7.3 * k) for k in range(8)]
    options = []
    for c, k in itertools.product(range(8), range(8)):
        rates = {t.name: 3.1 + 0.37 * ((c * 5 + i) % 7) for i, t in enumerate(tiers[k:])}
        options.append(ServerOption(f"{c}-{k}", f"chip {c}", "mixed", rates, cost=3 + c % 4))
    plan = provision(tiers, options, time_limit_s=0.05)
    assert plan.status in ("stopped", "optimal")
    assert plan.bounds[0].certified
    if plan.value is not None:
        assert all(b.value <= plan.value for b in plan.bounds)


def test_options_of_a_chip_from_its_service_model():
    """Two tiers, two limits: the tight option serves both, the loose one the loose tier, at a larger rate."""
    gpu = Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000)
    mix = (ClassRate(5.0, 500, 250),)
    tiers = [Tier("fast", 0.02, mix, 0.5), Tier("slow", 0.1, mix, 5.0)]
    tight, loose = server_options(gpu, tiers, "decode", cost=1.0)
    assert (set(tight.rates_per_s), set(loose.rates_per_s)) == ({"fast", "slow"}, {"slow"})
    assert loose.rates_per_s["slow"] > tight.rates_per_s["slow"]
    assert [o.name for o in server_options(gpu, tiers, "prefill", cost=1.0)] == ["gpu prefill 0.5 s", "gpu prefill 5 s"]
    everything = [o for role in ("mixed", "prefill", "decode") for o in server_options(gpu, tiers, role, cost=1.0)]
    both = provision([TierDemand.of(t) for t in tiers], everything)
    mixed_only = provision([TierDemand.of(t) for t in tiers], server_options(gpu, tiers, "mixed", cost=1.0))
    assert both.value <= mixed_only.value
