"""What ``orsched validate vllm-logs`` is asked for, and the replays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.orders.fleets import entry_of
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.validation.settings import EngineSettings
    from experiments.validation.vllm_logs import Validation
    from orsched.catalogue import Hardware


def replays_order(
    log: str | Path | None,
    hardware: str | Path | Hardware | None,
    settings: dict[str, Any],
    *,
    alternatives: bool,
    on_run_done: Callable[[], None] = lambda: None,
) -> list[Validation]:
    """Replay the bundled runs, or a log with settings, from the options of ``orsched validate vllm-logs``.

    Parameters
    ----------
    log : str or Path, optional
        A request log; None: the bundled runs.
    hardware : str, Path or Hardware, optional
        What stands for the server; only with a log, which needs it.
    settings : dict
        Fields of `experiments.validation.settings.EngineSettings`, None where nothing was said.
    alternatives : bool
        Also replay under other assumptions about the engine.
    on_run_done : callable
        Called after each run.

    Raises
    ------
    InputError
        For options without effect or that are missing, and as for `experiments.validation.vllm_logs.validate`.
    """
    chosen = {name: value for name, value in settings.items() if value is not None}
    if log is None:
        if hardware is not None or chosen:
            idle = "hardware" if hardware is not None else next(iter(chosen))
            raise InputError(f"--{idle.replace('_', '-')} goes with --log; the bundled runs have their own")
        return _bundled(alternatives, on_run_done)
    found = _of_log(Path(log), hardware, _settings(chosen), alternatives)
    on_run_done()
    return [found]


def _bundled(alternatives: bool, on_run_done: Callable[[], None]) -> list[Validation]:
    from experiments.validation.runs import bundled_runs
    from experiments.validation.vllm_logs import validate_run

    found = []
    for run in bundled_runs():
        found.append(validate_run(run, with_others=alternatives))
        on_run_done()
    return found


def _of_log(
    log: Path, hardware: str | Path | Hardware | None, settings: EngineSettings, alternatives: bool
) -> Validation:
    from experiments.validation.request_log import read_request_log
    from experiments.validation.vllm_logs import validate

    if hardware is None:
        raise InputError("--log needs --hardware: the entry that stands for the server")
    entry = entry_of(hardware)
    return validate(read_request_log(log), entry, settings, with_others=alternatives)


def _settings(chosen: dict[str, Any]) -> EngineSettings:
    from experiments.validation.settings import EngineSettings

    for needed in ("max_num_seqs", "max_num_batched_tokens"):
        if needed not in chosen:
            raise InputError(f"--log needs --{needed.replace('_', '-')}: as the server was started")
    if chosen["max_num_seqs"] > chosen["max_num_batched_tokens"]:
        raise InputError(
            f"--max-num-seqs {chosen['max_num_seqs']}: at most --max-num-batched-tokens, every running request takes a "
            "token of the budget"
        )
    return EngineSettings(**chosen)
