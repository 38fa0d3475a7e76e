"""A batcher that asks a function which rule to follow, and when it asks."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orsched.checks import check_has, check_is, is_whole, shown
from orsched.engine.plan import Plan
from orsched.errors import InputError
from policies.learned.menu import MENU
from policies.learned.observation import Observer
from policies.learned.rule import Rule

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

Chooser = Callable[[NDArray[np.float32], NDArray[np.int8]], int]
"""``choose(observation, mask)``: index into the menu; `mask`, shape ``(rules,)``, has 1 for every rule allowed."""

_COURSE = "learned policy"
"""Key of what is remembered on an instance."""


class Course:
    """The rule that is being followed on an instance, and until when.

    Attributes
    ----------
    rule : int
        Index into the menu.
    steady : bool
        Whether its last plan was to go on decoding.
    """

    __slots__ = ("_arrived", "_due", "_running", "_wakes", "rule", "steady")

    def __init__(self) -> None:
        self.rule = 0
        self.steady = False
        self._arrived = self._running = 0
        self._due = math.inf
        self._wakes = True

    def is_over(self, view: InstanceView) -> bool:
        """Whether the last plan had prompts or preemptions, or somebody has left, or arrived if that matters."""
        if not self.steady or view.num_running != self._running or view.iterations >= self._due:
            return True
        return self._wakes and len(view.arrived) != self._arrived

    def begin(self, view: InstanceView, plan: Plan) -> None:
        """Remember where the rule was chosen, and what it wants."""
        self.steady = not (plan.prefill or plan.preempt or plan.moves)
        self._arrived, self._running = len(view.arrived), view.num_running
        self._wakes = plan.wake_on_arrival
        self._due = math.inf if plan.max_steps == sys.maxsize else view.iterations + plan.max_steps

    def go_on(self, view: InstanceView, plan: Plan) -> Plan:
        """The next part of what was chosen, which ends when the whole does."""
        self.steady = not (plan.prefill or plan.preempt or plan.moves)
        steps = self._due - view.iterations
        return plan if plan.max_steps <= steps else plan._replace(max_steps=int(steps))


@dataclass(frozen=True, slots=True)
class Choosing:
    """Follows the rule that a function chooses; asks again when something has happened.

    Asked is at a decision epoch of an instance where requests wait or prompts are in progress, if since the last choice
    an iteration with prompt tokens or preemptions has ended, a request has left, one has arrived (unless the rule's
    plan says that arrivals do not matter to it), or the iterations it asked for are over. Otherwise the rule goes on.
    These moments do not depend on how the engine cuts a run into epochs, so neither do the choices.

    A choice that is not allowed is replaced by the nearest allowed one of the menu, the later of two.

    Parameters
    ----------
    choose : Chooser
        Must depend on its arguments only.
    menu : sequence of Rule
        At least one; where none is allowed the policy is stopped with an error.
    observe : Observer
        What `choose` is shown.

    Raises
    ------
    InputError
        For a menu that is empty or names two rules alike; at a choice that is no index into it.
    """

    choose: Chooser
    menu: Sequence[Rule] = MENU
    observe: Observer = Observer()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        check_has(self, "choose", "a function of an observation and a mask", "__call__")
        if not isinstance(self.menu, Sequence) or not all(isinstance(rule, Rule) for rule in self.menu):
            raise InputError(f"a menu is a sequence of rules (policies.learned.Rule), not {shown(self.menu)}")
        object.__setattr__(self, "menu", tuple(self.menu))  # of the caller's list a copy
        check_is(self, "observe", Observer)
        names = [rule.name for rule in self.menu]
        if not names or len(set(names)) < len(names):
            raise InputError(f"a menu is of rules with different names, at least one: {names}")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan by the rule chosen, or by a new one."""
        course: Course | None = view.memo.get(_COURSE)
        if course is None:
            course = view.memo[_COURSE] = Course()
        if not course.is_over(view):
            return course.go_on(view, self.menu[course.rule].batch(view))
        if view.waiting or view.prefilling:
            course.rule = self._chosen(view)
        plan = self.menu[course.rule].batch(view)
        course.begin(view, plan)
        return plan

    def mask(self, view: InstanceView) -> NDArray[np.int8]:
        """1 for every rule that is allowed, shape ``(rules,)``."""
        mask = np.array([bool(rule.allowed(view)) for rule in self.menu], dtype=np.int8)
        mask.setflags(write=False)  # whoever chooses may not change what is allowed
        return mask

    def _chosen(self, view: InstanceView) -> int:
        mask = self.mask(view)
        if not mask.any():
            raise InputError(
                f"none of the rules {[rule.name for rule in self.menu]} is allowed at t = {view.now_s:.6g} s"
            )
        choice = self.choose(self.observe(view), mask)
        if not is_whole(choice, 0, len(self.menu) - 1):
            raise InputError(f"a learned policy chose {choice!r}: the menu has {len(self.menu)} rules, numbered from 0")
        return nearest(mask, int(choice))


def nearest(mask: NDArray[np.int8], choice: int) -> int:
    """The allowed index nearest to `choice`, the larger of two."""
    if mask[choice]:
        return choice
    allowed = np.flatnonzero(mask)
    return int(min(allowed, key=lambda index: (abs(int(index) - choice), -int(index))))
