"""The published synthetic instances in unit rounds, solved in hindsight and compared with MC-SF."""

from experiments.hindsight.laws import LAWS, Law, get_law
from experiments.hindsight.study import Row, Study, study

__all__ = ["LAWS", "Law", "Row", "Study", "get_law", "study"]
