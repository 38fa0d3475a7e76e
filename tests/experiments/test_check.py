"""``orsched check`` as a user types it."""

import json
import math

import numpy as np
import pytest

from experiments.checking import check_claims, plain
from experiments.cli import main
from proofs_check import CLAIMS, Claim, claims_named

FALSE_IN_PRINT = sorted(name for name, claim in CLAIMS.items() if claim.known_false)


def check(capsys, *arguments):
    """The claims of the JSON that the command prints."""
    assert main(["check", "--quick", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["claims"]


def test_the_table_names_claim_source_verdict_slack_and_witness(capsys):
    """Claim: one line per claim; what is false in print is refuted, with statement and witness below; exit code 0."""
    assert main(["check", "--quick", "--workers", "1", "guldogan-table", "guldogan-forming-wait-printed"]) == 0
    header, first, second, refuted, witness = capsys.readouterr().out.splitlines()
    assert header.split() == ["claim", "verdict", "slack", "seconds", "source", "witness"]
    assert first.split()[:3] == ["guldogan-table", "holds", "1.85e-05"]
    assert "arXiv 2412.04504" in first
    assert '{"k": 1}' in first
    assert second.split()[:2] == ["guldogan-forming-wait-printed", "refuted"]
    assert refuted.startswith("guldogan-forming-wait-printed is refuted, as expected: the mean wait for a batch")
    assert witness.startswith('witness of guldogan-forming-wait-printed: {"mean_slack": ')


def test_first_words_name_all_claims_of_a_paper(capsys):
    """Claim: `wang` runs the claims of that file, each once although one is also named, in the registry's order."""
    names = [claim["name"] for claim in check(capsys, "wang", "wang-sorted-f-48")]
    assert names == [name for name in CLAIMS if name.startswith("wang-")]


def test_json_is_one_object_with_the_documented_keys(capsys):
    """Claim: with --json standard output is one object, keys as documented, numbers only, false ones with a witness."""
    claims = check(capsys, "guldogan")
    documented = {
        "name", "statement", "source", "verdict", "slack", "witness", "instances", "confidence", "seconds",
    }  # fmt: skip
    assert all(claim.keys() == documented for claim in claims)
    assert {claim["verdict"] for claim in claims} == {"holds", "refuted"}
    assert all(isinstance(claim["slack"], float) and 0 <= claim["confidence"] <= 1 for claim in claims)


def test_the_verdicts_do_not_depend_on_the_number_of_workers(capsys):
    """Claim: two processes say what one says, apart from the time it took."""
    one, two = (check(capsys, "--workers", n, "guldogan", "chen-a-max-upper", "bari-example") for n in ("1", "2"))
    for claim in (*one, *two):
        del claim["seconds"]
    assert one == two


def test_the_seed_changes_the_instances(capsys):
    """Claim: the same seed gives the same witness, another seed another."""
    first, again, other = (check(capsys, "--seed", seed, "nie-memory-area")[0]["witness"] for seed in ("0", "0", "1"))
    assert first == again != other


def test_a_failing_claim_exits_with_one(monkeypatch, capsys):
    """Claim: a statement that does not hold makes the command fail and prints it with the witness, shortened."""
    import proofs_check
    from proofs_check import registry

    long = Claim("planted", "0 >= 1", "nowhere", lambda rng: {"x": [1] * 1000}, lambda x: -1.0)
    for module in (proofs_check, registry):
        monkeypatch.setattr(module, "CLAIMS", {"planted": long})
    assert main(["check"]) == 1
    printed = capsys.readouterr().out
    assert "planted FAILS: 0 >= 1" in printed
    assert 'witness of planted: {"x": [1, 1, ' in printed
    assert "...\n" in printed
    assert max(map(len, printed.splitlines())) < 450
    assert main(["check", "--json"]) == 1


def test_unknown_claims_are_refused(capsys):
    """Claim: exit code 2, one line, the nearest name; nothing is checked before."""
    for name, hint in (
        ("wait-equilibrium-balanc", "did you mean 'wait-equilibrium-balance'"),
        ("kon", "did you mean 'kong'"),
        ("WAIT", "did you mean 'wait'"),
        ("", "names begin with bari, "),
    ):
        assert main(["check", name]) == 2
        error = capsys.readouterr().err
        assert hint in error
        assert len(error.splitlines()) == 1


def test_what_is_not_finite_or_not_plain_becomes_so():
    """Claim: JSON gets whole and floating numbers, lists, and null for what is not finite."""
    odd = {"a": np.float64(1.5), "b": np.arange(2), "c": (math.inf, np.int64(3)), "d": {"e": math.nan}}
    assert plain(odd) == {"a": 1.5, "b": [0, 1], "c": [None, 3], "d": {"e": None}}
    assert json.dumps(plain(odd), allow_nan=False)


def test_claims_are_reported_in_the_order_asked_for():
    """Claim: whatever ends first, and each is announced once."""
    done = []
    claims = claims_named("guldogan")[::-1]
    checked = check_claims(claims, quick=True, workers=1, on_done=lambda: done.append(1))
    assert [each.claim.name for each in checked] == [claim.name for claim in claims]
    assert len(done) == len(claims)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_check_holds(capsys):
    """Claim: all instances of all claims, not only the quick ones; those false in print are refuted, no others."""
    assert main(["check", "--json"]) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    assert sorted(claim["name"] for claim in claims if claim["verdict"] == "refuted") == FALSE_IN_PRINT
