"""The worth of a participation under one minorant in closed form, to compare programmes with."""

import numpy as np


def participation_s(minorant, most, price, work_s):
    """``min over 1 <= b <= most of (b + c)(alpha / b + x)`` for each x."""
    b = np.arange(1, most + 1)[:, None]
    return np.min((b + price) * (minorant.base_s / b + np.asarray(work_s)[None, :]), axis=0)
