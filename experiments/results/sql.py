"""SQL over results: DuckDB in memory, without access to anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orsched.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_ALLOWED = ("SELECT", "EXPLAIN")


def query(sql: str, views: Mapping[str, Callable[[], pd.DataFrame]]) -> pd.DataFrame:
    """Answer one ``SELECT`` over `views`; files, extensions, settings and the network are out of reach.

    Sums of whole numbers, which DuckDB makes HUGEINT, are whole numbers in the answer as long as they are exact. DuckDB
    takes apart ``PIVOT ... ON`` without ``IN`` into several statements; it is not taken.

    Parameters
    ----------
    sql : str
        One statement, from anybody.
    views : mapping of str to callable
        Makes the table of each name.

    Raises
    ------
    InputError
        When it is no single ``SELECT``, does not parse, names unknown tables or columns, or wants what is closed.
    """
    import duckdb

    connection: Any = duckdb.connect(":memory:", config=_CLOSED)
    try:
        statements = connection.extract_statements(sql)
        kinds = [statement.type.name for statement in statements]
        if len(kinds) != 1 or kinds[0] not in _ALLOWED:
            raise InputError(f"query: one SELECT is allowed, not {'; '.join(kinds) or 'nothing'}")
        for name, make in views.items():
            connection.register(name, _typed(make()))
        connection.execute("SET lock_configuration = true")
        cursor = connection.execute(statements[0])
        huge = [place for place, column in enumerate(cursor.description) if str(column[1]) == "HUGEINT"]
        found: pd.DataFrame = cursor.df()
    except duckdb.Error as error:
        raise InputError(f"query: {' '.join(str(error).split())[:400]}") from None
    finally:
        connection.close()
    for place in huge:
        _make_whole(found, place)
    return found


def _typed(frame: pd.DataFrame) -> pa.Table:
    """`frame` with text as the type of columns that are empty throughout."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _make_whole(frame: pd.DataFrame, place: int) -> None:
    """Turn a column of floats that were whole numbers back into those, unless some were too large to be exact."""
    column = frame.iloc[:, place]
    if (column.dropna().abs() < 2**53).all():
        frame.isetitem(place, column.astype("Int64" if column.isna().any() else "int64"))
