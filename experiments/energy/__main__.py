"""``python -m experiments.energy``: run the energy fits; ``--write`` also writes their tables and hardware files."""

from __future__ import annotations

import sys
from pathlib import Path

import orsched
from experiments.energy.report import report
from experiments.energy.tables import merge, tables_toml
from orsched.atomic import write_text


def main(arguments: list[str]) -> int:
    """Print the report, or refuse what it does not know."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python -m experiments.energy [--write]\n")
        return 2
    sys.stdout.write(report() + "\n")
    if arguments:
        data = Path(orsched.__file__).parent / "data"
        write_text(data / "energy" / "tables.toml", tables_toml())
        merge(data / "hardware")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
