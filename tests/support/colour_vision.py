"""How colours look to people who do not see all of them, and how far apart they look."""

import numpy as np

SIGHTS = {
    "all colours": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""On linear RGB, severity 1 (Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, table 1)."""

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def linear(colour):
    """Linear RGB of ``#RRGGBB``."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Contrast of two colours (WCAG 2.1), from 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def distance(one, other, sight):
    """Distance of two colours in CIELAB as seen with one of `SIGHTS`."""
    return float(np.linalg.norm(_lab(one, sight) - _lab(other, sight)))


def _lab(colour, sight):
    ratios = TO_XYZ @ np.clip(np.array(SIGHTS[sight]) @ linear(colour), 0, 1) / WHITE
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), 841 / 108 * ratios + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
