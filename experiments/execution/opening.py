"""A results folder for one experiment: new, continued, or extended; never another one's by mistake."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from experiments.execution.specification import Specification
from experiments.results.folder import PLAN, ResultsFolder
from experiments.results.sealed import DamagedError
from experiments.tasks.code_version import code_version
from orsched.atomic import write_text
from orsched.errors import InputError

EARLIER = "earlier"
"""Folder of the specifications that an extension replaced."""


def open_for(spec: Specification, out: Path, *, extend: bool = False) -> ResultsFolder:
    """Open the results folder of `spec` to continue or begin it.

    Parameters
    ----------
    spec : Specification
        What will be run.
    out : Path
        The folder; made if missing.
    extend : bool
        Put `spec` in the place of another specification, or continue results of another version of the code. All
        finished tasks stay; those that `spec` shares are not computed again.

    Raises
    ------
    InputError
        When the folder holds another experiment, or results of another version of the code, and `extend` is not
        given; when it is no results folder, of another format, or cannot be written to. Nothing is changed then.
    """
    folder = ResultsFolder.create(out)
    text = spec.to_toml()
    with folder.lock():
        before = folder.specified()
        known = None if before is None else _known(folder)
        if known is not None:
            spec_key, code = known
            other = spec_key != spec.key if spec_key else before != text
            if (other or code not in ("", code_version())) and not extend:
                raise InputError(_refusal(out, other, code))
            if other or code not in ("", code_version()):
                _put_away(folder, f"{spec_key[:12]}-{code[:12]}" if spec_key else _digest(before or ""))
                before = None
        if before != text:
            write_text(folder.specification, text)
    return folder


def _known(folder: ResultsFolder) -> tuple[str, str]:
    """Key and code version of the experiment in the folder, empty texts where its plan is lost."""
    try:
        plan = folder.plan()
    except (InputError, DamagedError):
        return "", ""
    return plan.spec, plan.code


def _refusal(out: Path, other: bool, code: str) -> str:
    if other:
        return (
            f"folder {out}: holds another experiment (experiment.toml); use another folder, or --extend to put this "
            "one in its place and keep all finished tasks"
        )
    return (
        f"folder {out}: its results are of another version of the code ({code}, this is {code_version()}); use another "
        "folder, or --extend to compute them again beside the old ones"
    )


def _digest(text: str) -> str:
    """The name of a specification whose plan, which knows its key, is lost."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _put_away(folder: ResultsFolder, name: str) -> None:
    earlier = folder.path / EARLIER
    earlier.mkdir(exist_ok=True)
    for path, ending in ((folder.specification, "toml"), (folder.path / PLAN, "parquet")):
        if path.exists():
            os.replace(path, earlier / f"{name}.{ending}")
