"""What is run for WAIT's experiments: rates, caps, sample paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from experiments.reproductions.sweep import Point, Sweep
from experiments.reproductions.wait.device import LINEAR_LMSYS, anchored_fleet
from experiments.reproductions.wait.families import Segmented, authors_scheduler, families
from experiments.reproductions.wait.laws import LONGEST, lmsys_like, p512d20, p512d1000, two_types
from orsched.catalogue import hardware
from orsched.fleet import Fleet

CAPS = (20, 30, 40, 50, 60, 80, 120, 200)
"""From the published grid of the system-wide request cap, 20 to 200 in steps of 10, coarser at the upper end."""

SINGLE_CAP, TWO_TYPE_CAP = 21, 30
"""Caps that the paper names: of its experiment on a real GPU, and of its example of two types."""

REQUESTS, LONG_RUN, FEW = 5_000, 10_000, 1_000
HORIZONS = (2_000, 5_000, 10_000, 20_000)
REPLICATIONS, FEW_REPLICATIONS = 20, 10
TUNING, FEW_TUNING = 8, 2
QUICK_REQUESTS = 400

TWO_TYPE_CUTS = (20, 50)
LMSYS_RATES = (10, 30, 50, 60)
SEGMENTS = {count: tuple((LONGEST + 1) * (k + 1) // count - 1 for k in range(count)) for count in (1, 5)}
"""Cuts of equal-width segments of the LMSYS-like lengths, by their number."""


def sweeps(quick: bool) -> tuple[Sweep, ...]:
    """All of them; `quick` keeps the first four with few and short paths."""
    full = (*_one_type(), *_two_types(), *_others())
    return tuple(_shortened(sweep) for sweep in full[:4]) if quick else full


def _one_type() -> tuple[Sweep, ...]:
    one = _sweep("single", "One type, p512d20", (12, 20, 22, 23, 24))
    one = replace(one, families=families(nested_wait_c1=authors_scheduler))
    capped = replace(one, name="single-cap-21", title="One type, cap 21 for all", points=_at((22, 23), REQUESTS))
    return replace(one, points=one.points + _at((24, 25, 26), LONG_RUN)), replace(capped, caps=(SINGLE_CAP,))


def _two_types() -> tuple[Sweep, ...]:
    two = replace(
        _sweep("two-types", "Two types, 0.7 p512d20 + 0.3 p512d50", (12, 20, 22, 23)),
        law=two_types(),
        families=families(nested_wait=Segmented(TWO_TYPE_CUTS)),
    )
    capped = replace(two, name="two-types-cap-30", title="Two types, cap 30 for all", points=_at((22, 23), REQUESTS))
    horizon = replace(
        two,
        name="horizon",
        title="Two types, number of requests",
        points=tuple(point for requests in HORIZONS for point in _at((22, 23), requests)),
        families=tuple(family for family in two.families if family.name in {"sarathi", "wait", "nested-wait"}),
        replications=FEW_REPLICATIONS,
    )
    return two, replace(capped, caps=(TWO_TYPE_CAP,)), horizon


def _others() -> tuple[Sweep, ...]:
    long = _sweep("long-decode", "Long answers, p512d1000", (0.5, 1, 1.5, 2, 4, 4.5), FEW)
    segments = {f"nested_wait_{count}": Segmented(cuts) for count, cuts in SEGMENTS.items()}
    lmsys = replace(
        _sweep("lmsys", "LMSYS-like mix", LMSYS_RATES),
        law=lmsys_like(),
        families=families(**segments, nested_wait_c1=authors_scheduler),
        replications=FEW_REPLICATIONS,
        tuning_replications=FEW_TUNING,
    )
    linear = Fleet.identical(hardware(LINEAR_LMSYS))
    return (
        replace(long, law=p512d1000()),
        lmsys,
        replace(
            lmsys,
            name="lmsys-linear",
            title="LMSYS-like mix on the linear entry",
            fleet=linear,
            families=families(**segments),
        ),
    )


def _sweep(name: str, title: str, rates: Sequence[float], requests: int = REQUESTS) -> Sweep:
    """One type on the anchored device, without Nested WAIT, which is WAIT there."""
    points, one = _at(rates, requests), p512d20()
    return Sweep(name, title, one, anchored_fleet(), points, families(), CAPS, REPLICATIONS, TUNING)


def _at(rates: Sequence[float], requests: int) -> tuple[Point, ...]:
    return tuple(Point(float(rate), requests) for rate in rates)


def _shortened(sweep: Sweep) -> Sweep:
    points = tuple(dict.fromkeys(replace(point, requests=QUICK_REQUESTS) for point in sweep.points))
    rates = {12.0, 22.0, 23.0}
    kept = tuple(point for point in points if point.rate_per_s in rates)
    return replace(sweep, points=kept, caps=sweep.caps[::3], replications=3, tuning_replications=1)
