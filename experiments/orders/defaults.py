"""What a command takes where nothing is said."""

from __future__ import annotations

WORKLOAD = "azure-conv"
HARDWARE = "llama2-7b/a100-80g"
POLICIES = ("vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "wait")
