"""Names and numbers, given as comma-separated texts or as they are."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.policy import Policy

Other = TypeVar("Other")

Numbers = str | float | Iterable[str | float]
"""One number or several, or texts of numbers separated by commas."""


def names_of(values: str | Iterable[str]) -> tuple[str, ...]:
    """Names; each text is a list separated by commas."""
    texts = [values] if isinstance(values, str) else values
    return tuple(name for text in texts for name in (part.strip() for part in text.split(",")) if name)


def names_and_others(values: str | Other | Iterable[str | Other]) -> tuple[str | Other, ...]:
    """Names as `names_of` splits them, with whatever is no text as it is."""
    given = values if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    found: list[str | Other] = []
    for value in given:
        found += names_of(value) if isinstance(value, str) else [value]
    return tuple(found)


def name_of(policy: str | Policy) -> str:
    """The name of a policy that is given by it, or as it is."""
    return policy if isinstance(policy, str) else policy.name


def numbers_of(option: str, values: Numbers) -> tuple[float, ...]:
    """Numbers; raises InputError, which names `option`, for a text that is none."""
    given = values if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    found: list[float] = []
    for value in given:
        found += _read(option, value) if isinstance(value, str) else [_number(option, value)]
    return tuple(found)


def counts_of(option: str, values: Numbers) -> tuple[int, ...]:
    """Whole numbers; raises InputError, which names `option`, for any other."""
    numbers = numbers_of(option, values)
    for number in numbers:
        if not float(number).is_integer():
            raise InputError(f"{option} {number:g}: must be a whole number")
    return tuple(int(number) for number in numbers)


def _number(option: str, value: float) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise InputError(f"{option} {value!r}: not a number")


def _read(option: str, text: str) -> list[float]:
    numbers = []
    for part in names_of(text):
        try:
            numbers.append(float(part))
        except ValueError:
            raise InputError(f"{option} {part!r}: not a number") from None
    return numbers


def require_counts(least: int = 1, most: int | None = None, **options: object) -> None:
    """Refuse options, unless None, that are no whole numbers from `least` to `most`; raises InputError."""
    from orsched.checks import MAX_TOKENS, require_whole  # here: it is slow to import

    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            require_whole(option, value, least=least, most=MAX_TOKENS if most is None else most)
