"""Where ``orsched`` starts: run a command, turn errors into one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from experiments.cli.app import app
from experiments.cli.consoles import error_console
from orsched.errors import OrschedError

BAD_INPUT = 2
INTERRUPTED = 130
UNREAD = 141


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    args : sequence of str, optional
        Arguments; None: those of the process.

    Returns
    -------
    int
        0: done. 1: ``doctor`` found something. 2: input that cannot be used. 130: interrupted. 141: nobody reads the
        output any more (``| head``); nothing is said.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± shows ? instead of failing
    try:
        app(args=None if args is None else list(args), prog_name="orsched")
        sys.stdout.flush()
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            return _unread()
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == INTERRUPTED:
            cause = stop.__context__.__cause__ if stop.__context__ else None  # typer makes an exit of an interruption
            _say(_of_interruption(cause))
        return code
    except KeyboardInterrupt as interruption:
        _say(_of_interruption(interruption))
        return INTERRUPTED
    except OrschedError as error:
        _say(f"error: {error}")
        return BAD_INPUT
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _say(f"error: file{where}: {error.strerror or error}")
        return BAD_INPUT
    return 0


def _unread() -> int:
    """Give what is still buffered to nobody, so that the interpreter does not fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return UNREAD


def _of_interruption(cause: BaseException | None) -> str:
    """What a command had to say when it was interrupted."""
    return str(cause) if isinstance(cause, KeyboardInterrupt) and cause.args else "interrupted"


def _say(message: str) -> None:
    error_console().out(" ".join(message.split()), highlight=False)


if __name__ == "__main__":
    sys.exit(main())
