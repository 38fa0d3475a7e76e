"""The command line ``orsched``."""

from experiments.cli.entry import main

__all__ = ["main"]
