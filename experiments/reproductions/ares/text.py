"""What the page says about the ARES experiments: set-up with its numbers, and remarks."""

from __future__ import annotations

from experiments.render.markdown import pipe_table
from experiments.reproductions.ares.results import Results
from experiments.reproductions.ares.setting import (
    BASE,
    COPY,
    DECODES,
    LINK,
    OURS,
    OUTPUTS,
    PREFILLS,
    PROMPTS,
    TTFT_S,
    law,
    mean_context_tokens,
)
from experiments.reproductions.verdict import interval
from orsched.catalogue import hardware
from orsched.gap_table import percent
from orsched.statistics.estimate import estimate, paired_difference

SHORT = 0.1
"""Preemptions per request from which memory counts as short."""


def setup(results: Results) -> list[str]:
    """Paragraphs on lengths, fleet, policies; all of it ours."""
    whole = law().whole()
    devices = dict.fromkeys(sweep.device for sweep in results.sweeps)
    return [
        "All of it is ours. What the paper is known to say: long reasoning answers, lengths of 30 to 32 thousand "
        "tokens among them; the predictor reads DeepSeek-R1-Distill-Qwen-7B.",
        f"- *Lengths*: prompts log-normal, median {PROMPTS.median_tokens:g} tokens, sigma {PROMPTS.sigma:g}, at most "
        f"{PROMPTS.cap_tokens:,}; outputs log-normal, median {OUTPUTS.median_tokens:,g}, sigma {OUTPUTS.sigma:g}, at "
        f"most {OUTPUTS.cap_tokens:,} (a server's limit: longer ones count as that). Mean output "
        f"{whole.output_tokens.mean():,.0f}; mean context of a decode iteration {mean_context_tokens(whole):,.0f}. "
        "Poisson arrivals.\n"
        f"- *Fleet*: {PREFILLS} prefill and {DECODES} decode instances of Qwen2.5-7B, which has that model's shape; "
        f"links of {LINK.bytes_per_s / 1e9:g} GB/s and {1e6 * LINK.latency_s:g} us; migrations copy while decoding and "
        f"stand still for the last part and {1000 * COPY.downtime_s:g} ms. Kernel times only (rooflines). Whether "
        "memory is tight depends on the device:",
        pipe_table(
            ("device", "KV tokens", "requests of mean context that fit"),
            [
                (name, f"{(entry := hardware(name)).kv_capacity_tokens:,}", f"{_fitting(entry.kv_capacity_tokens):.0f}")
                for name in devices
            ],
        ),
        f"- *Objective*: first token within {TTFT_S:g} s, and a mean time per token no longer than an iteration of an "
        "instance whose memory is full of requests of mean context (or whose batch is). Who misses it was preempted, "
        "or waited for a decode instance.\n"
        "- *Policies*: vLLM v1's batches everywhere; prompts go to the prefill instance with the fewest prompt tokens. "
        "`none`: bound once at the hand-off. `llumnix`: Llumnix's pass among the decode instances, with its freeness "
        "and thresholds. `current`: our pass by the present load, without lengths. `predicted`: by the load predicted "
        "over the mean output length, with `refreshed` lengths; `predicted-flat`: with those of `flat`, whose relative "
        "error never falls; `oracle`: with true ones. Defaults but for the period, nothing is tuned.\n"
        "- *Chosen after first looks*: the device with little memory was added when single paths on the other showed "
        "no preemption; period, paths and loads were then cut to what the study may cost.\n"
        "- *Hand-off*: `in turn` is a baseline that knows nothing; the least-KV one is what our other policies do.",
    ]


def _fitting(capacity_tokens: int) -> float:
    return capacity_tokens / mean_context_tokens(law().whole())


def remarks(results: Results) -> list[str]:
    """What the numbers say, computed."""
    rows = []
    for sweep in results.sweeps:
        for load in sweep.loads:
            for other in ("llumnix", "current", "predicted-flat", "oracle"):
                theirs = results.column(sweep, load, other, "tpot_p99_s")
                change = paired_difference(results.column(sweep, load, OURS, "tpot_p99_s"), theirs)
                base = estimate(theirs).mean
                least, most = interval(change)
                if least > 0 or most < 0:
                    rows.append((sweep.name, f"{load:g}", other, f"{100 * change.mean / base:+.2g}"))
    errors = ", ".join(f"`{name}` {estimate(results.error(name)):.0f}" for name in ("static", "flat", "refreshed"))
    return [
        f"- Mean absolute errors of the predictors on these lengths, tokens: {errors}. `refreshed` is calibrated on "
        "two published points and errs less than the published average says; `flat` is the other end ([predictors]"
        "(../predictors.md)).\n"
        f"- {_by_memory(results)}\n"
        "- Beyond load 1 queues grow, and P99 TPOT is that of a transient of this length.",
        "Where the P99 TPOT of `predicted` differs from that of the others beyond its 95% interval, paired by path (%, "
        "negative: `predicted` is lower); every other pair does not:",
        pipe_table(("sweep", "load", "against", "difference (%)"), rows),
        f"Change of P99 TPOT by `{OURS}` over all settings: "
        + ", ".join(
            f"`{sweep.name}` {percent(results.change(sweep, load, OURS))} at {load:g}"
            for sweep in results.sweeps
            for load in sweep.loads
        )
        + " (%).",
    ]


def _by_memory(results: Results) -> str:
    """Changes of P99 TPOT apart by whether instances run out of memory without rescheduling."""
    apart: dict[bool, list[float]] = {False: [], True: []}
    for sweep in results.sweeps:
        for load in sweep.loads:
            short = estimate(results.column(sweep, load, BASE, "preemptions")).mean >= sweep.requests * SHORT
            apart[short].append(100 * results.change(sweep, load, OURS).mean)
    texts = [
        f"{min(found):+.0f}% to {max(found):+.0f}% in the {len(found)} {which}"
        for found, which in (
            (apart[False], f"settings with fewer than {SHORT:g} preemptions per request without rescheduling"),
            (apart[True], "others"),
        )
        if found
    ]
    return f"Mean change of P99 TPOT by `{OURS}`: {', '.join(texts)}."
