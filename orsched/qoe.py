"""Quality of experience: how far behind an ideal reader the text of each request arrived (Andes, arXiv 2404.16283)."""

from __future__ import annotations

import math

import numpy as np

from orsched.errors import InputError
from orsched.run import Run
from orsched.work import Floats


def qoe(run: Run, ttft_s: float, tokens_per_s: float) -> Floats:
    """Quality of experience of every request, ``1 - S_delay / S_whole``, in (0, 1].

    The user expects token ``i = 1..o`` at ``e_i = ttft_s + (i - 1) / tokens_per_s`` after the arrival, and reads it at
    ``u_i``, the later of its delivery and of the end of token ``i - 1``, each taking ``1 / tokens_per_s``.
    ``S_delay = sum (u_i - e_i)+`` is the area between expected and actual consumption, ``S_whole = sum (U - e_i)``
    the area under the expected one until the end ``U`` of reading, or of the expected reading if that is later. It
    is 1 when every token is there in time, whatever comes earlier.

    Parameters
    ----------
    run : Run
        A finished run.
    ttft_s : float
        Expected time to first token, seconds, >= 0.
    tokens_per_s : float
        Reading speed, tokens per second, > 0.

    Returns
    -------
    ndarray of float64
        Shape ``(n,)``, like the columns of `run`.

    Raises
    ------
    InputError
        When a parameter is out of range or a request has not completed.

    Notes
    -----
    ``1 - S_delay / S_whole``: second version of the paper, known to us at second hand; the sums are our reading of it.
    A run keeps the first and the last token of a request and not those between: they are taken as evenly spaced. A
    pause in the middle then counts as slow delivery throughout. That errs in either direction: before the pause the
    user was served better, after it worse.
    """
    if not (ttft_s >= 0 and math.isfinite(ttft_s)):
        raise InputError(f"ttft_s = {ttft_s!r}: must be a finite number of seconds >= 0")
    if not (tokens_per_s > 0 and math.isfinite(tokens_per_s)):
        raise InputError(f"tokens_per_s = {tokens_per_s!r}: must be a positive, finite number")
    if not np.isfinite(run.completion_s).all():
        row = int(np.argmin(np.isfinite(run.completion_s)))
        raise InputError(f"run of {run.policy!r}: request {row} has not completed")
    read_s = 1 / tokens_per_s
    tokens = run.output_tokens.astype(float)
    first = run.ttft_s - ttft_s  # delay of token 1, negative when early
    gap = np.divide(run.completion_s - run.first_token_s, tokens - 1, out=np.zeros_like(first), where=tokens > 1)
    slope = np.maximum(gap - read_s, 0.0)  # what each further token is read later than the one before
    # Delays are first + i slope for i = 0..o-1; the first `early` of them are not positive.
    steps = np.divide(-first, slope, out=np.full_like(first, math.inf), where=slope > 0)
    early = np.where(first > 0, 0.0, np.minimum(np.floor(steps) + 1, tokens))
    late = tokens - early
    delay = late * (first + slope * (early + tokens - 1) / 2)
    end = tokens * read_s + np.maximum(first + slope * (tokens - 1), 0.0)  # from the expected first token on
    whole = tokens * end - read_s * tokens * (tokens - 1) / 2
    return np.asarray(1 - delay / whole)
