"""Every claim about WAIT and Nested WAIT can fail: false variants, each wrong as a reader or an author could be."""

import math
from dataclasses import replace
from functools import cache, partial

import pytest

from proofs_check import (
    CLAIMS,
    check,
    nested_wait_memory,
    nested_wait_runs,
    wait_backlog,
    wait_coupling,
    wait_delay_bound,
    wait_fcfs,
    wait_invariant,
    wait_rates,
    wait_throughput,
)
from proofs_check.rules import Once
from proofs_check.wait_exponents import exponent_slack
from proofs_check.wait_systems import types_of


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
    sample = partial(wait_fcfs._gaps, names=names, metric=metric, replications=10, horizon=30.0)
    return lambda claim: replace(claim, sample=sample, quick_sample=None)


def as_printed(claim):
    """A statement known to be false, taken for true."""
    return replace(claim, known_false=False)


def memory_of_prompts(x):
    """M^pi without the growth of the cache."""
    watched, _, _ = wait_invariant.watch(x)
    kinds = zip(x["thresholds"], types_of(x), strict=True)
    return sum(n * (kind.decode_steps + 1) * kind.prompt_tokens for n, kind in kinds) - watched.memory


CRITICAL, SLACK = wait_rates.critical_rates(), wait_rates.slack_rates()
PLANTED = [
    ("wait-stage-invariant", "N_js <= n_j - 1", partial(less, shift=1)),
    ("wait-memory", "S without the growth of the cache", slack(memory_of_prompts)),
    ("wait-iteration-length", "0.9 Delta^pi", partial(less, shift=0.1)),
    ("wait-coupled-backlog", "no lag of one review", slack(wait_coupling.backlog_slack, lag=0)),
    ("wait-unfinished", "l' + 1 cohorts", slack(wait_coupling.unfinished_slack, cohorts=1)),
    ("wait-finite-horizon-gap", "a fifth of the bound", slack(wait_coupling.gap_slack, share=0.2)),
    ("wait-one-type-recursion", "d1 1% larger", slack(wait_coupling.recursion_slack, growth=1.01)),
    ("wait-dominating-walk", "a walk with floor 0", slack(wait_backlog.dominating_slack, floor=0)),
    ("wait-critical-identity", "0.99 n", slack(wait_backlog.identity_slack, factor=0.99)),
    ("wait-critical-backlog", "a third of the bound", slack(wait_backlog.critical_slack, factor=1 / 3)),
    ("wait-critical-backlog-root", "half the bound", slack(wait_backlog.square_root_slack, factor=1.0)),
    (
        "wait-slack-backlog",
        "half the second moment",
        slack(wait_backlog.slack_case_slack, thresholds=2.0, square=0.5, variance=0.5),
    ),
    (
        "wait-slack-backlog-draft",
        "half the variance",
        slack(wait_backlog.slack_case_slack, thresholds=2.0, square=0.0, variance=0.5),
    ),
    ("wait-slack-walk-draft", "half the variance", slack(wait_backlog.walk_slack, variance=0.5)),
    (
        "wait-critical-rates",
        "gap -1/3",
        slack(wait_rates.compared_slack, expected={**CRITICAL, "throughput_gap": -1 / 3}),
    ),
    ("wait-critical-rates", "the rates with slack", slack(wait_rates.compared_slack, expected=SLACK)),
    ("wait-critical-rates", "latency 1", slack(wait_rates.compared_slack, expected={**CRITICAL, "latency_mean": 1.0})),
    ("wait-slack-rates", "the critical rates", slack(exponent_slack, expected=CRITICAL)),
    ("wait-slack-rates", "TTFT 1/4", slack(exponent_slack, expected={**SLACK, "ttft_mean": 0.25})),
    ("wait-type-wise-slack", "both grow", slack(wait_rates.two_types_slack, first=0.5, second=0.5)),
    ("wait-type-wise-slack", "neither grows", slack(wait_rates.two_types_slack, first=0.0, second=0.0)),
    ("wait-offered-load", "0.8 of the load", slack(wait_throughput.offered_slack, share=0.8)),
    ("wait-completions-cap", "five times d0", slack(wait_throughput.completions_slack, overhead=5.0)),
    ("wait-instability", "the root of T", slack(wait_throughput.growth_slack, exponent=0.5)),
    ("wait-fcfs-block", "(0, 2) is safe too", slack(wait_fcfs.block_slack, safe=5 / math.e**2)),
    ("wait-fcfs-random-block", "at most 1/2", slack(wait_fcfs.random_block_slack, safe=0.5)),
    ("wait-fcfs-gap", "a fifth of the load is lost", slack(wait_fcfs.stays_slack, share=0.2)),
    ("wait-fcfs-gap", "WAIT loses too", gaps_of(wait_fcfs.KNOWN, metric=wait_fcfs.STAYS)),
    ("wait-fcfs-gap-engine", "vLLM v1 too", gaps_of("vllm-v1", metric=wait_fcfs.STAYS)),
    ("wait-fcfs-kept-tokens", "with lost progress", gaps_of("residents first", metric=wait_fcfs.VANISHES)),
    ("wait-unknown-lengths-gap", "WAIT, which knows them", gaps_of(wait_fcfs.KNOWN, metric=wait_fcfs.STAYS)),
    ("wait-known-lengths-gap", "Orca, which does not", gaps_of("orca", metric=wait_fcfs.VANISHES)),
    ("wait-critical-walk", "0.9 sqrt(n B)", slack(wait_delay_bound.root_slack, factor=0.9)),
    ("wait-critical-walk-mean", "P(n k + 1)", slack(wait_delay_bound.spitzer_slack, shift=-1)),
    ("wait-least-backlog", "a server 20% slower", slack(wait_delay_bound.backlog_slack, speed=0.8)),
    ("wait-boundary-delay", "delays grow like T", slack(wait_delay_bound.delay_slack, exponent=0.75)),
    ("nested-wait-memory-sum", "the first version's", slack(nested_wait_memory.first_version_slack)),
    ("nested-wait-memory-first-version", "as printed", as_printed),
    ("nested-wait-dominating-walk", "a walk with floor 0", slack(nested_wait_memory.dominating_slack, floor=0)),
    (
        "nested-wait-excursion",
        "without the factor B",
        slack(nested_wait_memory.excursion_slack, union=False, denominator="root"),
    ),
    (
        "nested-wait-excursion",
        "the first version's theta",
        slack(nested_wait_memory.excursion_slack, union=True, denominator="n"),
    ),
    ("nested-wait-boundary-mean", "without n_k", slack(nested_wait_memory.mean_slack, thresholds=0.0)),
    ("nested-wait-stages", "n_k - 1", partial(less, shift=1)),
    ("nested-wait-iteration-length", "0.9 Delta^pi", partial(less, shift=0.1)),
    ("nested-wait-coupled-entry", "reviews 10% faster", slack(nested_wait_runs.entry_slack, interval_s=0.9)),
    ("nested-wait-overflow", "C = M^pi", slack(nested_wait_runs.overflow_slack, buffer=0.0)),
    ("nested-wait-rates", "the critical rates", slack(exponent_slack, expected=CRITICAL)),
    ("nested-wait-rates", "gap -1/2", slack(exponent_slack, expected={**SLACK, "throughput_gap": -0.5})),
]
ELSEWHERE = {
    "wait-equilibrium-closed-form",
    "wait-equilibrium-balance",
    "wait-two-stability-forms",
    "nested-wait-theta-lower-bound",
    "nested-wait-theta-first-version",
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
    about_wait = {name for name in CLAIMS if name.startswith(("wait-", "nested-wait-"))}
    assert about_wait == {name for name, _, _ in PLANTED} | ELSEWHERE
