"""Fleets that can be worked out by hand: iterations of a tenth of a second, links of a hundred bytes per second."""

from dataclasses import replace

from orsched import Hardware, Link, Migrate, Policy, Run, Workload
from orsched.service import Affine
from policies.vllm_v1 import vllm_v1

STEADY = Hardware("steady", Affine(0.1, 0, 0, 0), 1000, 8, kv_bytes_per_token=1.0)
LINK = Link(100.0, 0.5)


def one(inputs=10, outputs=3, at_s=0.0) -> Workload:
    """A single request."""
    return Workload.of([at_s], [inputs], [outputs])


def routed(route, **parts) -> Policy:
    """vLLM v1 behind a router, with other parts."""
    return replace(vllm_v1(), route=route, **parts)


def kinds(run: Run) -> list[tuple[str, int | None, float]]:
    """What happened, where and when."""
    return [(event.kind, event.instance, round(event.time_s, 9)) for event in run.log.events]


def move_at_first_tick(request=0, target=1):
    """A controller that orders one migration at its first tick."""

    def control(view):
        return [] if view.memo.setdefault("done", False) or view.memo.update(done=True) else [Migrate(request, target)]

    return control
