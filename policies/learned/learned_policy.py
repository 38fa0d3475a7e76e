"""A trained function as a policy like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orsched.checks import shown
from orsched.errors import InputError
from orsched.policy import Information, Policy
from policies.learned.choosing import Chooser, Choosing
from policies.learned.menu import MENU
from policies.learned.observation import Observer
from policies.learned.rule import Rule


def learned_policy(
    model: Chooser,
    *,
    name: str = "learned",
    menu: Sequence[Rule] = MENU,
    information: Information = Information.NONE,
    settings: Mapping[str, Any] | None = None,
) -> Policy:
    """Let a function of observations choose among rules: a policy for tables, bounds and fleets.

    It sees what the environment ``orsched/Serve-v0`` shows, at the same moments, and its choices mean the same.

    Parameters
    ----------
    model : callable
        ``model(observation, mask) -> int``: index into `menu`. `observation` is what `Observer` returns, `mask` has 1
        for every rule that is allowed. Must depend on its arguments only; picklable, to run in several processes.
    name : str
        Label in tables.
    menu : sequence of Rule
        What it chooses from.
    information : Information
        `Information.NONE`, or `Information.ORACLE` to observe output lengths; `Policy.predicted_by` of the latter
        gives the policy that observes predicted ones.
    settings : mapping, optional
        To print with results.

    Raises
    ------
    InputError
        For another information, a menu that is none, or settings that are no mapping.
    """
    if not isinstance(information, Information) or information not in (Information.NONE, Information.ORACLE):
        raise InputError(
            "a learned policy observes no output lengths (Information.NONE) or all of them (Information.ORACLE); "
            "for predicted ones take policy.predicted_by(predictor) of the latter"
        )
    if settings is not None and not isinstance(settings, Mapping):
        raise InputError(f"settings = {shown(settings)}: must be a mapping")
    batch = Choosing(model, menu, Observer(information))
    return Policy(
        name,
        batch,
        information=information,
        settings={"rules": " ".join(rule.name for rule in menu), **(settings or {})},
        takes_transfers=False,
    )
