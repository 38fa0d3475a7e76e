"""The scaling of the WAIT paper (arXiv 2504.11320): fixed memory, ever longer horizons; studies and exponents."""

from proofs_check.heavy_traffic.paths import ArrivalPath, draw_path
from proofs_check.heavy_traffic.served import ALL, METRICS, Served, measure, serve
from proofs_check.heavy_traffic.slopes import means, slope
from proofs_check.heavy_traffic.study import SCALES, scaling_study, study_of
from proofs_check.heavy_traffic.thresholds import critical_thresholds, slack_thresholds, wait_with
from proofs_check.heavy_traffic.types import PromptType, linear_hardware, offered_tokens_per_s

__all__ = [
    "ALL",
    "METRICS",
    "SCALES",
    "ArrivalPath",
    "PromptType",
    "Served",
    "critical_thresholds",
    "draw_path",
    "linear_hardware",
    "means",
    "measure",
    "offered_tokens_per_s",
    "scaling_study",
    "serve",
    "slack_thresholds",
    "slope",
    "study_of",
    "wait_with",
]
