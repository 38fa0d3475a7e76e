"""Policies of other distributions, announced by the entry point group ``orsched.policies``.

A distribution that declares ``name = "module:object"`` in that group adds a policy `name`. The object is a
`policies.recipe.Recipe`, an `orsched.Policy`, or a function without arguments that returns one of these. It is imported
when the policy is asked for, never before, so that one that does not load harms no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from orsched.errors import InputError
from orsched.installation import Finding
from orsched.policy import Policy
from policies.recipe import Recipe

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "orsched.policies"
"""The entry point group."""


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
        return f"{distribution.name} {distribution.version}"

    def load(self) -> Recipe:
        """Import it.

        Raises
        ------
        InputError
            When it cannot be imported, is none of the kinds there are, or gives its policy another name.
        """
        try:
            found = self.entry.load()
            if not isinstance(found, Recipe | Policy) and callable(found):
                found = found()
        except (Exception, SystemExit) as error:  # whatever a module does when it is imported
            raise self._refused(f"does not load: {type(error).__name__}: {error}") from error
        if isinstance(found, Policy):
            policy = found
            found = Recipe(policy.name, f"of {self.origin}", policy.information, lambda workload, fleet: policy)
        if not isinstance(found, Recipe):
            kind = type(found).__name__
            raise self._refused(f"is of type {kind}: must be a Recipe, a Policy, or a function returning one")
        if found.name != self.name:
            raise self._refused(f"calls itself {found.name!r}: the names must be the same")
        return found

    def _refused(self, why: str) -> InputError:
        where = " ".join(self.entry.value.split())
        return InputError(f"policy {self.name!r} of {self.origin} ({where}) {' '.join(why.split())}")


@cache
def announced() -> Mapping[str, tuple[Plugin, ...]]:
    """Every plugin by name, as installed when first asked; several under one name contradict each other."""
    from importlib.metadata import entry_points  # here: it is slow to import

    found: dict[str, list[Plugin]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(Plugin(entry.name, entry))
    return MappingProxyType({name: tuple(sorted(found[name], key=lambda p: p.origin)) for name in sorted(found)})


def plugin(name: str) -> Plugin | None:
    """The plugin of a name; None where there is none.

    Raises
    ------
    InputError
        When several distributions claim the name.
    """
    claims = announced().get(name, ())
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
        title, owners = f"policy {name}", ", ".join(claim.origin for claim in claims)
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
