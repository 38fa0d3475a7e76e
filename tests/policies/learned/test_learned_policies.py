"""Learned policies: what they see, what their choices do, and that they keep the engine's law."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AFFINE, edge_of_memory, random_workload, router_names, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Chunk, Fleet, Hardware, Information, Plan, Policy, simulate
from orsched.errors import InformationError, InputError
from orsched.workloads import Workload
from policies import build, build_predictor, get_router
from policies.learned import MENU, Choosing, Observer, Rule, learned_policy
from policies.learned.choosing import nearest
from policies.learned.menu import DecodeOnly, chunked
from policies.learned.observation import histogram
from policies.learned.rule import no_prompt_in_progress, something_decodes
from policies.parts.token_budget import TokenBudget
from policies.vllm_v0 import PrefillFirst

NAMES = [rule.name for rule in MENU]


def small(*sizes):
    """A menu of budgets so small that not every rule is always allowed."""
    return (
        Rule("decode", DecodeOnly(3), something_decodes),
        *(chunked(f"{tokens} of {seats}", TokenBudget(tokens, seats)) for tokens, seats in sizes),
        chunked("set aside", TokenBudget(7 * sizes[0][0], 7, reserve_prompt=True, watermark=0.05)),
        Rule("whole", PrefillFirst(5, 5, 0.05), no_prompt_in_progress),
    )


SMALL, LARGER = small((3, 2), (5, 5), (40, 30)), small((12, 4), (60, 40))
SAME_AS = {"chunk-2048": "vllm-v1", "sarathi": "sarathi", "whole": "vllm-v0"}
COLUMNS = ("first_scheduled_s", "first_token_s", "completion_s", "preemptions", "instance", "busy_s", "batch_s")


def linear(seed, information=Information.NONE, menu=MENU):
    """A random linear score of every rule; the highest allowed one is chosen."""
    weights = np.random.default_rng(seed).normal(size=(len(Observer(information).names) + 1, len(menu)))

    def choose(observation, mask):
        scores = np.append(observation, 1.0) @ weights
        return int(np.argmax(np.where(mask, scores, -np.inf)))

    return choose


def always(name):
    return lambda observation, mask: NAMES.index(name)


@settings(max_examples=60)
@given(st.sampled_from(sorted(SAME_AS)), services, seeds, st.sampled_from([1, 16]))
def test_a_constant_choice_is_the_published_policy(rule, service, seed, block):
    """Claim: always the same rule is bit for bit the run of the policy that has this rule, preemptions included."""
    workload, fleet = random_workload(seed), Fleet.identical(tight_hardware(service, seed, block))
    ours = simulate(workload, fleet, learned_policy(always(rule)))
    theirs = simulate(workload, fleet, build(SAME_AS[rule], workload, fleet))
    for column in (*COLUMNS, "kv_token_s", "iterations"):
        np.testing.assert_array_equal(getattr(ours, column), getattr(theirs, column))


@settings(max_examples=60)
@given(seeds, services, seeds, st.sampled_from([(1, MENU), (16, MENU), (7, LARGER)]), st.booleans())
def test_epochs_equal_single_iterations(model, service, seed, kind, knows):
    """Claim: a random model of mixed rules keeps the exactness law on every service model, with scarce memory."""
    (block, menu), information = kind, Information.ORACLE if knows else Information.NONE
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    policy = learned_policy(linear(model, information, menu), information=information, menu=menu)
    assert_exact(random_workload(seed), fleet, policy)


@settings(max_examples=60)
@given(seeds, seeds, st.sampled_from([1, 7, 16]), st.integers(0, 30))
def test_mixed_rules_lose_nobody_at_the_edge_of_memory(model, seed, block, extra):
    """Claim: whatever rules follow each other, the engine refuses no plan, with memory just for the longest request."""
    workload, hardware = edge_of_memory(seed, block, extra)
    for menu in (MENU, SMALL):
        assert_exact(workload, Fleet.single(hardware), learned_policy(linear(model, menu=menu), menu=menu))


@settings(max_examples=30)
@given(seeds, router_names, seeds)
def test_the_law_holds_on_fleets_and_with_predicted_lengths(model, router, seed):
    """Claim: so it is for three instances behind any router, and for a model that observes predicted lengths."""
    workload = random_workload(seed, n=80)
    fleet = Fleet.identical(tight_hardware(AFFINE, seed, 16), 3)
    policy = learned_policy(linear(model, Information.ORACLE), information=Information.ORACLE)
    told = policy.predicted_by(build_predictor("noise:0.5", workload)).routed_by(get_router(router))
    assert told.information is Information.PREDICTED
    if router != "slo-admission":
        assert_exact(workload, fleet, told)


def test_the_number_of_questions_does_not_depend_on_epochs():
    """Claim: the model is asked at the same moments and shown the same, whether epochs are long or of one iteration."""
    workload, fleet = random_workload(7), Fleet.single(tight_hardware(AFFINE, 7, 1))
    seen = []
    for limit in (None, 1, 3):
        shown, choose = [], linear(4)

        def noting(observation, mask, shown=shown, choose=choose):
            shown.append(np.append(observation, mask))
            return choose(observation, mask)

        simulate(workload, fleet, learned_policy(noting), epoch_limit=limit)
        seen.append(np.array(shown))
    np.testing.assert_allclose(seen[1], seen[0], atol=1e-6)
    np.testing.assert_allclose(seen[2], seen[0], atol=1e-6)


@settings(max_examples=60)
@given(seeds, seeds, st.sampled_from([Information.NONE, Information.ORACLE]))
def test_observations_are_shares(model, seed, information):
    """Claim: every entry is between 0 and 1, there are as many as names, and some rule is always allowed."""
    observer, choose = Observer(information), linear(model, information)

    def checked(observation, mask):
        assert observation.shape == (len(observer.names),)
        assert observation.dtype == np.float32
        assert (observation >= 0).all()
        assert (observation <= 1).all()
        assert mask.any()
        return choose(observation, mask)

    workload = random_workload(seed)
    simulate(workload, Fleet.single(tight_hardware(AFFINE, seed, 1)), learned_policy(checked, information=information))


def test_observations_without_information_do_not_tell_lengths():
    """Claim: two paths that differ in hidden output lengths only look the same until the first request has ended."""
    workload = random_workload(3, n=40)
    workload = replace(workload, arrival_s=workload.arrival_s / 20, output_tokens=workload.output_tokens + 100)
    longer = replace(workload, output_tokens=workload.output_tokens + 17)
    fleet, sights = Fleet.single(Hardware("roomy", AFFINE, 40_000, 64)), []
    for path in (workload, longer):
        sight = Sight(linear(2))
        run = simulate(path, fleet, sight.policy())
        sights.append([(when, what) for when, what in sight.seen if when < run.completion_s.min()])
    common = min(map(len, sights))
    assert common > 10
    assert sights[0][:common] == sights[1][:common]


class Sight:
    """Notes when a model is asked and what it is shown."""

    def __init__(self, choose):
        self.choose, self.seen, self.now_s = choose, [], 0.0

    def policy(self):
        policy = learned_policy(self.note)
        inner = policy.batch

        def batch(view):
            self.now_s = view.now_s
            return inner(view)

        return replace(policy, batch=batch)

    def note(self, observation, mask):
        self.seen.append((self.now_s, observation.tobytes()))
        return self.choose(observation, mask)


def test_lengths_are_refused_to_who_declares_none():
    """Claim: an observer of lengths in a policy that declares no information is stopped by the view."""
    workload, fleet = random_workload(1), Fleet.single(Hardware("roomy", AFFINE, 40_000, 64))
    policy = Policy("peek", Choosing(always("whole"), MENU, Observer(Information.ORACLE)))
    with pytest.raises(InformationError, match="hidden"):
        simulate(workload, fleet, policy)


def test_what_the_head_of_the_queue_is_said_to_be():
    """Claim: the entries on queue, batch and memory are the documented ratios, on a hand-made instance."""
    workload = random_workload(2, n=3)
    workload = replace(workload, input_tokens=np.array([100, 60, 40]), output_tokens=np.array([5, 5, 5]))
    workload = replace(workload, arrival_s=np.zeros(3), context_tokens=200)
    fleet, seen = Fleet.single(Hardware("h", AFFINE, 1000, 10)), []

    def noting(observation, mask):
        seen.append(dict(zip(Observer().names, observation.tolist(), strict=True)))
        return NAMES.index("whole")

    simulate(workload, fleet, learned_policy(noting))
    first = seen[0]
    expected = {"waiting": 3 / 19, "waiting_tokens": 200 / 8392, "head_tokens": 0.5, "head_memory": 0.1, "head_fits": 1}
    assert {name: first[name] for name in expected} == pytest.approx(expected)
    assert first["running"] == first["kv_used"] == first["emitted_0"] == 0


def test_masks_are_the_documented_ones():
    """Claim: no decoding where nothing decodes, no whole prompts beside one in progress, no budget below the batch."""
    workload = replace(random_workload(2, n=8), arrival_s=np.zeros(8), input_tokens=np.full(8, 90))
    workload = replace(workload, output_tokens=np.full(8, 50))
    script = iter(["whole", "5 of 5", "40 of 30", "3 of 2"])
    names, seen = [rule.name for rule in SMALL], []

    def noting(observation, mask):
        seen.append([name for name, allowed in zip(names, mask, strict=True) if allowed])
        return names.index(next(script, "40 of 30"))

    simulate(workload, Fleet.single(Hardware("h", AFFINE, 40_000, 30)), learned_policy(noting, menu=SMALL))
    every = set(names)
    assert every - set(seen[0]) == {"decode"}
    in_progress = [allowed for allowed in seen if "whole" not in allowed]
    assert 0 < len(in_progress) < len(seen)
    assert "3 of 2" not in seen[-1]
    assert "40 of 30" in seen[-1]


def test_no_whole_prompts_beside_one_in_progress():
    """Claim: so it is in the ordinary menu, where a prompt of 300 tokens is begun with a budget of 256."""
    workload, seen = replace(random_workload(2, n=3), input_tokens=np.full(3, 300)), []

    def noting(observation, mask):
        seen.append(bool(mask[NAMES.index("whole")]))
        return NAMES.index("chunk-256")

    simulate(workload, Fleet.single(Hardware("h", AFFINE, 40_000, 30)), learned_policy(noting))
    assert seen[:2] == [True, False]


def test_the_bins_of_the_histogram():
    """Claim: bins end at 15, 31, 63, ..., 1023 tokens, the last has no end; without requests all are empty."""
    edges = [0, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1024, 10**6]
    for k, tokens in enumerate(edges):
        assert histogram([tokens]) == [float(k // 2 == b) for b in range(8)]
    assert histogram(edges) == [1 / 8] * 8
    assert histogram([]) == [0] * 8


def test_a_choice_that_is_not_allowed_becomes_the_nearest():
    """Claim: nearest by place in the menu, the later of two."""
    assert nearest(np.array([0, 1, 1, 0, 1], dtype=np.int8), 0) == 1
    assert nearest(np.array([0, 0, 1, 0, 1], dtype=np.int8), 3) == 4
    assert nearest(np.array([1, 0, 0, 0, 0], dtype=np.int8), 4) == 0
    workload, fleet = random_workload(5), Fleet.single(tight_hardware(AFFINE, 5, 1))
    run = simulate(workload, fleet, learned_policy(always("decode")), check=True)
    assert np.isfinite(run.completion_s).all()


def hold(view):
    """Admit one request at a time, and never any rule's business to say more."""
    if view.running or not view.waiting:
        return Plan()
    head = next(iter(view.waiting))
    return Plan((Chunk(head, view.prompt_tokens[head]),))


def test_masks_are_read_only():
    """Claim: whoever chooses cannot allow what is not allowed, nor change the menu afterwards."""

    def cheat(observation, mask):
        mask[:] = 1
        return 0

    with pytest.raises(ValueError, match="read-only"):
        run_once(cheat)
    menu = [MENU[4]]
    policy = learned_policy(lambda o, m: 0, menu=menu)
    menu.clear()
    assert policy.batch.menu == (MENU[4],)


def test_workloads_without_a_longest_context():
    """Claim: observations exist where the workload names no context, which then counts as one token."""
    n = 20
    workload = Workload("w", np.arange(1.0, n + 1), np.full(n, 200), np.full(n, 10), np.zeros(n, int))
    assert workload.context_tokens == 0
    fleet = Fleet.single(Hardware("h", AFFINE, 40_000, 64))
    ours = simulate(workload, fleet, learned_policy(always("chunk-2048")))
    theirs = simulate(workload, fleet, build("vllm-v1", workload, fleet))
    np.testing.assert_array_equal(ours.completion_s, theirs.completion_s)


def test_menus_of_ones_own():
    """Claim: any batcher can be a rule."""
    workload, fleet = random_workload(6, n=20), Fleet.single(Hardware("h", AFFINE, 40_000, 64))
    own = learned_policy(
        lambda o, m: 0, menu=[Rule("one at a time", hold)], name="own", settings={"trained": "by hand"}
    )
    assert own.settings == {"rules": "one at a time", "trained": "by hand"}
    run = assert_exact(workload, fleet, own)
    np.testing.assert_array_equal(run.completion_s, simulate(workload, fleet, Policy("hold", hold)).completion_s)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: learned_policy(always("whole"), menu=()), "at least one"),
        (lambda: learned_policy(always("whole"), menu=(MENU[0], MENU[0])), "different names"),
        (lambda: learned_policy(3), "a function of an observation"),
        (lambda: learned_policy(always("whole"), menu=5), "sequence of rules"),
        (lambda: learned_policy(always("whole"), menu=("sarathi",)), "sequence of rules"),
        (lambda: learned_policy(always("whole"), information="none"), "Information.NONE"),
        (lambda: learned_policy(always("whole"), settings=5), "must be a mapping"),
        (lambda: learned_policy(always("whole"), information=Information.CLASS), "predicted_by"),
        (lambda: Rule("r", "batch"), "a function of the view"),
        (lambda: run_once(lambda o, m: 10), "chose 10: the menu has 10 rules"),
        (lambda: run_once(lambda o, m: 0.5), "chose 0.5"),
        (lambda: run_once(lambda o, m: None), "chose None"),
        (lambda: run_once(lambda o, m: 0, [Rule("never", hold, lambda view: False)]), "none of the rules"),
    ],
)
def test_bad_input_is_refused(make, message):
    """Claim: menus, models and choices that are none are refused with a message that says what is allowed."""
    with pytest.raises(InputError, match=message):
        make()


def run_once(model, menu=MENU):
    fleet = Fleet.single(Hardware("h", AFFINE, 40_000, 64))
    return simulate(random_workload(1, n=5), fleet, learned_policy(model, menu=menu))
