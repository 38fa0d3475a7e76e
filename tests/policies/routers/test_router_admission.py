"""Admission by predicted times: SLOAdmission and Mooncake's conductor, by hand."""

import numpy as np
import pytest

from orsched import SLO, Fleet, Group, Hardware, RequestClass, Workload, simulate
from orsched.service import Affine
from policies import ROUTERS
from policies.parts.prompt_time import backlog_s, prompt_s
from policies.routers import MooncakeConductor, SLOAdmission, join_shortest_queue, reject
from policies.vllm_v1 import vllm_v1

PRICED = Affine(1.0, 0.01, 0.0, 0.0)
BY_BATCH = Affine(0.1, 0.0, 0.1, 0.0)


def served(router, prompts, objective, fleet, arrivals=None, outputs=5):
    """Run requests of one class with an objective (ttft, tpot)."""
    n = len(prompts)
    work = Workload.of(arrivals or [0.0] * n, prompts, [outputs] * n, classes=(RequestClass("all", SLO(*objective)),))
    return simulate(work, fleet, vllm_v1().routed_by(router))


def test_prompt_times_by_hand():
    """Claim: 25 tokens in chunks of 10 take three iterations of 1 s and 0.01 s a token; beside decodes each of the
    three lasts as much longer. Attention is counted from what is cached."""
    assert prompt_s(PRICED, 25, 0, 10) == backlog_s(PRICED, 25, 10) == pytest.approx(3.25)
    assert backlog_s(Affine(1.0, 0.01, 0.5, 0.001), 25, 10, 2, 100) == pytest.approx(3.25 + 3 * (1.0 + 0.1))
    assert prompt_s(PRICED, 0, 50, 10) == backlog_s(PRICED, 0, 10) == 0

    class Attending(Affine):
        def iteration_s(self, batch):
            return batch.chunk_attention

    assert prompt_s(Attending(1, 1, 1, 1), 20, 30, 10) == pytest.approx(10 * 35 + 10 * 45)
    assert backlog_s(Attending(1, 1, 1, 1), 20, 10) == pytest.approx(2 * 10 * 5)


@pytest.mark.parametrize(("ttft_s", "rejected"), [(1.07, [0, 0, 0]), (1.055, [0, 0, 1]), (0.99, [1, 1, 1])])
def test_first_tokens_in_time(ttft_s, rejected):
    """Claim: prompts of 1, 5 and 5 tokens at once on two instances: the first takes 1.01 s, the second 1.05 s on the
    other, and the third 1.06 s behind the first or 1.10 s behind the second."""
    fleet = Fleet.identical(Hardware("h", PRICED, 8192, 8), 2)
    router = SLOAdmission(refused=reject, mean_output_tokens=1)
    assert served(router, [1, 5, 5], (ttft_s, 100.0), fleet).rejected.tolist() == rejected


@pytest.mark.parametrize(("hops", "rejected"), [(1, 0), (0, 1)])
def test_the_next_instance_is_asked(hops, rejected):
    """Claim: the fewest requests are where a prompt of 500 tokens is; it refuses, the next one takes the request.
    Without hops it is refused."""
    fleet = Fleet.identical(Hardware("h", PRICED, 8192, 8), 2)
    admission = SLOAdmission(mean_output_tokens=1, refused=reject, hops=hops)
    run = served(lambda view, r: [0, 1, 1][r] if r < 3 else admission(view, r), [500, 1, 1, 1], (1.2, 100.0), fleet)
    assert run.rejected[3] == rejected
    assert run.instance[3] == 1 - rejected


@pytest.mark.parametrize(("tpot_s", "admitted"), [(0.21, 1), (0.31, 2), (0.45, 3)])
def test_nobody_is_slowed_below_the_objective(tpot_s, admitted):
    """Claim: an iteration of B decodes takes 0.1 + 0.1 B seconds, so that as many are admitted as the objective has
    room for; the others are rejected."""
    fleet = Fleet.single(Hardware("h", BY_BATCH, 8192, 8))
    run = served(SLOAdmission(refused=reject, mean_output_tokens=20), [5] * 6, (1e3, tpot_s), fleet, outputs=20)
    assert (run.rejected == 0).sum() == admitted
    assert (run.tpot_s[run.rejected == 0] <= tpot_s).all()


def test_the_strictest_of_those_present_counts():
    """Claim: a request that could bear three beside it does not come to where one is that bears nobody."""
    fleet = Fleet.single(Hardware("h", BY_BATCH, 8192, 8))
    classes = (RequestClass("strict", SLO(9, 0.25)), RequestClass("loose", SLO(9, 0.5)))
    work = Workload.of([0.0, 0.5, 9.0, 9.0], [5] * 4, [20] * 4, class_id=[0, 1, 1, 1], classes=classes)
    run = simulate(work, fleet, vllm_v1().routed_by(SLOAdmission(refused=reject, mean_output_tokens=20)))
    assert run.rejected.tolist() == [0, 1, 0, 0]


def test_memory_counts():
    """Claim: 40 tokens of memory hold one request of 10 grown by 15, not two."""
    fleet = Fleet.single(Hardware("h", BY_BATCH, 40, 8))
    router = SLOAdmission(refused=reject, mean_output_tokens=15)
    assert served(router, [10, 10], (1e3, 1e3), fleet).rejected.tolist() == [0, 1]


def test_best_effort_loses_nobody():
    """Claim: with `refused` at its default, or without objectives, nobody is rejected."""
    fleet = Fleet.identical(Hardware("h", PRICED, 8192, 8), 2)
    run = served(SLOAdmission(), [50] * 9, (0.1, 0.1), fleet)
    assert not run.rejected.any()
    assert np.isfinite(run.completion_s).all()
    strict = SLOAdmission(refused=reject)
    work = Workload.of([0.0] * 9, [50] * 9, [9] * 9)
    assert not simulate(work, fleet, vllm_v1().routed_by(strict)).rejected.any()


def test_decoding_instances_are_asked_about_the_pace():
    """Claim: on a fleet with one decoding instance of two seats' pace, the third request at once is still admitted, as
    nobody has reached it; those that come while two decode are rejected."""
    hardware = Hardware("h", BY_BATCH, 8192, 8, kv_bytes_per_token=1.0)
    fleet = Fleet((Group(hardware, 1, "prefill"), Group(hardware, 1, "decode")))
    router = SLOAdmission(refused=reject, mean_output_tokens=20)
    run = served(router, [5] * 4, (1e3, 0.35), fleet, arrivals=[0.0, 0.0, 1.0, 50.0], outputs=20)
    assert run.rejected.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(("objective", "rejected"), [((2.12, 9), [0, 0]), ((2.1, 9), [0, 1]), ((9, 0.9), [1, 1])])
def test_the_conductor_rejects_what_misses_its_objective(objective, rejected):
    """Claim: the queue of the second request is the first one's 10 tokens, 1.1 s, its own token takes 1.01 s, a decode
    1 s; so it is rejected for 2.1 s to the first token, and both for 0.9 s between tokens."""
    fleet = Fleet.single(Hardware("h", PRICED, 8192, 8))
    run = served(MooncakeConductor(chunk_tokens=10), [10, 1], objective, fleet)
    assert run.rejected.tolist() == rejected


def test_the_conductor_asks_the_decoding_instance():
    """Claim: 0.1 s and 0.1 s a decode: two decode within 0.3 s per token, the third is rejected, with the limits given
    to the conductor when the class has none."""
    hardware = Hardware("h", BY_BATCH, 8192, 8, kv_bytes_per_token=1.0)
    fleet = Fleet((Group(hardware, 2, "prefill"), Group(hardware, 1, "decode")))
    work = Workload.of([0.0, 0.0, 1.0], [5] * 3, [20] * 3)
    run = simulate(work, fleet, vllm_v1().routed_by(MooncakeConductor(objective=SLO(30, 0.35))))
    assert run.rejected.tolist() == [0, 0, 1]
    assert run.instance.tolist()[:2] == [2, 2]
    assert not simulate(work, fleet, vllm_v1().routed_by(ROUTERS["mooncake"])).rejected.any()


def test_the_conductor_prefers_the_faster_chip():
    """Claim: 100 tokens take 2 s on one chip and 1.5 s on the other, so it is chosen until its queue is longer: the
    second request would wait there for 1.5 s and takes 2 s on the first instead."""
    slow, fast = Hardware("slow", PRICED, 8192, 8), Hardware("fast", Affine(0.5, 0.01, 0, 0), 8192, 8)
    work = Workload.of([0.0] * 3, [100] * 3, [5] * 3)
    run = simulate(work, Fleet((Group(slow), Group(fast))), vllm_v1().routed_by(ROUTERS["mooncake"]))
    assert run.instance.tolist() == [1, 0, 1]


def test_reject_turns_everybody_away():
    """Claim: the router for parts of others."""
    fleet = Fleet.identical(Hardware("h", PRICED, 8192, 8), 2)
    assert served(reject, [5] * 3, (1, 1), fleet).rejected.all()
    assert not served(join_shortest_queue, [5] * 3, (1, 1), fleet).rejected.any()
