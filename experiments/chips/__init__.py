"""Chips that are not measured: parameters solved for, their catalogue entries, and how far rooflines are from fits."""
