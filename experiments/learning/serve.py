"""The environment ``orsched/Serve-v0``: an agent chooses what an LLM server runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from experiments.learning.episode import Episode
from experiments.learning.rewards import Return
from experiments.learning.setting import Setting
from experiments.paths.source import WorkloadLike
from orsched.catalogue import Hardware
from orsched.checks import is_whole, shown
from orsched.errors import InputError
from orsched.request import SLO
from orsched.run import Run
from orsched.workloads import Workload
from policies.learned import MENU, Observer, Rule
from policies.learned.choosing import nearest

Observation = NDArray[np.float32]
"""Shape ``(features,)``, every entry in [0, 1]; see `ServeEnv.feature_names`."""


class ServeEnv(gymnasium.Env[Observation, np.int64]):
    """Serve one sample path per episode, choosing a rule at the decision epochs of the instances.

    An action is the index of a rule in `menu`; it is followed until something happens (`policies.learned.Choosing`).
    An observation is what `policies.learned.Observer` makes of the instance where the choice is due. An episode ends
    when everybody is served. One that is always given the same action is the same run, bit for bit, as that of the
    rule's batcher as a policy.

    Parameters
    ----------
    workload : str, Path, Workload or WorkloadSource
        Where sample paths come from.
    hardware : str or Hardware
        What serves them.
    load : float
        1 is the edge of the planning LP's capacity region.
    requests : int
        Per episode.
    instances : int
        Identical instances. With several, a step is a choice on one of them (``info["instance"]``) and the reward is
        of all.
    router : str, optional
        Who decides which instance serves a request; default for several: join the shortest queue.
    menu : sequence of Rule
        The actions.
    information : {"none", "oracle"}
        With ``"oracle"`` observations tell output lengths.
    predictor : str, optional
        With ``"oracle"``: they tell predicted ones instead (`policies.build_predictor`).
    reward : {"latency", "goodput"} or callable
        What is counted, see `experiments.learning.rewards`; or ``reward(workload, slo) -> Return`` of your own.
    slo : SLO, optional
        Objective of every request; None: that of its class, if it has one.
    most_s : float, optional
        Simulated seconds after which an episode is truncated; None: never.
    bounds : bool
        At the end, compute the bounds of the path and the gaps to them (seconds for long paths).
    render_mode : {None, "ansi"}
        Whether `render` returns a text.

    Raises
    ------
    InputError
        Naming what cannot be used.

    Notes
    -----
    ``info`` holds ``action_mask`` (int8, 1 for every allowed rule), ``now_s``, ``instance``, and after a step
    ``followed``, the name of the rule followed: a rule that is not allowed is replaced by the nearest that is. At the
    end it holds ``run``, the metrics of the run, and if asked for ``bounds`` and ``gaps`` by metric.

    ``reset(seed=s)`` starts with replication 0 of experiments of seed ``s``; each ``reset()`` after it goes on to the
    next replication; ``options={"replication": r}`` goes to that one.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4}  # type: ignore[misc]

    def __init__(
        self,
        workload: WorkloadLike = "reference",
        hardware: str | Hardware = "reference",
        load: float = 0.9,
        requests: int = 500,
        *,
        instances: int = 1,
        router: str | None = None,
        menu: Sequence[Rule] = MENU,
        information: str = "none",
        predictor: str | None = None,
        reward: str | Callable[[Workload, SLO | None], Return] = "latency",
        slo: SLO | None = None,
        most_s: float | None = None,
        bounds: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"render_mode = {render_mode!r}: must be None or 'ansi'")
        if not isinstance(bounds, bool):
            raise InputError(f"bounds = {shown(bounds)}: must be True or False")
        self.setting = setting = Setting.of(
            workload=workload,
            hardware_like=hardware,
            instances=instances,
            router=router,
            load=load,
            requests=requests,
            menu=menu,
            information=information,
            predictor=predictor,
            reward=reward,
            slo=slo,
            most_s=most_s,
        )
        self.feature_names = Observer(setting.observed).names
        self.rule_names = tuple(rule.name for rule in setting.menu)
        self.observation_space = Box(0.0, 1.0, (len(self.feature_names),), np.float32)
        self.action_space = Discrete(len(self.rule_names))
        self.render_mode = render_mode
        self._bounds = bounds
        self._episode: Episode | None = None
        self._replication = 0
        self._earned = 0.0
        self._followed = ""

    @property
    def run(self) -> Run | None:
        """The run of the episode, once everybody is served."""
        return None if self._episode is None else self._episode.run

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Break off the episode and start the next one, or the first one of `seed`.

        Raises
        ------
        InputError
            For options other than ``replication``, a whole number; nothing has changed then. When the reward given
            as a function returns something else than a `Return`.
        """
        if options is not None and not isinstance(options, Mapping):
            raise InputError(f"options = {shown(options)}: must be a mapping, or nothing")
        chosen = dict(options or {})
        replication = chosen.pop("replication", 0 if seed is not None else self._replication)
        if chosen or not is_whole(replication, 0, 2**32 - 1):
            raise InputError(f"options = {options!r}: must be {{'replication': a whole number >= 0}}, or nothing")
        super().reset(seed=seed)
        self.close()
        self._replication = int(replication) + 1
        self._episode = Episode(self.setting, self._entropy(), int(replication))
        self._earned = self._finite(self._episode.earned)
        self._followed = ""
        return self._observation(), self._info()

    def __getstate__(self) -> dict[str, Any]:
        """What to copy or pickle; an episode is a running thread, which neither can take along."""
        if self._episode is not None:
            raise InputError("an environment cannot be copied or pickled after its first reset: make another one")
        return self.__dict__

    def _finite(self, earned: float) -> float:
        """The return so far, refused unless it is a finite number; the episode is over then."""
        if not (isinstance(earned, Real) and math.isfinite(earned)):
            self.close()
            raise InputError(f"the reward counts a return of {shown(earned)}: must be a finite number")
        return float(earned)

    def _entropy(self) -> int:
        """The seed of the sample paths: the one given to `reset`, or one drawn."""
        seed = self.np_random_seed
        return seed if seed >= 0 else int(self.np_random.integers(2**62))

    def step(
        self, action: np.int64 | int | NDArray[np.integer]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose a rule: a whole number, or an array of shape ``()`` that holds one.

        Raises
        ------
        InputError
            When the action is no index into the menu, or the reward counts what is no finite number.
        gymnasium.error.ResetNeeded
            Before the first `reset` and after the end of an episode.
        OrschedError
            What the engine refuses; the episode is over then.
        """
        episode = self._episode
        if episode is None or episode.sight is None:
            raise gymnasium.error.ResetNeeded("the episode is over, or none has begun: call reset()")
        rule = self._rule(action)
        self._followed = self.rule_names[nearest(episode.sight[1], rule)]
        episode.choose(rule)
        before, self._earned = self._earned, self._finite(episode.earned)
        terminated, truncated = episode.run is not None, episode.is_cut
        observation, info = self._observation(), self._info()
        info["followed"] = self._followed
        if terminated:
            info["run"] = episode.metrics()
            if self._bounds:
                info["bounds"], info["gaps"] = episode.bounds_and_gaps()
        if truncated:
            episode.close()
        return observation, self._earned - before, terminated, truncated, info

    def _rule(self, action: object) -> int:
        """The index into the menu that an action is."""
        number: Any = action[()] if isinstance(action, np.ndarray) and action.shape == () else action
        last = len(self.rule_names) - 1
        if not is_whole(number, 0, last):
            raise InputError(f"action {shown(action)}: must be a whole number from 0 to {last}")
        return int(number)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which rules are allowed, shape ``(rules,)``; under this name agents that mask actions look for it."""
        sight = None if self._episode is None else self._episode.sight
        return np.ones(len(self.rule_names), dtype=bool) if sight is None else sight[1].astype(bool)

    def _observation(self) -> Observation:
        assert self._episode is not None
        sight = self._episode.sight
        return np.zeros(len(self.feature_names), dtype=np.float32) if sight is None else sight[0]

    def _info(self) -> dict[str, Any]:
        assert self._episode is not None
        watch = self._episode.watch
        return {"action_mask": self.action_masks().astype(np.int8), "now_s": watch.now_s, "instance": watch.instance}

    def render(self) -> str | None:
        """Say in a line what the instance where a choice is due looks like; None without a render mode."""
        if self.render_mode is None:
            return None
        if self._episode is None:
            return "no episode has begun"
        view = self._episode.watch.view
        used = 1 - view.free_blocks / view.capacity_blocks
        return (
            f"t = {view.now_s:10.3f} s  instance {self._episode.watch.instance}  waiting {len(view.waiting):4d}  "
            f"running {view.num_running:4d}  KV [{'#' * round(20 * used):<20}] {used:4.0%}  "
            f"return {self._earned:.6g}  {self._followed}"
        )

    def close(self) -> None:
        """Break off the episode; its thread ends."""
        if self._episode is not None:
            self._episode.close()
