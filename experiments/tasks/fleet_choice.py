"""Which instances serve a task, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from experiments.tasks.file_content import require_content
from orsched.catalogue import hardware
from orsched.fleet import Fleet


@dataclass(frozen=True, slots=True)
class FleetChoice:
    """Identical instances.

    Parameters
    ----------
    hardware : str
        Catalogue name, or the absolute path of a hardware file.
    content : str, optional
        Hash of the file; None for a catalogue name.
    instances : int
        How many.
    kv_memory : float
        Multiple of the KV tokens that an instance holds.
    """

    hardware: str
    content: str | None = None
    instances: int = 1
    kv_memory: float = 1.0

    @property
    def facts(self) -> dict[str, object]:
        """What decides how fast it is and what it holds."""
        return {
            "hardware": self.hardware if self.content is None else self.content,
            "hardware_file": self.content is not None,
            "instances": self.instances,
            "kv_memory": self.kv_memory,
        }

    def fleet(self) -> Fleet:
        """What the engine takes; kept per process.

        Raises
        ------
        InputError
            When the hardware is unknown, its file has changed, or the memory is less than one block.
        """
        return _fleet(self)


@lru_cache(maxsize=32)
def _fleet(choice: FleetChoice) -> Fleet:
    if choice.content is not None:
        require_content(Path(choice.hardware), choice.content)
    found = hardware(choice.hardware)
    if choice.kv_memory != 1:
        tokens = max(1, round(choice.kv_memory * found.kv_capacity_tokens))
        found = replace(found, name=f"{found.name} ({choice.kv_memory:g} x KV memory)", kv_capacity_tokens=tokens)
    return Fleet.identical(found, choice.instances)
