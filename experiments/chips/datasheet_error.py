"""How far rooflines are from models fitted to measurements of the same chip and model."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.catalogue import Hardware, hardware, hardware_names
from orsched.composition import compose, parts_of
from orsched.errors import InputError
from orsched.service import Batch

POINTS = (
    *((f"decode {seqs}", Batch(num_seqs=seqs, kv_tokens=512 * seqs, longest_kv_tokens=512)) for seqs in (1, 32, 128)),
    *((f"prefill {tokens}", Batch(tokens, tokens**2 / 2)) for tokens in (512, 2048)),
)
"""Batches compared: decodes with 512 tokens of context each, and single prompts."""


@dataclass(frozen=True, slots=True)
class DatasheetError:
    """Roofline time over fitted time, by batch of `POINTS`; below one the roofline is too fast.

    Parameters
    ----------
    fitted : str
        The entry fitted to measurements.
    roofline : str
        The composed name.
    ratios : mapping of str to float
        By the names of `POINTS`.
    """

    fitted: str
    roofline: str
    ratios: dict[str, float]


def datasheet_error(fitted: Hardware) -> DatasheetError | None:
    """Compare the roofline of an entry's model and chip with the entry; None where there is none."""
    parts = parts_of(fitted.name)
    if parts is None:
        return None
    try:
        made = compose(*parts)
    except InputError:
        return None
    ratios = {name: made.service.iteration_s(batch) / fitted.service.iteration_s(batch) for name, batch in POINTS}
    return DatasheetError(fitted.name, made.name, ratios)


def datasheet_errors() -> tuple[DatasheetError, ...]:
    """All fitted entries of the catalogue for which there is a roofline, by name."""
    entries = (hardware(name) for name in hardware_names())
    found = (datasheet_error(entry) for entry in entries if entry.kind == "fitted")
    return tuple(error for error in found if error is not None)
