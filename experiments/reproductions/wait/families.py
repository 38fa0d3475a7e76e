"""The policies of the WAIT experiments, each with its cap on the requests in service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.reproductions.sweep import Family
from experiments.reproductions.wait.thresholds import known_lengths, nested
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.parts.bins import LengthBins
from policies.sarathi import sarathi
from policies.vllm_v0 import vllm_v0
from policies.vllm_v1 import vllm_v1
from policies.wait import AuthorsNestedWait, Nesting, Waiting

CHUNK, WATERMARK = 512, 0.01
"""Of the published baselines."""

AUTHORS = "nested-wait-c1"
"""The scheduler in the authors' repository, behind the rerun."""

UNLIMITED = 10**9
"""Token budget of a step that no batch reaches."""

CAPPED = "cap-only"
"""The ablation: whole prompts beside all decodes, first come first served, nothing but the cap (ours)."""


def vllm(cap: int, law: Workload, fleet: Fleet) -> Policy:
    """Prefill-only batches first, as in vLLM v0."""
    return _with_cap(vllm_v0(cap, WATERMARK), cap)


def sarathi_512(cap: int, law: Workload, fleet: Fleet) -> Policy:
    """Sarathi-Serve, chunks of 512 tokens."""
    return _with_cap(sarathi(CHUNK, cap, WATERMARK), cap)


def cap_only(cap: int, law: Workload, fleet: Fleet) -> Policy:
    """A token budget without limit under the cap: WAIT's batches without its waiting and without its stages."""
    return replace(_with_cap(vllm_v1(UNLIMITED, cap), cap), name=CAPPED)


def wait(cap: int, law: Workload, fleet: Fleet) -> Policy:
    """WAIT, Algorithm 1, with two classes split at the median output length where lengths differ."""
    bins = LengthBins.quantiles(law, 1, 2)
    class_of = bins.classify(law)
    thresholds, length = known_lengths(cap, [law.output_tokens[class_of == j] for j in range(bins.count)])
    return Policy(
        "wait",
        Waiting(thresholds, length),
        information=Information.CLASS,
        num_classes=bins.count,
        classify=bins,
        settings={"cap": cap, "thresholds": list(thresholds), "stage_iterations": length},
    )


@dataclass(frozen=True, slots=True)
class Segmented:
    """Nested WAIT with given segments; `cuts` are their last decode iterations."""

    cuts: tuple[int, ...]

    def __call__(self, cap: int, law: Workload, fleet: Fleet) -> Policy:
        """The policy at a cap; the shares that go on from segment to segment come from the law."""
        thresholds, length = nested(cap, self.cuts, law.output_tokens - 1)
        batcher = Nesting(self.cuts, thresholds, length)
        settings = {
            "cap": cap,
            "cuts": list(self.cuts),
            "thresholds": list(thresholds),
            "stage_iterations": length,
        }
        return Policy("nested-wait", batcher, num_cohorts=batcher.cohorts, settings=settings)


def authors_scheduler(cap: int, law: Workload, fleet: Fleet) -> Policy:
    """One segment, the rerun's best setting, and the chunks of the published 22 stages."""
    return _with_cap(AuthorsNestedWait(total_limit=cap, segments=1).from_law(law, fleet), cap)


def families(**more: Callable[[int, Workload, Fleet], Policy]) -> tuple[Family, ...]:
    """Those of every sweep, and one for each keyword, whose underscores become hyphens."""
    common = {"vllm-v0": vllm, "sarathi": sarathi_512, CAPPED: cap_only, "wait": wait}
    others = {name.replace("_", "-"): capped for name, capped in more.items()}
    return tuple(Family(name, capped) for name, capped in {**common, **others}.items())


def _with_cap(policy: Policy, cap: int) -> Policy:
    return replace(policy, settings={**policy.settings, "cap": cap})
