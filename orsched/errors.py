"""What can go wrong, and the message that says what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OrschedError(Exception):
    """Anything orsched refuses to do. The command line prints it without a traceback and exits with 2."""


class InputError(OrschedError, ValueError):
    """A value from outside (argument, file, trace, specification) that cannot be used."""


class UnknownNameError(InputError):
    """A name that is in no catalogue; the message suggests the nearest ones."""


class PluginError(InputError):
    """What another distribution has added does not load, fails, or is not what it announces."""


class PlanError(OrschedError):
    """A policy asked for something that cannot be executed; names the time, the instance and the request."""


class InformationError(OrschedError):
    """A policy read something its declared information does not allow."""


class MismatchError(OrschedError):
    """Two numbers that must not be compared: another metric, service model or workload."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Build the error for an unknown `name`, suggesting the nearest `known` names.

    Parameters
    ----------
    kind : str
        What the name should have been, for example ``"policy"``.
    name : object
        What was given: another name, or no string at all.
    known : iterable of str
        The names that exist.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if isinstance(name, str) else []
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names)}"
    return UnknownNameError(f"unknown {kind} {name!r}: {hint}")
