"""Simulated beside measured: replays of what real servers logged."""
