"""Bounds that hold on one sample path, whatever the policy knows."""
