"""Sorted-F (arXiv 2508.06133): batches that cost those behind them least, and ways to look for them."""

from policies.sorted_f.batches import Select, batches, f_value, next_batch
from policies.sorted_f.exact import exact
from policies.sorted_f.linear import lp_rounding, lp_swap
from policies.sorted_f.local_swap import improved, local_swap
from policies.sorted_f.quantile_greedy import quantile_greedy
from policies.sorted_f.sorted_f import RECIPES, FOrder, sorted_f, sorted_f_starts

__all__ = [
    "RECIPES",
    "FOrder",
    "Select",
    "batches",
    "exact",
    "f_value",
    "improved",
    "local_swap",
    "lp_rounding",
    "lp_swap",
    "next_batch",
    "quantile_greedy",
    "sorted_f",
    "sorted_f_starts",
]
