"""``orsched doctor`` and ``orsched list`` as calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.orders.arguments import taken

if TYPE_CHECKING:
    import pandas as pd


@taken
def doctor() -> pd.DataFrame:
    """Check the installation and the policies of other distributions.

    Returns
    -------
    pandas.DataFrame
        One row per thing checked: name, ok, detail (what was found), remedy (missing where nothing is to be done);
        ``attrs["ok"]`` says whether all is sound.
    """
    import pandas as pd

    from experiments.orders.examining import examined

    report = examined()
    rows = [(finding.name, finding.ok, finding.detail, finding.remedy) for finding in report.findings]
    frame = pd.DataFrame(rows, columns=["name", "ok", "detail", "remedy"])
    frame.attrs["ok"] = report.ok
    return frame


@taken
def listing(kind: str) -> pd.DataFrame:
    """List the names that exist.

    Parameters
    ----------
    kind : str
        policies, workloads, hardware, chips, models, routers or predictors.

    Returns
    -------
    pandas.DataFrame
        One row per name, with everything known about it: name and description of most; of hardware, chips and models
        the columns that docs/cli.md describes, units in their names.

    Raises
    ------
    UnknownNameError
        For a kind that cannot be listed.
    """
    import pandas as pd

    from experiments.listing.names import LISTS
    from orsched.errors import unknown_name

    if kind not in LISTS:
        raise unknown_name("list", kind, LISTS)
    return pd.DataFrame(LISTS[kind].rows())
