"""Tasks of policies that other distributions add: their code is part of what a task is."""

import os
import pickle
import subprocess
import sys

import pytest

MODULE = """
from dataclasses import replace

from policies.vllm_v1 import vllm_v1

BUDGET = 256
POLICY = replace(vllm_v1(BUDGET), name="acme")
"""

ASK = """
import pickle, sys
from experiments.spec import ExperimentSpec
spec = ExperimentSpec(workloads=["reference"], fleets=["reference"], policies=["acme", "sjf"], loads=[0.5], requests=40,
    replications=1, bounds="none")
tasks = spec.tasks()
sys.stdout.buffer.write(pickle.dumps(([task.identity for task in tasks], spec.key, tasks[0])))
"""

COMPUTE = """
import pickle, sys
row = pickle.load(sys.stdin.buffer).compute()
print(row["policy"], row["status"], row["metrics"]["latency_mean_s"] > 0)
"""


@pytest.fixture
def site(tmp_path):
    """Give a folder of packages with a distribution that announces one policy."""
    about = tmp_path / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[orsched.policies]\nacme = acme_module:POLICY\n")
    (tmp_path / "acme_module.py").write_text(MODULE)
    return tmp_path


def python(site, code, given=b""):
    """Run `code` with the packages of `site`."""
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", code], input=given, env=environment, capture_output=True, check=False)


def test_the_code_of_a_plugin_is_part_of_its_tasks(site):
    """Claim: another version of a plugin makes other tasks, ours stay, and a task refuses to be computed with it."""
    ours, key, task = pickle.loads(python(site, ASK).stdout)
    sent = pickle.dumps(task)
    assert python(site, COMPUTE, sent).stdout.decode() == "acme done True\n"
    (site / "acme_module.py").write_text(MODULE.replace("256", "512"))
    others, other_key, _ = pickle.loads(python(site, ASK).stdout)
    assert others[0] != ours[0]
    assert others[1] == ours[1]
    assert other_key != key
    refused = python(site, COMPUTE, sent)
    assert refused.returncode != 0
    assert b"policy 'acme': its code here is not that of the experiment" in refused.stderr
