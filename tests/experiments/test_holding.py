"""Ctrl-C while ``orsched run`` imports its libraries."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from experiments.cli.holding import interruptions_held

AMID_AN_IMPORT = """
import builtins, os, signal, sys, time

def interrupting(name, *rest, original=builtins.__import__, **more):
    if name == {name!r}:
        builtins.__import__ = original
        os.kill(os.getpid(), signal.SIGINT)
    return original(name, *rest, **more)

from experiments.cli.entry import main

builtins.__import__ = interrupting
sys.exit(main(["run", "demo", "--out", "out"]))
"""


@pytest.mark.parametrize("name", ["joblib", "pandas", "pyarrow.lib"])
def test_an_interruption_amid_an_import_ends_the_run(name, tmp_path):
    """Claim: SIGINT while a library is imported gives exit 130 and one line, and no results folder."""
    done = subprocess.run(
        [sys.executable, "-c", AMID_AN_IMPORT.format(name=name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_is_raised_after_the_block():
    """Claim: what stands in the block is finished; then the interruption is raised, and the old handler is back."""
    before, done = signal.getsignal(signal.SIGINT), []

    def block():
        with interruptions_held():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_and_ignored_interruptions_stay_as_they_are():
    """Claim: in another thread, which is never interrupted, and where SIGINT is ignored, the block just runs."""
    ran = []

    def block():
        with interruptions_held():
            ran.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        block()
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ran == [before, signal.SIG_IGN]
