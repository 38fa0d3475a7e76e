"""The parts of a policy that another distribution has built: when one fails, the message says whose it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from orsched.errors import OrschedError, PluginError
from orsched.installation import PACKAGES
from orsched.policy import Policy
from orsched.prediction import Predictions, Predictor
from orsched.workloads import PrefixBlocks, Workload
from policies.one_line import error_line

PARTS = ("batch", "route", "place", "accept", "control", "classify", "order")
"""The fields of `orsched.Policy` that are functions, but for its predictor."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module that is imported wherever this is unpickled; what it prints meanwhile goes to standard error.

    Parameters
    ----------
    name : str
        Its full name.
    """

    name: str

    def __reduce__(self) -> tuple[Callable[[str], Module], tuple[str]]:
        return _imported, (self.name,)


def _imported(name: str) -> Module:
    with redirect_stdout(sys.stderr):
        import_module(name)
    return Module(name)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A part of a policy that does what the part does, and turns its mistakes into messages.

    Parameters
    ----------
    owner : str
        Whose policy it is.
    module : Module
        Where the policy is announced.
    role : str
        Name of the field of `orsched.Policy`.
    part : callable
        As the other distribution gives it.
    """

    owner: str
    module: Module
    role: str
    part: Callable[..., Any]

    def __reduce__(self) -> tuple[type[Guarded], tuple[object, ...]]:
        return Guarded, (self.owner, self.module, self.role, self.part)  # the module comes before what is in it

    def __call__(self, *given: Any) -> Any:
        """Call the part.

        Raises
        ------
        OrschedError
            What the part raises of these.
        PluginError
            When it raises anything else.
        """
        try:
            return self.part(*given)
        except OrschedError:
            raise
        except (Exception, SystemExit) as error:  # whatever another's code does
            raise PluginError(f"{self.owner}: its {self.role} raised {error_line(error)}") from error


@dataclass(frozen=True, slots=True)
class GuardedPredictor:
    """The same for a predictor, which is given a copy of the workload.

    Parameters
    ----------
    name : str
        The predictor's.
    guarded : Guarded
        It.
    """

    name: str
    guarded: Guarded

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Predict; raises what `Guarded` does."""
        predictions: Predictions = self.guarded(apart(workload), rng)
        return predictions


def guarded(policy: Policy, owner: str, module: str) -> Policy:
    """The policy with each part guarded that is not ours; a policy all of whose parts are ours stays as it is.

    Parameters
    ----------
    policy : Policy
        As another distribution has built it.
    owner : str
        How messages name it.
    module : str
        Where it is announced.
    """
    home = Module(module)
    given = {role: getattr(policy, role) for role in PARTS}
    changes: dict[str, Any] = {
        role: Guarded(owner, home, role, part)
        for role, part in given.items()
        if part is not None and not _is_ours(part)
    }
    predict: Predictor | None = policy.predict
    if predict is not None and not _is_ours(predict):
        changes["predict"] = GuardedPredictor(predict.name, Guarded(owner, home, "predict", predict))
    return replace(policy, **changes) if changes else policy


def _is_ours(part: object) -> bool:
    """Whether nothing of `part` is another's code: our function, or our dataclass that holds no function but ours."""
    home = getattr(part, "__module__", None)
    if not isinstance(home, str) or home.partition(".")[0] not in PACKAGES:
        return False
    if isinstance(part, FunctionType):
        return part.__closure__ is None
    if not is_dataclass(part):
        return False
    held = (getattr(part, field.name) for field in fields(part))
    return all(_is_ours(value) for value in held if callable(value))


def apart(workload: Workload) -> Workload:
    """The same requests in arrays of their own: who changes them changes nobody else's."""
    blocks = workload.prefix_blocks
    columns = {
        name: getattr(workload, name).copy() for name in ("arrival_s", "input_tokens", "output_tokens", "class_id")
    }
    for column in columns.values():
        column.setflags(write=False)
    own = None if blocks is None else PrefixBlocks(blocks.block_tokens, blocks.ids.copy(), blocks.offsets.copy())
    return replace(workload, prefix_blocks=own, **columns)
