"""The environment orsched/Serve-v0: gymnasium's contract, the same runs, honest rewards, no thread left behind."""

import copy
import gc
import pickle
import subprocess
import sys
import threading
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import fluid
from experiments.comparison.experiment import Experiment
from experiments.comparison.replication import Task, replicate
from experiments.learning import ENVIRONMENT, Latency, ServeEnv, register_environments
from experiments.paths.source import source_for
from experiments.paths.streams import Stream, generator, seed_sequence
from orsched import SLO, Fleet, hardware, measure, simulate
from orsched.bound import best_bound
from orsched.engine.plan import IDLE
from orsched.errors import InputError, PlanError
from orsched.metrics import METRICS
from orsched.objectives import Objectives
from orsched.request import RequestClass
from orsched.scoring import mean_tpot
from orsched.workloads import Workload
from policies import build, get_router
from policies.learned import MENU, Observer, Rule, learned_policy

NAMES = [rule.name for rule in MENU]
REFERENCE = Fleet.single(hardware("reference"))
SAME = ("arrival_s", "input_tokens", "output_tokens", "first_scheduled_s", "first_token_s", "completion_s")
SAME += ("preemptions", "instance", "busy_s", "batch_s", "kv_token_s", "iterations", "on_s", "rejected")


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = threading.active_count()
    yield
    gc.collect()
    assert threading.active_count() == before


def path(seed, replication, load=0.9, requests=300, fleet=REFERENCE):
    drawn = source_for("reference", fleet, False).draw(requests, generator(seed, Stream.WORKLOAD, replication))
    return drawn.at_load(load, fleet)


def play(env, choose, **reset):
    """Run an episode; returns rewards, times of the choices, and the last info."""
    observation, info = env.reset(**reset)
    rewards, times = [], [info["now_s"]]
    while True:
        action = choose(observation, info["action_mask"])
        observation, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        times.append(info["now_s"])
        if terminated or truncated:
            return rewards, times, info


def mixed(observation, mask):
    """A choice of rules that depends on what is seen, the same in every process."""
    return int(1000 * float(observation[:12].sum())) % len(mask)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"information": "oracle"},
        {"instances": 3},
        {"reward": "goodput", "slo": SLO(2, 0.05)},
        {"render_mode": "ansi"},
    ],
)
def test_gymnasium_finds_nothing_to_complain_about(options):
    """Claim: gymnasium's checker passes; warnings are errors here."""
    env = gymnasium.make(ENVIRONMENT, requests=60, **options)
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize(("rule", "policy"), [("chunk-2048", "vllm-v1"), ("sarathi", "sarathi"), ("whole", "vllm-v0")])
@pytest.mark.parametrize("replication", [0, 2])
def test_a_constant_action_is_the_run_of_the_published_policy(rule, policy, replication):
    """Claim: bit for bit the run that experiments of this seed make of the registry's policy, in each replication."""
    env = ServeEnv(requests=300)
    play(env, lambda o, m: NAMES.index(rule), seed=11, options={"replication": replication})
    served = path(11, replication)
    seed = seed_sequence(11, Stream.POLICY, replication)
    run = simulate(served, REFERENCE, build(policy, served, REFERENCE), seed)
    for column in SAME:
        np.testing.assert_array_equal(getattr(env.run, column), getattr(run, column))
    assert env.run.workload == run.workload


@pytest.mark.parametrize(
    "options", [{}, {"information": "oracle"}, {"information": "oracle", "predictor": "noise:0.5"}]
)
@pytest.mark.parametrize("instances", [1, 3])
def test_the_environment_and_the_policy_are_one_mechanism(options, instances):
    """Claim: a function that chooses in the environment and as a learned policy makes the same run, on fleets too."""
    env = ServeEnv(requests=200, instances=instances, **options)
    _, _, info = play(env, mixed, seed=4)
    assert info["instance"] in range(instances)
    fleet = Fleet.identical(hardware("reference"), instances)
    setting = env.setting
    policy = learned_policy(mixed, information=setting.information)
    if setting.predictor is not None:
        policy = policy.predicted_by(setting.predictor)
    if instances > 1:
        policy = policy.routed_by(get_router("jsq"))
    run = simulate(path(4, 0, requests=200, fleet=fleet), fleet, policy, seed_sequence(4, Stream.POLICY, 0))
    for column in SAME:
        np.testing.assert_array_equal(getattr(env.run, column), getattr(run, column))
    assert env.observation_space.shape == (len(Observer(policy.information).names),)


@pytest.mark.parametrize("instances", [1, 3])
def test_rewards_are_minus_the_time_in_system(instances):
    """Claim: the return is minus the sum of latencies; each reward is minus the integral of the number in system over
    its step, as the finished run shows it."""
    env = ServeEnv(requests=200, instances=instances)
    rewards, times, _ = play(env, mixed, seed=5)
    run = env.run
    assert sum(rewards) == pytest.approx(-run.latency_s.sum(), rel=1e-12)
    inside_s = [float((np.minimum(run.completion_s, t) - run.arrival_s).clip(0).sum()) for t in times[:-1]]
    np.testing.assert_allclose(rewards[:-1], -np.diff(inside_s), atol=1e-7)
    assert max(rewards) <= 1e-9


@pytest.mark.parametrize("instances", [1, 2])
@pytest.mark.parametrize(("kv_tokens", "choose"), [(40_000, mixed), (6_000, lambda o, m: NAMES.index("chunk-2048"))])
def test_goodput_counts_who_kept_the_objective(instances, kv_tokens, choose):
    """Claim: the return is the number of requests within the objective, earned as they complete, not when preempted."""
    slo = SLO(1.0, 0.025)
    kind = replace(hardware("reference"), kv_capacity_tokens=kv_tokens)
    env = ServeEnv(hardware=kind, requests=300, reward="goodput", slo=slo, instances=instances)
    rewards, times, info = play(env, choose, seed=6)
    run = env.run
    assert (run.preemptions.sum() > 20) == (kv_tokens == 6_000)
    kept = mean_tpot(run, Objectives.same(slo, 300))
    assert 20 < kept.sum() < 300
    assert sum(rewards) == kept.sum() == round(info["run"]["slo_attainment"] * 300)
    done = [int((kept & (run.completion_s <= t * (1 + 1e-12))).sum()) for t in times[:-1]]
    np.testing.assert_array_equal(np.cumsum(rewards)[:-1], done[1:])


@pytest.mark.parametrize("tokens", [1, 2])
def test_goodput_counts_requests_that_emit_one_token(tokens):
    """Claim: those that come and leave between two looks are earned when they leave, not at the end."""
    slo = SLO(100.0, 100.0)
    arrival_s = np.random.default_rng(0).exponential(0.5, 40).cumsum()
    path = Workload.of(arrival_s, np.full(40, 200), np.full(40, tokens), classes=(RequestClass("all", slo),))
    env = ServeEnv(path, requests=40, reward="goodput", load=0.5)
    rewards, times, _ = play(env, lambda o, m: 9, seed=0)
    done = [int((env.run.completion_s <= t * (1 + 1e-12)).sum()) for t in times[:-1]]
    np.testing.assert_array_equal(np.cumsum(rewards)[:-1], done[1:])
    assert sum(rewards) == 40


def test_episodes_are_reproducible_and_go_on():
    """Claim: the same seed gives the same bytes, resets without a seed are the next replications, seeds differ."""
    env, other = ServeEnv(requests=80), ServeEnv(requests=80)
    first, second = play(env, mixed, seed=1), play(env, mixed)
    assert play(other, mixed, seed=1, options={"replication": 1})[0] == second[0]
    assert play(other, mixed, seed=1)[0] == first[0]
    assert play(other, mixed, seed=2)[0] != first[0]
    assert play(other, mixed)[0] != second[0]
    unseeded = [ServeEnv(requests=80) for _ in range(2)]
    assert len({play(env, mixed)[0][0] for env in unseeded}) == 2


def test_the_end_tells_metrics_bounds_and_gaps():
    """Claim: metrics are those of the run; bounds and gaps those that experiments find for the same path."""
    env = ServeEnv(requests=150, bounds=True, slo=SLO(2, 0.05))
    _, _, info = play(env, lambda o, m: NAMES.index("sarathi"), seed=3, options={"replication": 1})
    assert info["run"] == measure(env.run, SLO(2, 0.05))
    assert set(info["run"]) <= set(METRICS)
    experiment = Experiment("reference", REFERENCE, ("sarathi",), (0.9,), 150, 2, seed=3, slo=SLO(2, 0.05))
    served = path(3, 1, requests=150)
    task = Task(0.9, 1, (build("sarathi", served, REFERENCE),))
    expected = replicate(experiment, source_for("reference", REFERENCE, False), task)
    gaps = expected.outcomes["sarathi"].gaps
    assert info["gaps"] == {metric: gaps[metric] for metric in info["gaps"]}
    assert info["gaps"]["latency_mean_s"] > 0
    best = best_bound(fluid.bounds(served, REFERENCE, SLO(2, 0.05)), "latency_mean_s")
    assert info["bounds"]["latency_mean_s"] == best.value


def test_nothing_is_left_running():
    """Claim: no thread is left after the end, a reset, `close`, an error, a cut, or when the environment is dropped."""
    before = threading.active_count()
    env = ServeEnv(requests=50)
    play(env, mixed, seed=0)
    assert threading.active_count() == before
    for _ in range(5):
        env.reset()
        env.step(4)
    assert threading.active_count() == before + 1
    env.close()
    env.close()
    assert threading.active_count() == before
    env.reset()
    del env
    assert threading.active_count() == before


def test_errors_of_the_engine_come_out_of_step():
    """Claim: a plan that the engine refuses is raised by `step`, ends the episode, and the next one works."""
    menu = (Rule("lazy", lambda view: IDLE), *MENU)
    env = ServeEnv(requests=20, menu=menu)
    with pytest.raises(PlanError, match="policy 'agent' runs nothing"):
        play(env, lambda o, m: 0, seed=0)
    assert threading.active_count() == 1 + sum(t.name != "orsched conversation" for t in threading.enumerate()[1:])
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(1)
    play(env, lambda o, m: 5, seed=0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(1)


def test_long_episodes_are_cut():
    """Claim: `most_s` truncates at the first choice after it, without a run; so does gymnasium's own limit of steps."""
    env = ServeEnv(requests=300, most_s=5.0)
    rewards, times, info = play(env, mixed, seed=0)
    assert times[-2] <= 5.0 < times[-1]
    assert "run" not in info
    assert env.run is None
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(1)
    whole = play(ServeEnv(requests=300), mixed, seed=0)[0]
    assert rewards == whole[: len(rewards)]
    limited = gymnasium.make(ENVIRONMENT, requests=300, max_episode_steps=7)
    assert len(play(limited, mixed, seed=0)[0]) == 7
    limited.close()


def test_masks_say_what_is_followed():
    """Claim: a masked action is followed if allowed, else the nearest that is; gymnasium samples by the mask."""
    env = ServeEnv(requests=60)
    _, info = env.reset(seed=0)
    assert info["action_mask"].dtype == np.int8
    assert not info["action_mask"][0]
    info = env.step(0)[-1]
    assert info["followed"] == "chunk-256"
    over = False
    while not over:
        action = env.action_space.sample(info["action_mask"])
        assert env.action_masks()[action]
        *_, over, _, info = env.step(action)
        assert info["followed"] == NAMES[action]
    assert info["action_mask"].all()


def test_masks_are_copies():
    """Claim: writing to a mask or an observation changes neither what is allowed nor what happens."""

    def spoil(observation, mask):
        choice = mixed(observation, mask)
        observation[:], mask[:] = 0, 1
        return choice

    env = ServeEnv(requests=60)
    _, info = env.reset(seed=0)
    info["action_mask"][:] = 1
    env.action_masks()[:] = True
    assert not env.action_masks()[0]
    assert play(env, spoil, seed=0)[0] == play(env, mixed, seed=0)[0]


def test_many_environments_at_once():
    """Claim: gymnasium's vector of environments gives what each gives alone."""
    envs = gymnasium.make_vec(ENVIRONMENT, num_envs=3, vectorization_mode="sync", requests=40)
    envs.reset(seed=7)
    rewards = np.array([envs.step(np.full(3, 4))[1] for _ in range(10)])
    for k in range(3):
        alone = ServeEnv(requests=40)
        alone.reset(seed=7 + k)
        assert [alone.step(4)[1] for _ in range(10)] == rewards[:, k].tolist()
        alone.close()
    envs.close()


def test_render_says_where_it_stands():
    """Claim: one line with time, queue, batch and memory; nothing without a render mode."""
    env = ServeEnv(requests=30, render_mode="ansi")
    assert env.render() == "no episode has begun"
    env.reset(seed=0)
    env.step(4)
    assert "waiting" in env.render()
    assert "chunk-2048" in env.render()
    env.close()
    assert ServeEnv(requests=30).render() is None


def test_registering_twice_is_registering_once():
    """Claim: it does not warn, and gymnasium finds the environment through the package's name."""
    register_environments()
    code = (
        "import gymnasium\n"
        "env = gymnasium.make('experiments.learning:orsched/Serve-v0', requests=10, load=0.5)\n"
        "env.reset(seed=0); print(env.spec.id)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "orsched/Serve-v0\n"


def test_without_gymnasium_the_message_names_the_extra():
    """Claim: importing the environment without gymnasium says how to get it."""
    code = "import sys; sys.modules['gymnasium'] = None; import experiments.learning"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'python -m pip install "orsched[gym]"' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workload": "referense"}, "did you mean 'reference'"),
        ({"hardware": "h100"}, "unknown hardware"),
        ({"load": 0}, "load 0"),
        ({"requests": 1}, "requests = 1"),
        ({"information": "class"}, "none, oracle"),
        ({"predictor": "noise:0.5"}, "uses no output lengths"),
        ({"reward": "profit"}, "latency, goodput"),
        ({"reward": "goodput"}, "has no SLO"),
        ({"router": "jqs", "instances": 2}, "did you mean 'jsq'"),
        ({"most_s": 0}, "most_s"),
        ({"menu": ()}, "at least one"),
        ({"render_mode": "human"}, "'ansi'"),
        ({"instances": 0}, "instances|size"),
        ({"workload": 5}, "workload = 5"),
        ({"load": "x"}, "load 'x'"),
        ({"menu": 5}, "sequence of rules"),
        ({"menu": ("sarathi",)}, "sequence of rules"),
        ({"information": ["none"]}, "none, oracle"),
        ({"reward": 5}, "reward = 5"),
        ({"slo": 5}, "slo = 5"),
        ({"bounds": "x"}, "bounds = 'x'"),
    ],
)
def test_bad_settings_are_refused(options, message):
    """Claim: the message names what cannot be used."""
    with pytest.raises(InputError, match=message):
        ServeEnv(**options).reset(seed=0)


def test_bad_actions_and_options_are_refused():
    """Claim: an action outside the menu and an unknown option of reset change nothing and are named."""
    env = ServeEnv(requests=20)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    for action in (10, -1, 1.5, None, np.array(1.0), np.array(True), np.array([1]), np.array(10)):
        with pytest.raises(InputError, match="from 0 to 9"):
            env.step(action)
    for options in ({"replication": -1}, {"repetition": 1}, {"replication": 0.5}, 5, []):
        with pytest.raises(InputError, match="options = "):
            env.reset(options=options)
        with pytest.raises(InputError, match="options = "):
            env.reset(seed=7, options=options)
    env.step(np.int64(4))
    env.close()


def test_a_refused_reset_changes_nothing():
    """Claim: after a reset that is refused, the next one goes on as if it had not been asked for."""
    env, other = ServeEnv(requests=20), ServeEnv(requests=20)
    env.reset(seed=1)
    with pytest.raises(InputError, match="options = "):
        env.reset(seed=7, options={"repetition": 1})
    other.reset(seed=1)
    assert play(env, mixed)[0] == play(other, mixed)[0]


def test_a_reward_that_is_no_number_is_refused():
    """Claim: an own reward that counts NaN ends the episode with a message."""

    class Nothing(Latency):
        def so_far(self, now_s):
            return float("nan") if now_s > 0 else 0.0

    env = ServeEnv(requests=20, reward=Nothing)
    with pytest.raises(InputError, match="return of nan"):
        play(env, mixed, seed=0)


def test_whole_numbers_of_numpy_are_whole_numbers():
    """Claim: members of the action space are actions in each form of theirs; sizes may be numpy's, too."""
    plain, numpy = (
        ServeEnv(requests=20, instances=2),
        gymnasium.make(ENVIRONMENT, requests=np.int64(20), instances=np.int32(2)),
    )
    forms = (int, np.int64, np.uint8, np.array)
    for form in forms:
        assert plain.action_space.contains(form(4))
        rewards = play(plain, lambda o, m: 4, seed=1)[0]
        assert play(numpy, lambda o, m, form=form: form(4), seed=1)[0] == rewards


@pytest.mark.parametrize("found", [None, 3.0, Latency, "latency"])
def test_a_reward_that_counts_nothing_is_refused(found):
    """Claim: a function that returns no Return is refused at reset in one line that says what is missing."""
    env = ServeEnv(requests=20, reward=lambda workload, slo: found)
    with pytest.raises(
        InputError, match=r"reward returns .*: must be an object with the functions look, so_far, at_end"
    ) as caught:
        env.reset(seed=0)
    assert "\n" not in str(caught.value)


def test_a_live_environment_is_not_copied():
    """Claim: copies and pickles are refused with the reason from the first reset on, and work before it."""
    env = ServeEnv(requests=20)
    assert copy.deepcopy(env).rule_names == pickle.loads(pickle.dumps(env)).rule_names
    env.reset(seed=0)
    for make in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InputError, match="cannot be copied"):
            make(env)
    env.close()
