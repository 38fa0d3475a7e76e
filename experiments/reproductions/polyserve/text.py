"""What the page says about the PolyServe experiments: rules, set-up with its numbers, and remarks."""

from __future__ import annotations

from experiments.reproductions.polyserve.families import family
from experiments.reproductions.polyserve.fleets import LINK, START_UP_S
from experiments.reproductions.polyserve.hours import HALF_PERIOD_S, MEAN_LOAD, STARTS_AT_ONCE, SWING
from experiments.reproductions.polyserve.results import Results
from experiments.reproductions.polyserve.setting import (
    DEVICE,
    FIXED,
    LEVEL,
    LOADS,
    OURS,
    SAME_BATCHES,
    STRICT,
    TRACE,
    TUNING_LOADS,
    Sweep,
    law,
)
from experiments.reproductions.sampling import WINDOW
from orsched.catalogue import hardware

RULES = (
    "- The paper's numbers are *not comparable*: what they were measured on is not known to us. `ours` gives the range "
    "over our settings.\n"
    "- That one is higher is reproduced when the 95% interval of the ratio, paired by path, lies above 1. That is a "
    "direction, not the published size, and one test per setting without correction for their number.\n"
    "- Everything else is *not reproduced*.\n\n"
    "`paper`: stated in the paper's abstract. `reported`: as third parties report it."
)


def setup(results: Results) -> list[str]:
    """Paragraphs on lengths, fleet, policies, goodput and optimum."""
    whole, entry = law().whole(), hardware(DEVICE)
    four = len(family(results.sweeps[0], OURS).choices)
    return [
        "All of it is ours but for the TPOTs: 25, 50 and 100 ms are those of a third party's re-implementation, 50 and "
        "100 ms with TTFT 6 s, this model, device and trace those of QoServe's comparison with PolyServe.",
        f"- *Requests*: lengths of the trace `{TRACE}`, drawn in pairs (means {whole.input_tokens.mean():,.0f} and "
        f"{whole.output_tokens.mean():,.0f} tokens), Poisson arrivals, tiers in equal shares and independent of "
        "lengths. `rotating`: one tier has two thirds of 1,000 requests in a row, then the next; equal shares in the "
        "long run.\n"
        f"- *Instances*: {DEVICE}, {entry.kv_capacity_tokens:,} KV tokens and {entry.max_num_seqs} requests each, "
        f"kernel times only; links of {LINK.bytes_per_s / 1e9:g} GB/s where prompts run apart.\n"
        f"- *Policies*: `BATCHER/ROUTER`, or `BATCHER/ROUTER>PLACER`. `partition`: each tier has servers of its own, "
        "as many as the fluid plan gives it at equal shares, with jsq among them. `tier-chunks`: PolyServe's batcher, "
        "which cuts prompts so that iterations keep the tier's TPOT (the tightest, on servers without a tier), without "
        f"anything else of PolyServe. `{FIXED}`: another paper's short form for fixed fleets. `{OURS}` starts with one "
        "server for each tier, all others in its pool.\n"
        f"- *Tuning*: the same for everyone: {four} settings, that with the greatest mean share within deadlines at "
        f"loads {', '.join(f'{load:g}' for load in TUNING_LOADS)} on one path drawn from another random stream; of "
        "equals the first. Tokens per iteration for vLLM v1 and Sarathi-Serve, the least chunk for those with "
        "PolyServe's batcher, least chunk and order of promotion for PolyServe; where prompts run apart, tokens per "
        "prefill iteration for all. The best baseline of a sweep is chosen by the same score, on that path.\n"
        "- *Information*: PolyServe is told the mean output length, the partition the shares of the tiers, the others "
        "nothing. Nobody knows a request's length.\n"
        f"- *Goodput*: the largest rate at which {LEVEL:.0%} of the requests are good, interpolated between loads "
        f"{LOADS[0]:g}, {LOADS[1]:g}, ..., {LOADS[-1]:g}: a search runs those around it. A request is good if token i "
        f"comes within TTFT + i TPOT of its arrival (PolyServe's deadlines); beside it for {STRICT:.0%}, and for TTFT "
        "and mean TPOT. Whoever is rejected or unfinished is not good; nobody is.\n"
        "- *Optimal*: the largest rate at which *every* request can be good, for any policy and with any roles, in the "
        "long run (`fluid.fleets.deadline_goodput_bound`, on the lengths of each path). This definition is ours. A "
        "policy may be above 100% of it by giving some up. The *fluid plan of tiers*, servers for each tier of which "
        "every iteration keeps its TPOT, is another yardstick of ours, and no bound.",
    ]


def legend(results: Results) -> str:
    """What the columns are."""
    sweep = results.sweeps[0]
    first, last = WINDOW
    span_s = (last * sweep.requests) / sweep.capacity_per_s
    slo = sweep.tiers[0].slo
    assert slo is not None
    return (
        f"Mean ± 95% half-width over {sweep.replications} paths, the same for all policies. Arrivals between "
        f"{first:.0%} and {last:.0%} of a path count. Paths are finite: in `{sweep.name}` ({sweep.requests:,} "
        f"requests), {slo.ttft_s / span_s:.1%} beyond capacity, the last of these wait for as long as a TTFT; goodput "
        "may be above its long-run value by about as much, whatever the policy. `within`, `worst tier` and "
        "`preemptions`: share within deadlines, of all requests and of the tier that is worst off, and preemptions of "
        "the whole path, at that load."
    )


def remarks(results: Results) -> list[str]:
    """What the numbers say, computed."""
    lines = []
    for sweep in results.sweeps:
        lines.append(f"- `{sweep.name}`: {_same_batches(results, sweep)}")
    lines += [
        f"- *A bound for {LEVEL:.0%}*: who gives up one request in ten, the most costly, can serve more than all of "
        f"them, up to load {_most_good(results)}, on the first path. That bound is valid for goodput as measured here. "
        "No policy above gives requests up.",
        f"- *Server-hours*: load {MEAN_LOAD:g} of {results.sweeps[0].instances} servers, steady or alternating between "
        f"{SWING[0]:g} and {SWING[1]:g} every {HALF_PERIOD_S:g} s; a server takes {START_UP_S:g} s to start, "
        f"{STARTS_AT_ONCE} may be starting for a tier. All of it is ours.",
    ]
    return ["\n".join(lines)]


def _most_good(results: Results) -> str:
    return ", ".join(f"{results.bounds(sweep)['most_good']:.2f} (`{sweep.name}`)" for sweep in results.sweeps)


def _same_batches(results: Results, sweep: Sweep) -> str:
    """PolyServe beside the best baseline, and beside its own batcher with plain routers."""
    best = results.best_baseline(sweep)
    names = [best, *(name for name in SAME_BATCHES if name in sweep.families)]
    texts = [f"{ratio} of `{name}`" for name in names if (ratio := results.ratio(sweep, OURS, name)) is not None]
    plan = results.of_plan(sweep, OURS)
    return f"PolyServe's goodput is {', '.join(texts)}; {plan} of the fluid plan of tiers."
