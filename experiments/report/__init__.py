"""The report: one HTML file of everything an experiment found, and its charts as files."""

from experiments.report.writing import write_report

__all__ = ["write_report"]
