"""Chips as data files, and looking one up by name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from orsched.devices.all_reduce_times import AllReduce
from orsched.devices.chip_facts import Chip, Fact, Price
from orsched.devices.reading import checked_table
from orsched.errors import InputError, unknown_name

_FOLDER = resources.files("orsched") / "data" / "chips"
_COUNTS = ("sms", "link_chips")


def chip(name: str) -> Chip:
    """Look up a chip by its catalogue name (`chip_names`) or one of its aliases, in upper or lower case.

    Raises
    ------
    UnknownNameError
        When no chip has that name; the message suggests the nearest.
    """
    found = find_chip(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("chip", name, chip_names())
    return found


def find_chip(name: str) -> Chip | None:
    """Return the chip of that name as `chip` does, or None."""
    return _by_name().get(name.strip().lower())


@cache
def chip_names() -> tuple[str, ...]:
    """Catalogue names of all chips, sorted."""
    return tuple(sorted(item.name.removesuffix(".toml") for item in _FOLDER.iterdir() if item.name.endswith(".toml")))


def chip_from_toml(text: str, where: str) -> tuple[Chip, tuple[str, ...]]:
    """Build a chip and the list of its other names from the text of a TOML file; `where` names it in errors.

    Raises
    ------
    InputError
        Naming the field, the value and what is allowed.
    """
    from orsched.devices.chip_schema import ChipFile, Quantity

    table = checked_table(ChipFile, text, where)
    fields: dict[str, Any] = {}
    facts: dict[str, Fact] = {}
    for name, value in table:
        if isinstance(value, Quantity):
            fields[name] = _whole(where, name, value.value) if name in _COUNTS else value.value
            facts[name] = Fact(value.source, value.confidence)
        elif value is not None and name not in ("aliases", "price", "all_reduce"):
            fields[name] = value
    prices = tuple(Price(p.value, p.unit, p.date, p.source) for p in table.price)
    for measured in table.all_reduce:
        facts[f"all_reduces of {measured.gpus}"] = Fact(measured.source, measured.confidence)
    try:
        reduces = tuple(AllReduce(m.gpus, tuple(m.sizes_bytes), tuple(m.times_s)) for m in table.all_reduce)
        return Chip(**fields, prices=prices, facts=facts, all_reduces=reduces), tuple(table.aliases)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _whole(where: str, name: str, value: float) -> int:
    if not value.is_integer():
        raise InputError(f"{where}: {name}.value = {value!r}: must be a whole number")
    return int(value)


@cache
def _by_name() -> dict[str, Chip]:
    found: dict[str, Chip] = {}
    for name in chip_names():
        file = _FOLDER / f"{name}.toml"
        made, aliases = chip_from_toml(file.read_text(encoding="utf-8"), f"chip {name}")
        for alias in (made.name, *aliases):
            if found.setdefault(alias.lower(), made) is not made:
                raise InputError(f"chip {name}: the name {alias!r} belongs to {found[alias.lower()].name} already")
    return found
