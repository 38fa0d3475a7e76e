"""How often the intervals of orsched.statistics cover the truth, on queues with known answers run by the engine.

``python tests/support/coverage_study.py`` prints the table of docs/statistics.md (about 15 minutes on 2 cores). Trials
use disjoint sample paths, so they are independent; numbers do not depend on the number of workers.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, parallel_config
from known_queues import FCFS, LCFS, MIDDLE, RANDOM, SHORTEST, TOKENS, Queue, bulk, md1, mg1, mm1, shortest_first_gain_s
from scipy.stats import binom

from orsched.policy import Policy
from orsched.statistics.estimate import Estimate, estimate, paired_difference
from orsched.statistics.independence import batched
from orsched.statistics.quantile_interval import independent_quantile, path_quantile, pooled_quantile
from orsched.statistics.quantiles import percentiles
from orsched.statistics.ranking import rank
from orsched.statistics.sequential import replicate_until
from orsched.statistics.stop_rule import StopRule
from orsched.workloads import Workload

PER_TASK = 250

NO = "does not hold"
"""In the note of an interval that is not `Row.compatible` at a risk of 2.5%, and of its pair where both are low."""


@dataclass(frozen=True)
class Row:
    """Share of trials in which an interval held the truth."""

    method: str
    queue: str
    truth: str
    trials: int
    covered: int
    note: str = ""

    @property
    def share(self) -> float:
        return self.covered / self.trials

    @property
    def error(self) -> float:
        """Standard error of the share, were the interval exactly 95%."""
        return math.sqrt(0.95 * 0.05 / self.trials)

    def compatible(self, low: float = 0.93, high: float = 0.97, risk: float = 1e-3) -> bool:
        """Whether some coverage in ``low .. high`` explains the count with a probability above `risk` on each side."""
        return binom.cdf(self.covered, self.trials, low) > risk and binom.sf(self.covered - 1, self.trials, high) > risk

    def cells(self) -> tuple[str, ...]:
        covered = f"{self.share:.1%} ± {1.96 * self.error:.1%}"
        return (self.method, self.queue, self.truth, f"{self.trials:,}", covered, self.note)


def on_paths(
    queue: Queue, count: int, requests: int, reduce: Callable, policies: tuple[Policy, ...] = (), seed: int = 1
) -> list:
    """``reduce`` of the sojourn times of each policy on each of `count` independent sample paths, in order."""

    def some(children):
        return [reduce(*queue.sojourns_s(requests, child, *policies)) for child in children]

    children = np.random.SeedSequence([seed, requests]).spawn(count)
    parts = [children[start : start + PER_TASK] for start in range(0, count, PER_TASK)]
    return [found for part in Parallel()(delayed(some)(part) for part in parts) for found in part]


def means(queue: Queue, count: int, requests: int = 200, skip: int = 50, seed: int = 1) -> np.ndarray:
    """Mean sojourn time of each path after the warm-up."""
    return np.array(on_paths(queue, count, requests, lambda times: times[skip:].mean(), seed=seed))


def replications(queue: Queue, found: np.ndarray, per: int = 20, note: str = "") -> Row:
    """Student-t over `per` replications of the mean sojourn time; `found` of `means`."""
    trials = found[: len(found) // per * per].reshape(-1, per)
    covered = sum(estimate(row).contains(queue.mean_s) for row in trials)
    return Row(f"t over {per} replications", queue.name, "mean", len(trials), covered, note)


def sequential(queue: Queue, found: np.ndarray, relative: float, least: int = 10, note: str = "") -> Row:
    """Replications until the relative half-width is reached; each trial goes on where the last one stopped."""
    rule, values, stops, covered = StopRule(relative, least=least, most=10**6), iter(found.tolist()), [], 0
    try:
        while True:
            stopped = replicate_until(rule, lambda _: next(values))
            stops.append(stopped.n)
            covered += stopped.contains(queue.mean_s)
    except StopIteration:
        pass
    said = f"stops after {min(stops)} to {max(stops)}, {np.mean(stops):.0f} on average"
    return Row(
        f"until ± {relative:.0%}, least {least}",
        queue.name,
        "mean",
        len(stops),
        covered,
        f"{said}; {note}" if note else said,
    )


def one_run(queue: Queue, trials: int, requests: int = 5100, skip: int = 100, batches: int = 20, note: str = "") -> Row:
    """Batch means of one run, and how often the von Neumann test objects."""
    found = on_paths(queue, trials, requests, lambda times: batched(times[skip:], batches), seed=2)
    covered = sum(one.estimate.contains(queue.mean_s) for one in found)
    flagged = sum(not one.independence.independent for one in found) / trials
    size = (requests - skip) // batches
    said = f"von Neumann objects in {flagged:.0%}"
    return Row(
        f"{batches} batch means of {size}", queue.name, "mean", trials, covered, f"{said}; {note}" if note else said
    )


def quantiles(
    queue: Queue, trials: int, requests: int = 650, skip: int = 50, per: int = 20, paths: int = 20_000
) -> Iterator[Row]:
    """Path percentiles over replications, and sectioning.

    The path percentile is held against what it estimates, the expected percentile of such a path (from many `paths` by
    Lindley's recursion, which test_queues_known ties to the engine), and against the steady-state percentile.
    """
    found = on_paths(queue, trials * per, requests, lambda times: times[skip:].astype(np.float32), seed=3)
    groups = [found[start : start + per] for start in range(0, len(found), per)]
    of_a_path = expected_percentiles_s(queue, requests, skip, paths)
    method, few = f"{{}} quantile, {per} x {requests - skip}", f"{NO}: too few in the tail"
    for percent, truth in queue.percentiles_s.items():
        own, pooled = ([found(group, percent) for group in groups] for found in (path_quantile, pooled_quantile))
        note, steady = few if percent == 99 else "", f"p{percent}, steady state"
        yield _row(method.format("path"), queue, f"p{percent} of a path", own, of_a_path[percent])
        yield _row(method.format("path"), queue, steady, own, truth, note)
        yield _row(method.format("pooled"), queue, steady, pooled, truth, note)


def long_quantiles(queue: Queue, trials: int, requests: int, skip: int = 50, per: int = 20) -> Iterator[Row]:
    """The 99th percentile from long paths, for which Lindley's recursion takes the engine's place."""
    rng, own, pooled = np.random.default_rng([9, requests]), [], []
    for _ in range(trials):
        group = [queue.lindley_s(requests, rng)[skip:] for _ in range(per)]
        own.append(path_quantile(group, 99))
        pooled.append(pooled_quantile(group, 99))
    for name, found in (("path", own), ("pooled", pooled)):
        method = f"{name} quantile, {per} x {requests - skip:,}"
        yield _row(method, queue, "p99, steady state", found, queue.percentiles_s[99], "by Lindley's recursion")


def _row(method: str, queue: Queue, what: str, found: list[Estimate], truth: float, note: str = "") -> Row:
    covered = sum(interval.contains(truth) for interval in found)
    bias = np.mean([interval.mean for interval in found]) / truth - 1
    width = np.mean([interval.relative_half_width for interval in found])
    said = f"centre off by {bias:+.1%}, half-width {width:.1%}"
    return Row(method, queue.name, what, len(found), covered, f"{said}; {note}" if note else said)


def expected_percentiles_s(queue: Queue, requests: int, skip: int, paths: int) -> dict[int, float]:
    """Means over paths of the percentiles of the sojourn times, first come first served; to 0.2% with 20,000 paths."""
    rng = np.random.default_rng(7)
    found = [
        list(percentiles(queue.lindley_s(requests, rng)[skip:], queue.percentiles_s).values()) for _ in range(paths)
    ]
    return dict(zip(queue.percentiles_s, np.mean(found, axis=0).tolist(), strict=True))


def independent(percent: int, n: int, trials: int) -> Row:
    """Order statistics of independent times: arrivals so far apart that nobody waits, memoryless service."""
    queue, rng = mm1(0.5), np.random.default_rng([4, percent])
    from orsched.engine.simulation import simulate

    size = trials * n
    work = Workload.of(100.0 * np.arange(size), queue.prompts(rng, size), np.ones(size, dtype=int))
    times = simulate(work, queue.fleet, queue.policy).latency_s.reshape(trials, n)
    truth = math.ceil(math.log1p(-percent / 100) / math.log1p(-1 / TOKENS)) / TOKENS
    # times are differences of clock readings: look for the lattice point, not for its last bit
    covered = sum(independent_quantile(row, percent).contains(truth) for row in np.round(times, 6))
    return Row(
        f"order statistics of {n}", "idle server", f"p{percent}", trials, covered, "at least 95% by construction"
    )


def differences(trials: int, requests: int = 200, skip: int = 50, per: int = 20) -> Iterator[Row]:
    """First come less shortest first on common paths, and the mean of the former alone."""
    queue = mg1(0.5)
    pairs = np.array(
        on_paths(
            queue, trials * per, requests, lambda *two: [times[skip:].mean() for times in two], (FCFS, SHORTEST), seed=5
        )
    )
    yield replications(queue, pairs[:, 0], per)
    groups = pairs.reshape(trials, per, 2)
    truth = shortest_first_gain_s(0.5)
    covered = sum(paired_difference(group[:, 0], group[:, 1]).contains(truth) for group in groups)
    yield Row(f"paired difference, {per} replications", queue.name, "first - shortest", trials, covered)
    rankings = [rank({"first": group[:, 0], "shortest": group[:, 1]}) for group in groups]
    covered = sum(ranking["first"].behind_at_most >= truth for ranking in rankings)
    yield Row(
        f"ranking of 2, {per} replications", queue.name, "at most so far behind", trials, covered, "97.5% on one side"
    )


TIED = (FCFS, LCFS, MIDDLE, RANDOM)


def ties(trials: int, requests: int = 80, per: int = 20) -> Iterator[Row]:
    """Four orders that do not look at the service have exactly the same mean: the least favourable case."""
    queue = mm1(0.5)
    rows = on_paths(queue, trials * per, requests, lambda *all_: [times.mean() for times in all_], TIED, seed=6)
    groups = np.array(rows).reshape(trials, per, len(TIED))
    names = [policy.name for policy in TIED]
    kept = [set(rank(dict(zip(names, group.T, strict=True))).may_be_best) for group in groups]
    method = f"ranking of {len(TIED)}, {per} replications"
    for name in names:
        covered = sum(name in found for found in kept)
        yield Row(method, queue.name, f"best is kept: {name}", trials, covered, "all four tied; at least 95%")
    covered = sum(len(found) == len(names) for found in kept)
    yield Row(method, queue.name, "all tied are kept", trials, covered, "not promised")


def study() -> Iterator[Row]:
    """Every row of the table."""
    constant, memoryless, together = means(md1(0.5), 50_000), means(mm1(0.5), 40_000), means(bulk(3.0), 20_000)
    yield replications(md1(0.5), constant[:20_000])
    yield replications(mm1(0.5), memoryless[:20_000])
    yield from differences(1000)
    yield replications(bulk(3.0), together)
    yield replications(md1(0.5), constant[:10_000], per=5, note=f"{NO}: too few")
    yield replications(mm1(0.5), memoryless[:10_000], per=5, note=f"{NO}: too few")
    for least in (3, 5):
        yield sequential(md1(0.5), constant, 0.05, least, note=NO)
    for least in (10, 20):
        yield sequential(md1(0.5), constant, 0.05, least)
    yield sequential(md1(0.5), constant, 0.02)
    for least in (10, 20):
        yield sequential(mm1(0.5), memoryless, 0.05, least)
    yield one_run(md1(0.5), 500)
    yield one_run(mm1(0.5), 500)
    yield one_run(bulk(3.0), 500)
    yield one_run(mm1(0.9), 300, note=f"{NO}: too short")
    yield from quantiles(md1(0.6), 300)
    yield from quantiles(mm1(0.5), 300)
    yield from long_quantiles(mm1(0.5), 500, 6050)
    yield independent(50, 100, 2000)
    yield independent(90, 100, 2000)
    yield independent(99, 400, 2000)
    yield from ties(500)


def table(workers: int) -> Iterator[str]:
    """The table as Markdown, line by line."""
    yield "| interval at 95% | queue, load | of | trials | covers | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    with parallel_config(n_jobs=workers):
        for row in study():
            yield "| " + " | ".join(row.cells()) + " |"


if __name__ == "__main__":
    for line in table(workers=2):
        print(line, flush=True)
