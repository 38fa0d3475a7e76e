"""Which catalogue entry a name means that is not spelt as the catalogue spells it."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from orsched.catalogue import catalogue_entry, hardware_names
from orsched.devices import find_chip, find_model
from orsched.devices.model_files import plain_name
from orsched.errors import InputError

DEVICE = re.compile(r"(?P<chip>.+?)(?:-tp(?P<gpus>[1-9][0-9]{0,3}))?", re.IGNORECASE | re.ASCII)
"""The part of a name after the slash: a chip, and how many of them."""

_VARIANT = re.compile(r"-(hinged|linear)(-.*)?$")
"""Ending of an entry that is another fit of the same measurements."""


class Meaning(NamedTuple):
    """What a name means: the model as typed and the one of the catalogue, chip and number of chips."""

    typed: str
    model: str
    chip: str
    gpus: int


def entry_meant(name: str) -> str | None:
    """Return the name of the entry that `name` means, or None where none is.

    First the entry of the same spelling but for upper case, dashes in the model's name and what
    `orsched.devices.model_config` ignores in one. Else, so that another spelling never turns a fit into a data sheet:
    the fitted or measured entry of the same chip, by any of its names, and number of chips, whose model is the one
    typed; else the one the catalogue calls it; else another of the same shape.

    Raises
    ------
    InputError
        When several fitted entries fit equally well; names them.
    """
    model, slash, device = name.rpartition("/")
    if not slash:
        return None
    spelt = _by_spelling().get((plain_name(model), device.strip().lower()))
    if spelt is not None:
        return spelt
    wanted = _meaning(model, device)
    same = [entry for entry in hardware_names() if _meant_by(entry)[1:] == wanted[1:]]
    fits = [entry for entry in same if catalogue_entry(entry).kind in ("fitted", "measured")]
    for names in ((wanted.typed,), (wanted.model,), {_meant_by(entry).typed for entry in fits}):
        found = [entry for entry in fits if _meant_by(entry).typed in names]
        found = [entry for entry in found if not _VARIANT.search(entry)] or found
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"hardware {name!r} may be any of {', '.join(found)}: name one of them")
    return None


@cache
def _by_spelling() -> dict[tuple[str, str], str]:
    split = ((entry, *entry.rpartition("/")[::2]) for entry in hardware_names())
    return {(plain_name(model), device.lower()): entry for entry, model, device in split if model}


@cache
def _meant_by(entry: str) -> Meaning:
    model, _, device = _VARIANT.sub("", entry).rpartition("/")
    return _meaning(model, device)


def _meaning(model: str, device: str) -> Meaning:
    typed, found = plain_name(model), DEVICE.fullmatch(device.strip())
    shape = find_model(model)
    chip = "" if found is None else found["chip"].lower()
    known = find_chip(chip)
    return Meaning(
        typed,
        typed if shape is None else plain_name(shape.name),
        chip if known is None else known.name,
        1 if found is None else int(found["gpus"] or 1),
    )
