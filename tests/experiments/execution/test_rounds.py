"""A precision is judged by the very cells that the gap table prints."""

from dataclasses import dataclass, replace

import pytest
from drawing import NAMES, Draw, Drawing, Wanted

from experiments.execution.backend import InProcess
from experiments.execution.opening import open_for
from experiments.execution.rounds import observed
from experiments.execution.run import execute, placed
from experiments.findings import open_results


@dataclass(frozen=True)
class Changed(Draw):
    """A drawing whose policy ``a`` has what is given in place of its own."""

    changes: tuple = ()

    def compute(self):
        row = super().compute()
        return row | dict(self.changes) if self.policy == "a" else row


@dataclass(frozen=True)
class Changing(Drawing):
    """The changes of `changes` in the first `share` of every 10 replications."""

    changes: tuple = ()
    share: int = 10

    def tasks(self, replications=None):
        return [
            Changed(**{name: getattr(task, name) for name in Draw.__dataclass_fields__}, changes=self.changes)
            if task.replication % 10 < self.share
            else task
            for task in super().tasks(replications)
        ]


UNSTABLE = (("stable", False), ("growth_per_s", 1.0))
UNAVAILABLE = (
    *(("status", "unavailable"), ("reason", "cannot"), ("stable", None), ("growth_per_s", None)),
    *(("metrics", {}), ("shown", {}), ("comparable", []), ("clock_s", None), ("quantiles", {})),
)
UNMEASURED = (("shown", {"rejected_share": 0.0}),)


def run(spec, out):
    return execute(spec, open_for(spec, out), backend=InProcess())


@pytest.mark.parametrize("share", [0, 3, 5, 6, 10])
def test_what_is_judged_is_what_is_printed(tmp_path, share):
    """Claim: the values are those of the table, unstable replications included; left out are its unstable rows."""
    spec = Changing(10, changes=UNSTABLE, share=share)
    run(spec, tmp_path)
    findings = open_results(tmp_path)
    (table,) = findings.gap_tables().values()
    cells = observed(findings.folder, [(task.id, placed(task)) for task in spec.tasks()], NAMES[0])
    assert sorted(cells.values) == sorted(row.values[NAMES[0]] for row in table.rows if row.stable)
    assert cells.left_out == sum(not row.stable for row in table.rows) == (2 if share > 5 else 0)
    assert cells.lacking == ()


@pytest.mark.parametrize("changes", [UNSTABLE, UNAVAILABLE])
def test_nothing_measured_is_not_precise(tmp_path, changes):
    """Claim: all unstable or all unavailable is never called precise; beside another policy they are left out."""
    wanted = Wanted(0.9, least=4, most=8)
    alone = run(Changing(policies=("a",), precision=wanted, changes=changes), tmp_path / "alone").precise
    assert (alone.reached, alone.widest, alone.left_out) == (False, None, 2)
    both = run(Changing(precision=wanted, changes=changes), tmp_path / "both").precise
    assert (both.reached, both.left_out, both.lacking) == (True, 2, ())


@pytest.mark.parametrize("how", ["all failed", "one value", "not measured"])
def test_a_cell_that_lacks_values_is_named_and_not_precise(tmp_path, how):
    """Claim: other cells being precise does not make up for a cell without an interval."""
    missing = {"all failed": range(64), "one value": range(1, 64), "not measured": ()}[how]
    spec = Changing(
        precision=Wanted(0.9, least=4, most=8),
        changes=UNMEASURED if how == "not measured" else (),
        share=1,
        needs=str(tmp_path / "key"),
        failing=tuple(("a", number) for number in missing),
    )
    precise = run(spec, tmp_path / "out").precise
    assert not precise.reached
    assert precise.lacking == ("a, numbers, none at load 0.5", "a, numbers, none at load 0.9")
    everything = replace(spec, policies=("a",))
    if how == "all failed":
        nothing = run(everything, tmp_path / "nothing").precise
        assert (nothing.reached, nothing.widest, len(nothing.lacking)) == (False, None, 2)
