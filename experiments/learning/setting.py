"""What every episode of an environment is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

import policies
from experiments.comparison.build import DEFAULT_ROUTER
from experiments.comparison.experiment import Experiment
from experiments.learning.rewards import REWARDS, Return, get_reward
from experiments.paths.source import WorkloadLike, source_for
from experiments.paths.streams import Stream, generator
from orsched.catalogue import Hardware, hardware
from orsched.checks import check_number, shown
from orsched.errors import InputError
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.prediction import Predictor
from orsched.request import SLO
from orsched.workloads import Workload
from orsched.workloads.sources import WorkloadSource
from policies.learned import Chooser, Choosing, Rule, learned_policy

INFORMATION = {"none": Information.NONE, "oracle": Information.ORACLE}
"""What observations may tell about output lengths."""

_OF_RETURN = ("look", "so_far", "at_end")
"""The functions of a `Return`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The law of the sample paths, the fleet that serves them, and what the agent sees and chooses.

    Parameters
    ----------
    source : WorkloadSource
        Of sample paths.
    fleet : Fleet
        Identical instances.
    load : float
        1 is the edge of the planning LP's capacity region.
    requests : int
        Per episode.
    router : str, optional
        None for a single instance.
    menu : tuple of Rule
        The actions.
    information : Information
        `Information.NONE` or `Information.ORACLE`.
    predictor : Predictor, optional
        Puts predicted output lengths in the place of true ones.
    account : callable
        ``account(workload, slo) -> Return``.
    slo : SLO, optional
        Objective of every request.
    most_s : float, optional
        Simulated seconds after which an episode is cut off.
    """

    source: WorkloadSource
    fleet: Fleet
    load: float
    requests: int
    router: str | None
    menu: tuple[Rule, ...]
    information: Information
    predictor: Predictor | None
    account: Callable[[Workload, SLO | None], Return]
    slo: SLO | None
    most_s: float | None

    def __post_init__(self) -> None:
        if self.most_s is not None:
            check_number(self, "most_s", above=True, unit="seconds")

    @classmethod
    def of(
        cls,
        *,
        workload: WorkloadLike,
        hardware_like: str | Hardware,
        instances: int | np.integer,
        router: str | None,
        load: float,
        requests: int | np.integer,
        menu: Sequence[Rule],
        information: str,
        predictor: str | None,
        reward: str | Callable[[Workload, SLO | None], Return],
        slo: SLO | None,
        most_s: float | None,
    ) -> Setting:
        """Look up what is given by name, and check everything.

        Raises
        ------
        InputError
            Naming what cannot be used.
        """
        if not isinstance(information, str) or information not in INFORMATION:
            raise InputError(f"information = {information!r}: must be one of {', '.join(INFORMATION)}")
        if slo is not None and not isinstance(slo, SLO):
            raise InputError(f"slo = {shown(slo)}: must be an SLO, or None")
        if not isinstance(reward, str) and not callable(reward):
            raise InputError(
                f"reward = {shown(reward)}: must be {', '.join(REWARDS)}, or a function of a workload and an SLO"
            )
        instances, requests = _plain(instances), _plain(requests)
        kind = hardware(hardware_like) if isinstance(hardware_like, str) else hardware_like
        fleet = Fleet.identical(kind, instances)
        routed = DEFAULT_ROUTER if router is None and instances > 1 else router
        source = source_for(workload, fleet, drop=False)
        Experiment(workload, fleet, ("learned",), (load,), requests, 1, router=routed)  # checks the numbers
        require_fit(source.whole(), fleet)
        found = None
        if predictor is not None:
            found = policies.build_predictor(predictor, source.whole().at_load(load, fleet))
        account = get_reward(reward) if isinstance(reward, str) else reward
        known = INFORMATION[information]
        Choosing(lambda observation, mask: 0, menu)  # checks the menu
        setting = cls(source, fleet, load, requests, routed, tuple(menu), known, found, account, slo, most_s)
        setting.policy(lambda observation, mask: 0)
        return setting

    def path(self, seed: int, replication: int) -> Workload:
        """The sample path that experiments draw for this seed and replication."""
        drawn = self.source.draw(self.requests, generator(seed, Stream.WORKLOAD, replication))
        return drawn.at_load(self.load, self.fleet)

    def counted(self, path: Workload) -> Return:
        """What counts the return of an episode on a path.

        Raises
        ------
        InputError
            When the function given as reward returns something that cannot count one.
        """
        found: object = self.account(path, self.slo)
        if isinstance(found, type) or not all(callable(getattr(found, name, None)) for name in _OF_RETURN):
            raise InputError(
                f"reward returns {shown(found)}: must be an object with the functions {', '.join(_OF_RETURN)}, "
                "see experiments.learning.rewards.Return"
            )
        return cast(Return, found)

    def policy(self, choose: Chooser) -> Policy:
        """The policy that `choose` decides."""
        policy = learned_policy(choose, name="agent", menu=self.menu, information=self.information)
        if self.predictor is not None:
            policy = policy.predicted_by(self.predictor)
        return policy if self.router is None else policy.routed_by(policies.get_router(self.router))

    @property
    def observed(self) -> Information:
        """What observations tell about output lengths."""
        return self.information if self.predictor is None else Information.PREDICTED

    def is_cut(self, path: Workload, now_s: float) -> bool:
        """Whether an episode is cut off at `now_s`."""
        return self.most_s is not None and now_s - float(np.min(path.arrival_s)) > self.most_s


def _plain(number: int | np.integer) -> int:
    """A whole number of numpy as one of Python; what is none is checked where it is used."""
    return int(number) if isinstance(number, np.integer) else number
