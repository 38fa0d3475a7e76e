"""Every call holds its arguments to the types of its signature before it does anything."""

import datetime
import inspect
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import NoneType
from typing import get_args, get_origin

import numpy as np
import pandas as pd
import pytest

import orsched
from experiments import frames
from experiments.orders.arguments import argument, kinds_of
from orsched.errors import InputError

CALLS = {name: getattr(frames, name) for name in frames.__all__ if inspect.isfunction(getattr(frames, name))}
ARGUMENTS = [(name, keyword) for name, call in sorted(CALLS.items()) for keyword in inspect.signature(call).parameters]


def leaves(kind):
    """The plain types that a type of a signature allows, by themselves and in sequences."""
    if get_origin(kind) in (Iterable, tuple) or not get_args(kind):
        return {kind}
    return {leaf for one in get_args(kind) for leaf in leaves(one)}


def wrong_values(kind):
    """Values that are of none of the types allowed."""
    allowed = leaves(kind)
    never = [object(), b"0.5", {}, {"a": 1}, [object()], orsched.Policy, float("nan"), 1j, datetime.date(2026, 1, 1)]
    if not {str, Path} & allowed:
        never += ["x", "12"]
    if str not in allowed and not any(get_origin(one) is Iterable for one in allowed):
        never += [["x"], []]
    if not {int, float} & allowed:
        never += [3, 0.5, np.int64(3), np.array(0.5)]
    if int in allowed and float not in allowed:
        never += [2.0, np.float64(2.0)]
    if bool not in allowed:
        never += [True, np.bool_(False)]
    return [*never, *([] if NoneType in allowed else [None])]


@pytest.mark.parametrize(("name", "keyword"), ARGUMENTS)
def test_wrong_types_are_refused_in_one_line(name, keyword):
    """Claim: whatever is not of the announced type is refused before any work; the line names argument and value."""
    call = CALLS[name]
    needed = {
        each.name: "x"
        for each in inspect.signature(call).parameters.values()
        if each.default is inspect.Parameter.empty and each.name != keyword
    }
    for wrong in wrong_values(kinds_of(inspect.unwrap(call))[keyword]):
        with pytest.raises(InputError, match=rf"^{keyword} = .+: must be ") as caught:
            call(**needed, **{keyword: wrong})
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_every_call_is_held_to_its_signature():
    """Claim: the test above covers every call with arguments, and none announces a type that is not checked."""
    assert {name for name, _ in ARGUMENTS} == set(CALLS) - {"doctor", "fleet_list", "validate_batch_times"}
    for name, keyword in ARGUMENTS:
        default = inspect.signature(CALLS[name]).parameters[keyword].default
        if default is not inspect.Parameter.empty:
            assert argument(keyword, default, kinds_of(inspect.unwrap(CALLS[name]))[keyword]) == default


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        (np.int32(3), int, 3),
        (np.array(3), int, 3),
        (np.float32(0.5), float, 0.5),
        (np.int64(2), float, 2.0),
        (Fraction(1, 2), float, 0.5),
        (np.bool_(True), bool, True),
        (np.str_("a"), str, "a"),
        (Path("a"), str | Path, Path("a")),
        (np.array([0.5, 0.7]), float | Iterable[float], (0.5, 0.7)),
        (pd.Series([1, 2]), Iterable[int], (1, 2)),
        (np.array([[0, 2], [60, 8]]), Iterable[tuple[float, float]], ((0.0, 2.0), (60.0, 8.0))),
        ((step for step in ["a", "b"]), str | Iterable[str], ("a", "b")),
    ],
)
def test_values_become_plain(value, kind, plain):
    """Claim: what numpy and pandas have for a number or a sequence becomes Python's own."""
    found = argument("x", value, kind)
    assert found == plain
    assert type(found) is type(plain)
    if isinstance(plain, tuple):
        assert [type(one) for one in found] == [type(one) for one in plain]


def test_a_policy_is_named_not_shown():
    """Claim: messages about a finished policy give its name alone."""
    import policies
    from orsched.workloads.catalogue import workload_source

    fleet = orsched.Fleet.identical(orsched.hardware("reference"))
    own = policies.build("sarathi", workload_source("reference").whole().at_load(0.5, fleet), fleet)
    with pytest.raises(InputError, match=r"^--thresholds is for policy 'wait', not for 'sarathi'$"):
        frames.evaluate(own, workload="reference", hardware=fleet, thresholds=[4])
    with pytest.raises(InputError, match=r"^--thresholds goes with --policy wait, not with 'sarathi'$"):
        frames.heavy_traffic(policy=own, thresholds=[4])


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        ("calibrate", {"profile": []}, r"^profile = \(\): must be at least one file$"),
        ("hindsight", {"seed": -1}, r"^seed = -1: must be a whole number"),
        ("hindsight", {"instances": 0}, r"^instances = 0: must be a whole number"),
        ("hindsight", {"time_limit": 0}, r"^time_limit = 0.0: must be a finite number of seconds > 0$"),
        ("check", {"seed": -1}, r"^--seed = -1: must be a whole number"),
        ("reproduce", {"paper": "wait", "seed": -1}, r"^--seed = -1: must be a whole number"),
        ("bound", {"predictor": "nope"}, r"^--predictor nope goes with --policy"),
        ("bound", {"predictor": "noise:0.5"}, r"^--predictor noise:0.5 goes with --policy"),
        ("bound", {"policy": "nope"}, r"^unknown policy 'nope'"),
        ("bound", {"policy": "nope,all"}, r"^unknown policy 'nope'"),
        ("bound", {"policy": ["all", "sarathy"]}, r"^unknown policy 'sarathy': did you mean"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(call, arguments, message):
    """Claim: before anything is drawn or simulated."""
    with pytest.raises(InputError, match=message):
        getattr(frames, call)(**arguments)


def test_what_a_predictor_is_not_is_refused_beside_a_policy():
    """Claim: an unknown predictor is an error, also for a policy that would not use it."""
    with pytest.raises(InputError, match="predictor 'nope'"):
        frames.bound(workload="reference", hardware="reference", requests=20, policy="sarathi", predictor="nope")
