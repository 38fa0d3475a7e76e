"""What a reader of a table must be able to tell apart."""

import pytest

from experiments import gap_table
from experiments.distinct import require_distinct
from orsched import Fleet, hardware
from orsched.errors import InputError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.5, 0.7, 0.5), "field.2 = 0.5: given twice; leave one out"),
        ((0.9, 0.9000000001), "field.1 = 0.9000000001: tables print it like 0.9; leave one out"),
        (("a b", "c", "a  b "), "field.2 = 'a  b ': tables print it like 'a b'; leave one out"),
        ((10**7, 10**7), "field.1 = 10000000: given twice; leave one out"),
    ],
)
def test_what_prints_alike_is_refused(values, message):
    """Claim: equal values, loads that agree in 6 digits, and names but for white space are named."""
    with pytest.raises(InputError) as caught:
        require_distinct("field", values)
    assert str(caught.value) == message


def test_what_tables_tell_apart_is_taken():
    """Claim: numbers of 6 different digits, seeds beyond that, and names of other case pass."""
    require_distinct("loads", (0.9, 0.900001))
    require_distinct("seeds", (10**7, 10**7 + 1))
    require_distinct("names", ("a", "A", "b"))


@pytest.mark.parametrize(
    ("loads", "message"),
    [
        ((1, 1.0), r"loads\.1 = 1\.0: given twice"),
        ((0.9, 0.9000000001), r"loads\.1 = 0\.9000000001: tables print it like 0\.9"),
        ((0.5, None), r"load None: must be a positive, finite number"),
    ],
)
def test_gap_tables_in_memory_refuse_loads_that_print_alike(loads, message):
    """Claim: a table from Python is held to the rule of specifications."""
    with pytest.raises(InputError, match=message):
        gap_table("reference", Fleet.single(hardware("reference")), "vllm-v1", loads=loads)
