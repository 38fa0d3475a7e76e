"""Every claim about WAIT and Nested WAIT can fail: false variants, each wrong as a reader or an author could be."""

import math
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import pytest

from proofs_check import CLAIMS, check
from proofs_check.rules import Once
from proofs_check.wait import (
    backlog,
    coupling,
    delay_bound,
    fcfs,
    invariant,
    nested_memory,
    nested_runs,
    rates,
    throughput,
)
from proofs_check.wait.exponents import exponent_slack
from proofs_check.wait.systems import types_of


@cache
def experiment(name):
    """What the quick check of a claim with one experiment has drawn."""
    return check(CLAIMS[name], quick=True).witness


def slack(function, **values):
    """The claim with another inequality, on the experiment drawn before if it is one."""

    def plant(claim):
        planted = replace(claim, inequality=partial(function, **values))
        if not isinstance(claim.rule, Once):
            return planted
        return replace(planted, sample=lambda rng: experiment(claim.name), quick_sample=None)

    return plant


def less(claim, shift):
    """The claim with a slack smaller by `shift`."""
    return replace(claim, inequality=lambda x: claim.inequality(x) - shift)


def gaps_of(*names, metric):
    """The claim about other admission rules."""
    sample = partial(fcfs._gaps, names=names, metric=metric, replications=10, horizon=30.0)
    return lambda claim: replace(claim, sample=sample, quick_sample=None)


def flatter(claim):
    """The claim on an experiment whose delays grow like T^(1/4), with the intervals of the one drawn."""
    slopes = dict(experiment(claim.name)["slopes"])
    for label, (mean, half) in slopes.items():
        slopes[label] = [mean if label.endswith("gap") else 0.25, half]
    return replace(claim, sample=lambda rng: {**experiment(claim.name), "slopes": slopes}, quick_sample=None)


def half_a_stage_less(x):
    """M^pi with half a token less per prompt, against the sum over stages."""
    ends = pairwise((-1, *x["cuts"]))
    less = sum(n * (b - a) / 2 for n, (a, b) in zip(x["thresholds"], ends, strict=True))
    return nested_memory.closed_form_slack(x) - less / nested_memory.stage_sum(x)


def memory_of_prompts(x):
    """M^pi without the growth of the cache."""
    watched, _, _ = invariant.watch(x)
    kinds = zip(x["thresholds"], types_of(x), strict=True)
    return sum(n * (kind.decode_steps + 1) * kind.prompt_tokens for n, kind in kinds) - watched.memory


CRITICAL, SLACK = rates.critical_rates(), rates.slack_rates()
PLANTED = [
    ("wait-stage-invariant", "N_js <= n_j - 1", partial(less, shift=1)),
    ("wait-memory", "S without the growth of the cache", slack(memory_of_prompts)),
    ("wait-iteration-length", "0.9 Delta^pi", partial(less, shift=0.1)),
    ("wait-coupled-backlog", "no lag of one review", slack(coupling.backlog_slack, lag=0)),
    ("wait-unfinished", "l' + 1 cohorts", slack(coupling.unfinished_slack, cohorts=1)),
    ("wait-finite-horizon-gap", "a fifth of the bound", slack(coupling.gap_slack, share=0.2)),
    ("wait-one-type-recursion", "d1 1% larger", slack(coupling.recursion_slack, growth=1.01)),
    ("wait-dominating-walk", "a walk with floor 0", slack(backlog.dominating_slack, floor=0)),
    ("wait-critical-identity", "0.99 n", slack(backlog.identity_slack, factor=0.99)),
    ("wait-critical-backlog", "a third of the bound", slack(backlog.critical_slack, factor=1 / 3)),
    ("wait-critical-backlog-root", "half the bound", slack(backlog.square_root_slack, factor=1.0)),
    (
        "wait-slack-backlog",
        "half the second moment",
        slack(backlog.slack_case_slack, thresholds=2.0, square=0.5, variance=0.5),
    ),
    (
        "wait-slack-backlog-draft",
        "half the variance",
        slack(backlog.slack_case_slack, thresholds=2.0, square=0.0, variance=0.5),
    ),
    ("wait-slack-walk-draft", "half the variance", slack(backlog.walk_slack, variance=0.5)),
    (
        "wait-critical-rates",
        "gap -1/3",
        slack(rates.compared_slack, expected={**CRITICAL, "throughput_gap": -1 / 3}),
    ),
    ("wait-critical-rates", "the rates with slack", slack(rates.compared_slack, expected=SLACK)),
    ("wait-critical-rates", "latency 1", slack(rates.compared_slack, expected={**CRITICAL, "latency_mean": 1.0})),
    ("wait-slack-rates", "the critical rates", slack(exponent_slack, expected=CRITICAL)),
    ("wait-slack-rates", "TTFT 1/4", slack(exponent_slack, expected={**SLACK, "ttft_mean": 0.25})),
    ("wait-type-wise-slack", "both grow", slack(rates.two_types_slack, first=0.5, second=0.5)),
    ("wait-type-wise-slack", "neither grows", slack(rates.two_types_slack, first=0.0, second=0.0)),
    ("wait-arrived-tokens", "0.95 of what arrived", slack(throughput.arrived_slack, share=0.95)),
    ("wait-offered-load", "0.95 of the load", slack(throughput.offered_slack, share=0.95)),
    ("wait-completions-cap", "five times d0", slack(throughput.completions_slack, overhead=5.0, stages=False)),
    (
        "wait-completions-cap-stages",
        "l' + 1 half as large again",
        slack(throughput.completions_slack, overhead=1.5, stages=True),
    ),
    ("wait-instability", "the root of T", slack(throughput.growth_slack, exponent=0.5)),
    ("wait-fcfs-block-arrivals", "(0, 2) is safe too", slack(fcfs.pairs_slack, safe=(*fcfs.SAFE_PAIRS, (0, 2)))),
    ("wait-fcfs-block", "(0, 2) is safe too", slack(fcfs.block_slack, safe=5 / math.e**2)),
    ("wait-fcfs-random-block", "at most 1/2", slack(fcfs.random_block_slack, safe=0.5)),
    ("wait-fcfs-gap", "a fifth of the load is lost", slack(fcfs.stays_slack, share=0.2)),
    ("wait-fcfs-gap", "WAIT loses too", gaps_of(fcfs.KNOWN, metric=fcfs.STAYS)),
    ("wait-fcfs-gap-engine", "vLLM v1 too", gaps_of("vllm-v1", metric=fcfs.STAYS)),
    ("wait-fcfs-kept-tokens", "with lost progress", gaps_of("residents first", metric=fcfs.VANISHES)),
    ("wait-unknown-lengths-gap", "WAIT, which knows them", gaps_of(fcfs.KNOWN, metric=fcfs.STAYS)),
    ("wait-known-lengths-gap", "Orca, which does not", gaps_of("orca", metric=fcfs.VANISHES)),
    ("wait-critical-walk", "0.9 sqrt(n B)", slack(delay_bound.root_slack, factor=0.9)),
    ("wait-critical-walk-mean", "P(n k + 1)", slack(delay_bound.spitzer_slack, shift=-1)),
    ("wait-least-backlog", "a server 20% slower", slack(delay_bound.backlog_slack, speed=0.8)),
    ("wait-boundary-delay", "delays grow like T^(1/4)", flatter),
    ("wait-boundary-delay", "delays grow like T", slack(delay_bound.delay_slack, exponent=0.75)),
    ("wait-nested-memory-sum", "sbar_k half a token too small", slack(half_a_stage_less)),
    ("wait-nested-dominating-walk", "a walk with floor 0", slack(nested_memory.dominating_slack, floor=0)),
    (
        "wait-nested-excursion",
        "without the factor B",
        slack(nested_memory.excursion_slack, union=False, denominator="root"),
    ),
    (
        "wait-nested-excursion",
        "the first version's theta",
        slack(nested_memory.excursion_slack, union=True, denominator="n"),
    ),
    ("wait-nested-boundary-mean", "without n_k", slack(nested_memory.mean_slack, thresholds=0.0)),
    ("wait-nested-stages", "n_k - 1", partial(less, shift=1)),
    ("wait-nested-iteration-length", "0.9 Delta^pi", partial(less, shift=0.1)),
    ("wait-nested-coupled-entry", "reviews 10% faster", slack(nested_runs.entry_slack, interval_s=0.9)),
    ("wait-nested-overflow", "C = M^pi", slack(nested_runs.overflow_slack, buffer=0.0, horizon=1.0)),
    ("wait-nested-overflow", "ln(L / delta)", slack(nested_runs.overflow_slack, buffer=1.0, horizon=1e-12)),
    ("wait-nested-rates", "the critical rates", slack(exponent_slack, expected=CRITICAL)),
    ("wait-nested-rates", "gap -1/2", slack(exponent_slack, expected={**SLACK, "throughput_gap": -0.5})),
]
ELSEWHERE = {
    "wait-equilibrium-closed-form",
    "wait-equilibrium-balance",
    "wait-equilibrium-iteration",
    "wait-two-stability-forms",
    "wait-nested-theta-lower-bound",
    "wait-nested-theta-first-version",
}
"""Planted in tests/support/planted_claims.py."""


@pytest.mark.parametrize(("name", "what", "plant"), PLANTED, ids=[f"{name}: {what}" for name, what, _ in PLANTED])
def test_planted_false_variants_are_caught(name, what, plant):
    """Claim: a wrong exponent, a dropped term or a smaller bound is found false by the quick check, with a witness."""
    verdict = check(plant(CLAIMS[name]), quick=True)
    assert verdict.outcome == "fails", what
    assert verdict.slack < 0
    assert verdict.witness


def test_every_claim_about_wait_has_a_planted_variant():
    """Claim: none is left out."""
    about_wait = {name for name in CLAIMS if name.startswith("wait-")}
    assert about_wait == {name for name, _, _ in PLANTED} | ELSEWHERE
