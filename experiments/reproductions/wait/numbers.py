"""What the WAIT paper and its repository report, as data."""

from __future__ import annotations

from experiments.reproductions.comparisons import PublishedGain, PublishedGrowth, PublishedOrder
from experiments.reproductions.published import Mark, PublishedItem, PublishedMean, PublishedOnly
from experiments.reproductions.wait import theory
from experiments.reproductions.wait.families import AUTHORS
from experiments.reproductions.wait.sweeps import HORIZONS, LONG_RUN, REQUESTS

WAIT, NESTED, SARATHI, VLLM = "wait", "nested-wait", "sarathi", "vllm-v0"

SEEDS = "Table over 20 seeds, mean latency (s); caps and number of requests not published"
RERUN = "Rerun in the repository (Llama-2-7B, Sarathi cap 256), mean latency (s)"
GAINS = "How much lower than Sarathi-Serve"
HORIZON = "Two types, growing number of requests"
LONG = "Long answers, p512d1000, mean latency (s)"
LMSYS = "LMSYS, rerun in the repository, mean latency (s); 5,000 requests, as in the paper"
FIGURES = "Not measurements, or not of this system"

SEED_TABLE = (
    ("single", 22, ((VLLM, 18.23, 2.74), (SARATHI, 1.85, 0.33), (WAIT, 1.03, 0.04))),
    ("single", 23, ((VLLM, 26.78, 3.35), (SARATHI, 5.08, 1.72), (WAIT, 1.29, 0.10))),
    ("two-types", 22, ((VLLM, 56.70, 2.22), (SARATHI, 4.06, 1.66), (NESTED, 2.36, 0.57))),
    ("two-types", 23, ((VLLM, 80.25, 2.37), (SARATHI, 8.41, 1.74), (NESTED, 5.66, 1.88))),
)
"""Sweep, rate, and for each policy mean and standard deviation over 20 seeds, seconds."""

COMMON_CAP = {"single": "single-cap-21", "two-types": "two-types-cap-30"}
"""The sweep with one cap for all policies beside the one in which each has its best."""

RERUN_10K = ((24, 4.228, 1.846), (25, 11.086, 2.994), (26, 18.634, 4.688))
"""Rate; Sarathi-Serve and WAIT with 10,000 requests, seconds. Which is which is inferred from their order."""

LMSYS_RERUN = (
    (10, 1.688, 1.688),
    (30, 3.141, 3.010),
    (50, 4.748, 4.707),
    (60, 9.486, 5.523),
    (70, 14.790, 10.065),
    (80, 18.969, 14.128),
    (100, 24.670, 20.084),
    (150, 32.529, 28.162),
)
"""Rate; Sarathi-Serve and the repository's threshold scheduler at its best setting, seconds."""

OTHER_RUN = "a run with Llama-3-8B, memory margin 0.1 and the waiting switched off, says the repository"


def published() -> tuple[PublishedItem, ...]:
    """Everything, in the order of the page."""
    return (*_seed_table(), *_rerun(), *_gains(), *_horizon(), *_long(), *_lmsys(), *theory.items(), *_figures())


def _seed_table() -> list[PublishedItem]:
    found: list[PublishedItem] = []
    for base, rate, rows in SEED_TABLE:
        for sweep in (base, COMMON_CAP[base]):
            found += [
                PublishedMean(SEEDS, f"{family} at {rate}/s, {sweep}", Mark.PAPER, sweep, family, rate, mean, sd)
                for family, mean, sd in rows
            ]
            order = tuple(family for family, _, _ in reversed(rows))
            found.append(PublishedOrder(SEEDS, f"order at {rate}/s, {sweep}", Mark.PAPER, sweep, order, rate))
    return found


def _rerun() -> list[PublishedItem]:
    found: list[PublishedItem] = []
    for rate, sarathi, wait in ((23, 1.2548, 1.2062), (24, 2.668, 1.735)):
        found += [
            PublishedMean(RERUN, f"{family} at {rate}/s", Mark.CODE, "single", family, rate, mean)
            for family, mean in ((SARATHI, sarathi), (AUTHORS, wait), (WAIT, wait))
        ]
    for rate, sarathi, wait in RERUN_10K:
        found += [
            PublishedMean(
                RERUN,
                f"{family} at {rate}/s, 10,000 requests",
                Mark.CODE,
                "single",
                family,
                rate,
                mean,
                requests=LONG_RUN,
            )
            for family, mean in ((SARATHI, sarathi), (AUTHORS, wait), (WAIT, wait))
        ]
    return found


def _gains() -> list[PublishedItem]:
    one, two = ("single", WAIT, SARATHI), ("two-types", NESTED, SARATHI)
    rerun = [(rate, 0.035, 0.042) for rate in (12, 20, 22, 23)] + [(24, 0.349, 0.349)]
    return [
        *(
            PublishedGain(
                GAINS, f"{family} at {rate}/s, one type, rerun", Mark.CODE, "single", family, SARATHI, rate, low, high
            )
            for family in (AUTHORS, WAIT)
            for rate, low, high in rerun
        ),
        *(
            PublishedGain(
                GAINS,
                f"{family} at {rate}/s, one type, rerun, 10,000 requests",
                Mark.CODE,
                "single",
                family,
                SARATHI,
                rate,
                1 - wait / sarathi,
                1 - wait / sarathi,
                LONG_RUN,
            )
            for family in (AUTHORS, WAIT)
            for rate, sarathi, wait in RERUN_10K
        ),
        PublishedGain(GAINS, "WAIT at 12/s, one type: about 2%", Mark.PAPER, *one, 12, 0.015, 0.025),
        PublishedGain(GAINS, "WAIT at 23/s, one type: over 70%", Mark.PAPER, *one, 23, 0.7, 1, caveat=OTHER_RUN),
        PublishedGain(
            GAINS,
            "Nested WAIT at 12/s, two types: about 6%",
            Mark.PAPER,
            "two-types",
            NESTED,
            SARATHI,
            12,
            0.055,
            0.065,
        ),
        PublishedGain(GAINS, "Nested WAIT at 23/s, two types: over 40%", Mark.PAPER, *two, 23, 0.4, 1),
    ]


def _horizon() -> list[PublishedItem]:
    claims = ((NESTED, 22, False), (SARATHI, 22, True), (NESTED, 23, True), (SARATHI, 23, True))
    return [
        *(
            PublishedGrowth(
                HORIZON,
                f"{family} at {rate}/s from 10,000 to 20,000 requests",
                Mark.PAPER,
                "horizon",
                family,
                rate,
                grows,
                10_000,
                20_000,
            )
            for family, rate, grows in claims
        ),
        *(
            PublishedGain(
                HORIZON,
                f"Nested WAIT below Sarathi-Serve at 23/s, {requests:,} requests",
                Mark.PAPER,
                "horizon",
                NESTED,
                SARATHI,
                23,
                0.3,
                0.5,
                requests=requests,
            )
            for requests in HORIZONS
        ),
    ]


def _long() -> list[PublishedItem]:
    rows = (
        (4.0, WAIT, 26.4),
        (4.0, SARATHI, 30.2),
        (4.5, WAIT, 32.3),
        (4.5, SARATHI, 41.7),
        (4.5, VLLM, 53.8),
    )
    memory = "belongs to a run with less memory than the one beside it, say the progress notes"
    return [
        *(
            PublishedMean(LONG, f"{family} at {rate:g}/s", Mark.PAPER, "long-decode", family, rate, mean)
            for rate, family, mean in rows
        ),
        PublishedOrder(LONG, "order at 4.5/s", Mark.PAPER, "long-decode", (WAIT, SARATHI, VLLM), 4.5),
        PublishedMean(
            LONG,
            "restarts per request of WAIT at 4/s",
            Mark.PAPER,
            "long-decode",
            WAIT,
            4.0,
            0.0,
            caveat=memory,
            metric="preemptions_per_request",
        ),
        PublishedMean(
            LONG,
            "restarts per request of Sarathi-Serve at 4/s",
            Mark.PAPER,
            "long-decode",
            SARATHI,
            4.0,
            0.0288,
            caveat=memory,
            metric="preemptions_per_request",
        ),
    ]


def _lmsys() -> list[PublishedItem]:
    columns = (("lmsys", SARATHI, 0), ("lmsys", AUTHORS, 1), ("lmsys-linear", SARATHI, 0))
    found = [
        PublishedMean(
            LMSYS, f"{family} at {rate}/s, {sweep}", Mark.CODE, sweep, family, rate, means[column], None, REQUESTS
        )
        for sweep, family, column in columns
        for rate, *means in LMSYS_RERUN
    ]
    best = ("nested-wait-1", "nested-wait-5")
    what = "one segment is best from 60/s up: at 60/s on the linear entry"
    return [*found, PublishedOrder(LMSYS, what, Mark.CODE, "lmsys-linear", best, 60)]


def _figures() -> list[PublishedItem]:
    drawn = "drawn as min(rate, mu) with mu set by hand in the plot script"
    model = "another system: real GPUs, out of scope here"
    rows = (
        ("sustainable rate, one type", Mark.PAPER, "WAIT 23, Sarathi 22, vLLM 19", drawn),
        ("sustainable rate, two types", Mark.PAPER, "Nested 22, Sarathi 21, vLLM 18", drawn),
        ("sustainable rate, p512d1000", Mark.PAPER, "4.0 to 4.5", drawn),
        (
            "latency curves of the same figures",
            Mark.PAPER,
            "figures",
            "points near a trend line, two interpolated, minima over settings per rate, in the plot scripts read",
        ),
        ("SGLang, p512d20, 1 to 15/s", Mark.PAPER, "29.7% lower mean latency", model),
        ("SGLang, LMSYS, 0.1 to 0.7/s", Mark.PAPER, "3.6% lower mean latency", model),
        ("prefill and decode on separate devices, p630d20", Mark.PAPER, "45% to 55% lower latency", model),
        (
            "time to first token in one overloaded case",
            Mark.CODE,
            "vLLM 59.68 s, Sarathi 54.07 s, Nested 52.18 s",
            "which case it was is not published",
        ),
        (
            "ablation: thresholds without waiting",
            Mark.PAPER,
            "in words only",
            "no numbers published; ours: cap-only",
        ),
        (
            "experiments of the first versions (high demand, nested synthetic, LMSYS at 55 and 550/s)",
            Mark.PAPER,
            "token rates far above capacity",
            "run with Llama-3-8B although the text says Llama-7B, and by rules other than the printed algorithm",
        ),
    )
    return [PublishedOnly(FIGURES, *row) for row in rows]
