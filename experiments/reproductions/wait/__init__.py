"""WAIT and Nested WAIT (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320)."""

from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.wait.numbers import published
from experiments.reproductions.wait.sweeps import sweeps
from experiments.reproductions.wait.text import remarks, setup

WAIT = Reproduction(
    name="wait",
    title="WAIT and Nested WAIT: the published experiments, run again",
    source="Ao, Luo, Simchi-Levi, Wang, arXiv 2504.11320 (third and fourth version) and its public repository",
    sweeps=sweeps,
    published=published,
    setup=setup,
    remarks=remarks,
)

__all__ = ["WAIT"]
