"""False variants of claims, each wrong as a reader or an author could be: a wrong constant, a dropped term."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from fluid import equilibrium
from fluid.hindsight import mc_sf_starts, scan_starts, simple_bound
from proofs_check import (
    bari_rad,
    chen_intervals,
    guldogan_multi_bin,
    jaillet_lower_bounds,
    jaillet_mc_sf,
    kong_svf,
    li_dai_peng_stability,
    nie_si_zhou_capacity,
    planning_bounds,
    wang_sorted_f,
)
from proofs_check.claim import Claim
from proofs_check.models.round_optimum import burst_optimum
from proofs_check.wait import fluid as wait_fluid
from proofs_check.wait import theta as wait_theta


def indivisible_system(rng: np.random.Generator):
    """As in the claim, but b0 does not divide b_max, and work is always at hand."""
    step = int(rng.integers(2, 13))
    budget = step * int(rng.integers(1, 5)) + int(rng.integers(1, step))
    return {
        **li_dai_peng_stability.random_system(rng),
        "step": step,
        "budget": budget,
        "gap": 1,
        "scheduler": "oldest-first",
    }


def inequality(slack) -> Callable[[Claim], Claim]:
    """The claim with another inequality."""
    return lambda claim: replace(claim, inequality=slack)


def domain(change) -> Callable[[Claim], Claim]:
    """The claim on changed instances of its domain."""
    return lambda claim: replace(claim, sample=lambda rng: change(claim.sample(rng)), quick_sample=None)


def drawn_from(sample) -> Callable[[Claim], Claim]:
    """The claim on another domain."""
    return lambda claim: replace(claim, sample=sample, quick_sample=None)


def as_printed(claim: Claim) -> Claim:
    """A statement known to be false, taken for true."""
    assert claim.known_false
    return replace(claim, known_false=False)


def largest_volumes_first(instance) -> Fraction:
    """The volume bound with the sort the wrong way round."""
    return Fraction(int(np.cumsum(np.sort(instance.volume)[::-1]).sum()), instance.memory_tokens)


def without_growth(x):
    """WAIT's load with prompts only, in ``S = (l' + 1) l``."""
    kinds = zip(x["rates"], x["prompts"], x["decodes"], strict=True)
    return {**x, "rho": x["d1"] * sum(rate * (k + 1) * length for rate, length, k in kinds)}


def balance_without_overhead(x):
    """WAIT's balance ``Delta* = d1 M*``."""
    found = equilibrium(wait_fluid._classes(x), wait_fluid._fleet(x))
    return -abs(x["d1"] * found.memory_tokens / found.iteration_s - 1)


def iteration_without_prefill(x):
    """WAIT's iteration with the l' decode stages alone."""
    rho = x["d1"] * sum(
        rate * (k * length + k * (k + 1) / 2)
        for rate, length, k in zip(x["rates"], x["prompts"], x["decodes"], strict=True)
    )
    return -abs(equilibrium(wait_fluid._classes(x), wait_fluid._fleet(x)).iteration_s * (1 - rho) / x["d0"] - 1)


def forms_without_growth(x):
    """WAIT's stability region with iterations of d0, whatever they hold."""
    fits = equilibrium(wait_fluid._classes(x), wait_fluid._fleet(x)).fits
    return 1.0 if fits == (wait_fluid._demand(x) <= x["C"] / x["d0"]) else -1.0


def whole_area(prompts, outputs):
    """The memory area as if the answer were there from the start."""
    return outputs * (prompts + outputs).astype(float)


def published_area(prompts, outputs):
    """The published approximation of the memory area."""
    return outputs * (prompts + outputs / 2)


PLANTED: dict[str, tuple[str, Callable[[Claim], Claim]]] = {
    "wait-equilibrium-closed-form": ("S without the growth of the cache", domain(without_growth)),
    "wait-equilibrium-balance": ("Delta* = d1 M*", inequality(balance_without_overhead)),
    "wait-equilibrium-iteration": ("without the first stage", inequality(iteration_without_prefill)),
    "wait-two-stability-forms": ("sum(lambda S) <= C / d0", inequality(forms_without_growth)),
    "wait-nested-theta-lower-bound": ("divided by n_k", inequality(wait_theta._slack_against("n"))),
    "wait-nested-theta-first-version": ("as printed", as_printed),
    "jaillet-mc-sf-upper-formula": (
        "constants of the lower bound",
        inequality(jaillet_mc_sf.mc_sf_within(1 / 6, 1 / 6)),
    ),
    "jaillet-mc-sf-optimum-formula": ("constants 1 for 1/6", inequality(jaillet_mc_sf.optimum_above(1, 1))),
    "jaillet-mc-sf-9216": ("MC-SF is optimal", inequality(jaillet_mc_sf.ratio_within(1))),
    "jaillet-mc-sf-published-mean": ("as printed", as_printed),
    "jaillet-mc-sf-published-optimal-share": ("as printed", as_printed),
    "jaillet-online-sqrt-n": (
        "linear in n",
        inequality(jaillet_lower_bounds.grows(jaillet_lower_bounds.equal_prompts, 1 / 6, 1.0)),
    ),
    "jaillet-online-linear-n": (
        "n/2 for n/3",
        inequality(jaillet_lower_bounds.grows(jaillet_lower_bounds.unequal_prompts, 1 / 2, 1.0)),
    ),
    "li-token-rate": ("b0 need not divide b_max", drawn_from(indivisible_system)),
    "li-work-conserving": ("every scheduler", drawn_from(li_dai_peng_stability.random_system)),
    "li-boundary-backlog": ("FasterTransformer too", domain(lambda x: {**x, "scheduler": "separate-phases"})),
    "li-boundary-backlog-sharper": (
        "b_max v / 2",
        inequality(partial(li_dai_peng_stability.backlog_slack, limit=lambda budget, tokens: budget * tokens / 2)),
    ),
    "li-point-c-load": (
        "one decode token fewer",
        lambda claim: replace(claim, cases=lambda: [li_dai_peng_stability.POINT_C | {"decode": 989}]),
    ),
    "li-point-c-sarathi": (
        "all but those in the system half a minute",
        inequality(li_dai_peng_stability.completions_near(2_075, within=1)),
    ),
    "li-point-c-backlog": (
        "without decode tokens",
        inequality(li_dai_peng_stability.peak_below(li_dai_peng_stability.backlog_limit(128, 290))),
    ),
    "li-point-c-fastertransformer": ("Sarathi-Serve", drawn_from(li_dai_peng_stability.point_c("decode-first"))),
    "li-fastertransformer-diverges": (
        "Sarathi-Serve",
        drawn_from(li_dai_peng_stability.point_c("decode-first", 93_500)),
    ),
    "wang-sorted-f-48": (
        "Sorted-F is optimal",
        inequality(wang_sorted_f.ratio_within(1, wang_sorted_f.sorted_f, burst_optimum)),
    ),
    "wang-sorted-f-48-to-bound": (
        "the bound is reached",
        inequality(wang_sorted_f.ratio_within(1, wang_sorted_f.sorted_f, simple_bound)),
    ),
    "wang-sorted-f-families": ("shortest first", inequality(wang_sorted_f.stays_within(2, mc_sf_starts))),
    "wang-fcfs-unbounded": (
        "shortest first",
        inequality(wang_sorted_f.grows(wang_sorted_f.blocked_by_the_first, mc_sf_starts, 1 / 2, 0.5)),
    ),
    "wang-shortest-first-unbounded": (
        "linear in M",
        inequality(wang_sorted_f.grows(wang_sorted_f.full_and_short, mc_sf_starts, 0.28, 1.0)),
    ),
    "chen-a-max-expressions": (
        "without the half",
        inequality(chen_intervals.ordered(chen_intervals.lower_expression, lambda a: (1 + 1 / a) / a)),
    ),
    "chen-a-max-upper": (
        "without the factor 1 / alpha",
        inequality(chen_intervals.ratio_within(lambda a: (1 + 1 / a) / 2, chen_intervals.a_max_total)),
    ),
    "chen-a-max-small-memory": (
        "M = 4 u with alpha = 1/2 too",
        lambda claim: replace(
            claim, cases=lambda: [{"l": 1, "u": 2, "M": 8, "prompt": 0, "outputs": [2] * 20 + [1] * 50}]
        ),
    ),
    "chen-a-max-two-lengths": ("memory that is not K u", domain(lambda x: {**x, "M": x["M"] + x["u"] // 2})),
    "chen-a-min-log": (
        "A_max",
        inequality(chen_intervals.ratio_within(chen_intervals.log_expression, chen_intervals.a_max_total)),
    ),
    "chen-exact-intervals": ("alpha = 1/2", drawn_from(chen_intervals._intervals((2,), (1, 1.5, 2, 4)))),
    "guldogan-closed-form": (
        "without (B-1)/(B+1)",
        inequality(
            lambda x: (
                -abs(
                    ((x["low"] + x["high"]) / 2 + (x["high"] - x["low"]) / (2 * x["k"]))
                    / guldogan_multi_bin.mean_batch_time(guldogan_multi_bin.edges_of(x), x["B"])
                    - 1
                )
            )
        ),
    ),
    "guldogan-equal-bins": (
        "they are the worst",
        inequality(lambda x: -guldogan_multi_bin.equal_bins_slack(x)),
    ),
    "guldogan-table": (
        "12.3 for the limit, as quoted",
        inequality(guldogan_multi_bin.in_table(guldogan_multi_bin.TABLE | {math.inf: 12.3})),
    ),
    "guldogan-simulated-batches": (
        "the mean length of a request",
        inequality(guldogan_multi_bin.longest_over(lambda x: (x["low"] + x["high"]) / 2)),
    ),
    "guldogan-forming-wait": ("as printed", inequality(guldogan_multi_bin.wait_over(guldogan_multi_bin.printed_wait))),
    "guldogan-forming-wait-printed": ("as printed", as_printed),
    "nie-rate-is-wait-boundary": (
        "the answer there from the start",
        inequality(nie_si_zhou_capacity.agrees(nie_si_zhou_capacity.wait_boundary, whole_area)),
    ),
    "nie-rate-is-planning-capacity": (
        "the published approximation of the area",
        inequality(nie_si_zhou_capacity.agrees(nie_si_zhou_capacity.planning_capacity, published_area)),
    ),
    "nie-memory-area": (
        "half the error",
        inequality(
            lambda x: (
                nie_si_zhou_capacity.area_slack(x)
                - min(0.5 / (2 * s + o - 1) for s, o in zip(x["prompts"], x["outputs"], strict=True))
            )
        ),
    ),
    "nie-saturated-rate": ("the answer there from the start", inequality(nie_si_zhou_capacity.saturated(whole_area))),
    "kong-svf-volume-bound": ("largest volumes first", inequality(kong_svf.optimum_above(largest_volumes_first))),
    "kong-svf-any-schedule": ("largest volumes first", inequality(kong_svf.schedule_above(largest_volumes_first))),
    "kong-svf-waiting": ("without the factor 2", inequality(kong_svf.waiting_within(1))),
    "kong-svf-ratio": ("1 + alpha", inequality(kong_svf.svf_within(lambda a: 1 + a, burst_optimum))),
    "kong-svf-ratio-to-bound": ("1 + alpha", inequality(kong_svf.svf_within(lambda a: 1 + a, kong_svf.lower_bound))),
    "kong-svf-published-run": (
        "memory checked round by round, not by peaks",
        inequality(kong_svf.distance_from_run(lambda instance: scan_starts(instance, instance.volume))),
    ),
    "bari-example": (
        "prompt tokens only",
        lambda claim: replace(claim, cases=lambda: [bari_rad.EXAMPLE | {"tokens_per_request": 576}]),
    ),
    "bari-capacity": (
        "one node carries what g do",
        inequality(lambda x: 1 - x["nodes"] * (1 - bari_rad.rate_slack(x))),
    ),
    "bari-rad-tiles": (
        "prompts a token short of a tile",
        domain(lambda x: {**x, "prefill": [p - 1 for p in x["prefill"]]}),
    ),
    "bari-rad-boundary": ("stable above it", inequality(lambda x: 0.1 - x["left"])),
    "pathwise-bounds-hold": (
        "bounds a tenth too strong",
        inequality(lambda x: (1 + planning_bounds.least_gap(x)) / 1.1 - 1),
    ),
}
"""What is wrong, and the claim made wrong, by name."""
