"""Policies of other distributions, announced by the entry point group ``orsched.policies``.

A distribution that declares ``name = "module:object"`` in that group adds a policy `name`. The object is a
`policies.recipe.Recipe`, an `orsched.Policy`, or a function without arguments that returns one of these. It is imported
when the policy is asked for, never before, so that one that does not load harms no other. A name that no list of names
can hold is never used.

Whoever builds the policy is told in one line whose it is when it fails or is not what was announced (`PluginError`), so
that a mistake in it is neither shown as a result nor under another policy's name. An `InputError` that it raises says
that the policy cannot run there: that is a result. What it prints goes to standard error, and it is given copies of
the workload's columns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from orsched.errors import InputError, PluginError, UnknownNameError
from orsched.fleet import Fleet
from orsched.installation import Finding
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.guarded import apart, guarded
from policies.one_line import error_line, one_line
from policies.recipe import MOST_DESCRIBED, Recipe

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "orsched.policies"
"""The entry point group."""

EVERY = "all"
"""What stands for every policy where names are given."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An announced policy.

    Parameters
    ----------
    name : str
        The policy's name.
    entry : importlib.metadata.EntryPoint
        Where it is.
    """

    name: str
    entry: EntryPoint

    @property
    def origin(self) -> str:
        """Name and version of the distribution, as ``"acme-policies 1.2"``."""
        distribution = self.entry.dist
        if distribution is None:
            return "an unknown distribution"
        return one_line(f"{distribution.name} {distribution.version}")

    @property
    def title(self) -> str:
        """The policy, whose it is and where that is, for messages."""
        return one_line(f"policy {self.name!r} of {self.origin} ({self.entry.value or 'nothing'})")

    def require_usable_name(self) -> None:
        """Refuse a name that cannot be told from others in a list of names; raises PluginError."""
        if not is_usable(self.name):
            raise self.refused(
                f"can never be used: a name must not be {EVERY!r}, nor hold a comma, white space or what no list shows"
            )

    def load(self) -> Recipe:
        """Import it; what its recipe builds is checked.

        Raises
        ------
        PluginError
            When it cannot be imported, is none of the kinds there are, or gives its policy another name.
        """
        if self.entry.pattern.match(self.entry.value) is None:
            raise self.refused('does not say where it is: must be "module:object"')
        try:
            with redirect_stdout(sys.stderr):
                found = self.entry.load()
                if not isinstance(found, Recipe | Policy) and callable(found):
                    found = found()
        except (Exception, SystemExit) as error:  # whatever a module does when it is imported
            raise self.refused(f"does not load: {error_line(error)}") from error
        if isinstance(found, Policy):
            policy = found
            found = Recipe(
                policy.name, f"of {self.origin}"[:MOST_DESCRIBED], policy.information, lambda workload, fleet: policy
            )
        if not isinstance(found, Recipe):
            kind = type(found).__name__
            raise self.refused(f"is of type {kind}: must be a Recipe, a Policy, or a function returning one")
        if found.name != self.name:
            raise self.refused(f"calls itself {found.name!r}: the names must be the same")
        return replace(found, build=CheckedBuild(self, found))

    def refused(self, why: str) -> PluginError:
        """The error that says whose policy it is, where that is, and `why` it cannot be used, in one line."""
        return PluginError(f"{self.title} {one_line(why)}")


@dataclass(frozen=True, slots=True)
class CheckedBuild:
    """The `Recipe.build` of a plugin: builds the policy that is announced, or says whose mistake it is.

    Parameters
    ----------
    plugin : Plugin
        Where it comes from.
    announced : Recipe
        As the plugin gives it.
    """

    plugin: Plugin
    announced: Recipe

    def __call__(self, workload: Workload, fleet: Fleet) -> Policy:
        """Build the policy; its parts say whose they are when they fail (`policies.guarded`).

        Raises
        ------
        InputError
            When the plugin raises one: its policy cannot run there. Its message is put into one line.
        PluginError
            When it raises anything else, an unknown name included, or builds something else than it announces.
        """
        try:
            with redirect_stdout(sys.stderr):
                built: object = self.announced.build(apart(workload), fleet)
        except InputError as error:
            if isinstance(error, PluginError | UnknownNameError):
                raise self._failed(error) from error
            raise InputError(one_line(str(error))) from error
        except (Exception, SystemExit) as error:  # whatever a plugin does
            raise self._failed(error) from error
        if not isinstance(built, Policy):
            raise self.plugin.refused(f"builds an object of type {type(built).__name__}: must be a Policy")
        if built.name != self.announced.name:
            raise self.plugin.refused(f"builds a policy of another name, {built.name!r}")
        if built.information != self.announced.information:
            raise self.plugin.refused(
                f"is announced with information {self.announced.information.label!r}, but the policy that it builds "
                f"has {built.information.label!r}"
            )
        return guarded(built, self.plugin.title, self.plugin.entry.module)

    def _failed(self, error: BaseException) -> PluginError:
        return self.plugin.refused(f"cannot be built: {error_line(error)}")


@cache
def announced() -> Mapping[str, tuple[Plugin, ...]]:
    """Every plugin by name, as installed when first asked; several under one name contradict each other."""
    from importlib.metadata import entry_points  # here: it is slow to import

    found: dict[str, list[Plugin]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(Plugin(entry.name, entry))
    return MappingProxyType({name: tuple(sorted(found[name], key=lambda p: p.origin)) for name in sorted(found)})


def is_usable(name: str) -> bool:
    """Whether a policy may have the name: lists of names, which commas and white space part, can hold it."""
    return name != EVERY and name.isprintable() and "," not in name and name.split() == [name]


def usable_names() -> Iterable[str]:
    """Names of the plugins that can be asked for, sorted."""
    return filter(is_usable, announced())


def plugin(name: str) -> Plugin | None:
    """The plugin of a name; None where there is none.

    Raises
    ------
    PluginError
        When the name can never be used.
    InputError
        When several distributions claim the name.
    """
    claims = announced().get(name, ())
    for claim in claims:
        claim.require_usable_name()
    if len(claims) > 1:
        owners = ", ".join(claim.origin for claim in claims)
        raise InputError(f"policy {name!r} is announced by several distributions: {owners}; uninstall all but one")
    return claims[0] if claims else None


@cache
def recipe_of(found: Plugin) -> Recipe:
    """Load a plugin once; one that fails is tried again when it is asked for again."""
    return found.load()


def findings(built_in: Mapping[str, Recipe]) -> Iterator[Finding]:
    """Say of every plugin whether it can be used, each imported to find out.

    Parameters
    ----------
    built_in : mapping of str to Recipe
        The names that are taken: a plugin of such a name is never used.
    """
    for name, claims in announced().items():
        title, owners = f"policy {one_line(name)}", ", ".join(claim.origin for claim in claims)
        if name in built_in:
            yield Finding(
                title, f"{owners}: the name of a built-in policy, which is used instead", "rename or uninstall"
            )
            continue
        try:
            found = plugin(name)
            assert found is not None
            recipe_of(found)
        except InputError as error:
            yield Finding(title, str(error), f"mend or uninstall {owners}")
        else:
            yield Finding(title, owners)
