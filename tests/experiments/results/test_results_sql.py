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


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM results JOIN tasks USING (policy)", 2),
        ("SELECT * FROM results NATURAL JOIN tasks", 2),
        ("SELECT COLUMNS('val.*') FROM results", 2),
        ("SHOW TABLES", 2),
        ("SELECT * FROM (SHOW TABLES) WHERE name = 'tasks'", 1),
        ("DESCRIBE tasks", 2),
        ("SELECT count(*) FROM query_table('tasks') HAVING count(*) = 2", 1),
        ("FROM results", 2),
    ],
)
def test_whatever_is_one_select_finds_the_views(sql, rows):
    """Claim: also where names of columns or tables are found out only once the views are there."""
    tasks = pd.DataFrame({"policy": ["a", "bb"], "status": ["done", "done"]})
    assert len(query(sql, views(tasks=lambda: tasks))) == rows


def test_types_are_what_one_expects():
    """Claim: sums and counts of whole numbers are whole, missing ones too; a column without any text is of text."""
    frame = pd.DataFrame({"n": [1, 2], "predictor": pd.Series([None, None], dtype=object)})
    found = query(
        "SELECT sum(n) AS total, sum(n) FILTER (n > 5) AS none, sum(n) * 9007199254740993 AS large, "
        "any_value(typeof(predictor)) AS kind FROM results GROUP BY ALL",
        {"results": lambda: frame},
    )
    assert found["total"].dtype == "int64"
    assert str(found["none"].dtype) == "Int64"
    assert found["large"].dtype == "float64"
    assert (found["total"][0], found["kind"][0]) == (3, "VARCHAR")


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
        "PIVOT results ON policy USING sum(value)",
        "SELECT * FROM query('COPY results TO ''{path}''')",
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
