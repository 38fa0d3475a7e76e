"""SQL over results: DuckDB in memory, without access to anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orsched.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_ALLOWED = ("SELECT", "EXPLAIN")


def query(sql: str, views: Mapping[str, Callable[[], pd.DataFrame]]) -> pd.DataFrame:
    """Answer one ``SELECT`` over `views`; files, extensions, settings and the network are out of reach.

    Parameters
    ----------
    sql : str
        One statement, from anybody.
    views : mapping of str to callable
        Makes the table of each name; called for the names that the statement mentions only.

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
        mentioned = {name.lower() for name in connection.get_table_names(sql)}
        for name, make in views.items():
            if name in mentioned or kinds[0] != "SELECT":
                connection.register(name, make())
        connection.execute("SET lock_configuration = true")
        found: pd.DataFrame = connection.execute(statements[0]).df()
    except duckdb.Error as error:
        raise InputError(f"query: {' '.join(str(error).split())[:400]}") from None
    finally:
        connection.close()
    return found
