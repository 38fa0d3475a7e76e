"""``python -m experiments.energy``: run the energy fits; ``--write`` also writes their tables into the package."""

from __future__ import annotations

import sys
from pathlib import Path

import orsched
from experiments.energy.report import report
from experiments.energy.tables import tables_toml
from orsched.atomic import replacing


def main(arguments: list[str]) -> int:
    """Print the report, or refuse what it does not know."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python -m experiments.energy [--write]\n")
        return 2
    sys.stdout.write(report() + "\n")
    if arguments:
        with replacing(Path(orsched.__file__).parent / "data" / "energy" / "tables.toml") as part:
            part.write_text(tables_toml(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
