"""SQL over results reaches the three views and nothing else."""

import pandas as pd
import pytest

from experiments.results.sql import query
from orsched.errors import InputError

FRAME = pd.DataFrame({"policy": ["a", "bb"], "value": [1.0, 2.0]})


def views(**more):
    return {"results": lambda: FRAME, **more}


def test_a_select_is_answered():
    """Claim: joins, aggregates and window functions over the views work."""
    found = query("SELECT policy, sum(value) OVER () AS total FROM Results ORDER BY policy DESC", views())
    assert found.to_dict("list") == {"policy": ["bb", "a"], "total": [3.0, 3.0]}


def test_only_mentioned_views_are_made():
    """Claim: a view that the statement does not name costs nothing."""

    def expensive():
        raise AssertionError("made without need")

    assert len(query("SELECT * FROM results", views(bounds=expensive))) == 2
    with pytest.raises(AssertionError):
        query("SELECT * FROM results, bounds", views(bounds=expensive))


def test_what_explains_is_answered():
    """Claim: EXPLAIN is allowed: it changes nothing."""
    assert len(query("EXPLAIN SELECT * FROM results", views())) > 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{path}')",
        "SELECT * FROM '{path}'",
        "SELECT * FROM read_text('{path}')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "COPY (SELECT 42) TO '{path}'",
        "COPY results TO '{path}'",
        "EXPORT DATABASE '{path}'",
        "ATTACH '{path}' AS other",
        "INSTALL httpfs",
        "LOAD '{path}'",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW results",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY results TO '{path}'",
        "EXPLAIN ANALYZE COPY results TO '{path}'",
        "EXPLAIN ANALYZE SELECT * FROM read_csv('{path}')",
        "WITH x AS (SELECT * FROM read_csv('{path}')) SELECT * FROM x",
        "SELECT * FROM FRAME",
        "SELECT * FROM nothing",
        "SELEC 1",
        "",
    ],
)
def test_nothing_else_is_in_reach(tmp_path, sql):
    """Claim: files are neither read nor written, nothing is loaded or set, one statement at a time; one clear line."""
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nxyzzy\n")
    with pytest.raises(InputError, match=r"^query: ") as caught:
        query(sql.format(path=secret), views())
    assert "\n" not in str(caught.value)
    assert "xyzzy" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert secret.read_text() == "word\nxyzzy\n"
