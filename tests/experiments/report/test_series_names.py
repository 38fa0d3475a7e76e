"""Names of the series of a report, whatever the policies are called."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.report.settings import joined
from orsched.gap_table import GapRow, GapTable
from orsched.policy import Information

LABELS = ["x", "x, oracle", "x, noise", "x, oracle (2)", "x, oracle, oracle"]
USED = [information.label for information in Information]


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(USED)), unique_by=lambda one: one[0], min_size=1))
def test_no_two_series_have_one_name(policies):
    """Claim: policies with labels like joined names keep them apart: one row each by name, in the order of policies."""
    tables = [
        GapTable("w", "f", 10, 2, 0, [GapRow.not_run(label, used, 0.5, "") for label, used in policies], (), predictor)
        for predictor in ("oracle", "noise")
    ]
    table, names = joined(tables)
    alone = [label for label, used in policies if used == Information.NONE.label]
    assert len({row.policy for row in table.rows}) == len(table.rows) == 2 * len(policies) - len(alone)
    assert all(names[label, "oracle"] == names[label, "noise"] == label for label in alone)
    assert [row.policy for row in table.rows] == list(
        dict.fromkeys(names[p, q] for p, _ in policies for q in ("oracle", "noise"))
    )
