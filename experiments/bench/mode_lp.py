"""The mode LP as a benchmark case: as many modes as asked for, in one programme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from experiments.bench.bounds import reference_path
from fluid.demand import Rates
from fluid.modes import MEAN_NUMBER, ModeTable, batch_modes, mode_lp, serving_participants
from orsched.errors import InputError

REQUESTS = 10_000
NODES = 12


def mean_number(modes: int) -> Callable[[], object]:
    """Set up the least mean number in the system over `modes` batch compositions, all columns at once.

    They are those with the most seats: full batches are what a demand near load 1 needs.

    Raises
    ------
    InputError
        When there are not so many.
    """
    workload, fleet = reference_path(REQUESTS)
    rates = Rates.of(workload)
    kinds, demand = serving_participants(rates, decode_nodes=NODES)
    tables: list[ModeTable] = []
    for seats in range(fleet.hardware.max_num_seqs, 0, -1):
        tables.append(batch_modes(fleet.hardware, kinds, (seats, seats), least_prompt=rates.least_prompt))
        if sum(map(len, tables)) >= modes:
            break
    joined = ModeTable.joined(tables)
    if len(joined) < modes:
        raise InputError(f"{modes} modes: the reference instance has {len(joined)}; ask for at most that many")
    table = _first(joined, modes)
    return partial(mode_lp, table, demand, MEAN_NUMBER, instances={fleet.hardware.name: 1.0})


def _first(table: ModeTable, count: int) -> ModeTable:
    return replace(
        table,
        labels=table.labels[:count],
        chip=table.chip[:count],
        iteration_s=table.iteration_s[:count],
        products={name: rates[:count] for name, rates in table.products.items()},
        quantities={name: values[:count] for name, values in table.quantities.items()},
    )
