"""``orsched check`` as a user types it."""

import json

import pytest

from experiments.cli import main


def test_all_claims_have_their_verdict(capsys):
    """Claim: the table names every claim, the printed-but-false one is refuted with its witness, exit code 0."""
    assert main(["check", "--quick"]) == 0
    printed = capsys.readouterr().out
    assert "wait-two-stability-forms" in printed
    assert "witness of nested-wait-theta-first-version" in printed


def test_json_is_one_object_with_the_documented_keys(capsys):
    """Claim: with --json standard output is one object, keys as documented."""
    assert main(["check", "--quick", "--json", "wait-equilibrium-balance"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert {"name", "source", "verdict", "slack", "witness", "seconds"} <= claim.keys()
    assert claim["verdict"] == "holds"


def test_a_failing_claim_exits_with_one(monkeypatch, capsys):
    """Claim: a statement that does not hold makes the command fail and prints the witness."""
    import proofs_check
    from proofs_check import Claim

    planted = Claim("planted", "0 >= 1", "nowhere", lambda rng: {"x": 1}, lambda x: -1.0)
    monkeypatch.setattr(proofs_check, "CLAIMS", {"planted": planted})
    monkeypatch.setattr(proofs_check, "get_claim", lambda name: planted)
    assert main(["check"]) == 1
    assert 'witness of planted: {"x": 1}' in capsys.readouterr().out


def test_unknown_claims_are_refused(capsys):
    """Claim: exit code 2, one line, the nearest name."""
    assert main(["check", "wait-equilibrium-balanc"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'wait-equilibrium-balance'" in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_full_check_holds(capsys):
    """Claim: all instances, not only the quick ones."""
    assert main(["check"]) == 0
