"""PolyServe (arXiv 2507.17769 v1): multi-SLO serving with a load gradient, lazy promotion and fine-grained scaling.

Built from descriptions of the paper at second hand, with its unknowns as settings: this does not reproduce its numbers.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Controller, Information, Policy
from orsched.workloads import Workload
from policies.parts.token_budget import TokenBudget
from policies.polyserve.admission import Admission
from policies.polyserve.batcher import BatchesByRole, TierBatches
from policies.polyserve.desk import Desks
from policies.polyserve.fixed import FixedFleetSettings, polyserve_fixed
from policies.polyserve.ladder import Claim, DecodeLadder, Ladder, keep
from policies.polyserve.prefill_router import least_backlog
from policies.polyserve.scaling import ClaimServers, ClaimWanted, LearnOnly, Release, ReleaseAndPowerOff
from policies.polyserve.settings import ARRIVAL_TESTS, DECODE_TESTS, PolyServeSettings
from policies.polyserve.tiers import Tiers
from policies.system import System

MOST_PREFILLS = 256
"""Most prompts in one iteration of a prefill server: vLLM's default (ours)."""


def polyserve(workload: Workload, fleet: Fleet, settings: PolyServeSettings) -> Policy:
    """Build PolyServe, co-located or with prompts and decodes apart, as the roles of the fleet say.

    For a request of tier k (figure 5): 1. of tier k's servers that pass the tests, the most loaded; 2. only if all of
    them refuse, the same in tighter tiers; 3. an idle server, claimed for tier k; 4. the queue. Nothing is dropped.

    Parameters
    ----------
    workload : Workload
        Its classes and their objectives; its mean output lengths, if the settings say so.
    fleet : Fleet
        All of its instances mixed, or some that prefill and some that decode. Groups may name the tier they start in;
        the others are the pool.
    settings : PolyServeSettings
        What may be chosen.

    Raises
    ------
    InputError
        When a class has no objective, roles are mixed otherwise, a group's tier does not exist, there are fewer servers
        than tiers, or servers belong to no tier and do not scale.
    """
    tiers = Tiers.of(workload.classes)
    role = _role_of_tiers(fleet)
    _require_servers(tiers, fleet, role, settings)
    chunks = settings.chunks if role is Role.MIXED else None
    desks = Desks(
        tiers,
        role,
        settings.rank,
        settings.lengths(workload),
        chunks,
        settings.prefill,
        settings.kv_test,
        settings.least_remaining_tokens,
    )
    parts = _co_located(settings, desks) if role is Role.MIXED else _disaggregated(settings, desks)
    return replace(
        parts,
        control=_control(settings, desks),
        control_every_s=settings.check_every_s,
        information=Information.NONE if settings.average_length == "running" else Information.CLASS,
        settings={"tiers_s": tiers.tpot_s, **asdict(settings)},
    )


def _co_located(settings: PolyServeSettings, desks: Desks) -> Policy:
    """Prompts and decodes on the same servers: all tests at arrival, chunks beside decodes."""
    admits = Admission(settings.peak, settings.prefill, ARRIVAL_TESTS)
    claim: Claim = keep
    if settings.scaling:
        claim = ClaimServers(admits, settings.take_over, settings.starts_at_once)
    router = Ladder(desks, settings.tiers_tried, admits, claim)
    return Policy("polyserve", TierBatches(desks.tiers, settings.chunks), router)


def _disaggregated(settings: PolyServeSettings, desks: Desks) -> Policy:
    """Prompts on servers of their own; the ladder places what they have finished on the tiers' decode servers."""
    prompts = TokenBudget(settings.prefill_batch_tokens, min(MOST_PREFILLS, settings.prefill_batch_tokens))
    batches = BatchesByRole(prompts, TierBatches(desks.tiers, settings.chunks))
    admits = Admission(settings.peak, settings.prefill, DECODE_TESTS[settings.decode_tests])
    return Policy("polyserve", batches, least_backlog, DecodeLadder(desks, settings.tiers_tried, admits))


def _control(settings: PolyServeSettings, desks: Desks) -> Controller:
    if not settings.scaling:
        return LearnOnly(desks)
    release = Release(desks, settings.empty_checks, settings.min_servers)
    scaler = ReleaseAndPowerOff(release) if settings.power_off else release
    return scaler if desks.role is Role.MIXED else ClaimWanted(scaler)


def _role_of_tiers(fleet: Fleet) -> Role:
    roles = {group.role for group in fleet.groups}
    if roles == {Role.MIXED}:
        return Role.MIXED
    if roles == {Role.PREFILL, Role.DECODE}:
        return Role.DECODE
    raise InputError(f"PolyServe runs on mixed instances, or on prefill and decode ones: the fleet is {fleet.name!r}")


def _require_servers(tiers: Tiers, fleet: Fleet, role: Role, settings: PolyServeSettings) -> None:
    tiers.require_known(fleet)
    groups = [group for group in fleet.groups if group.role is role]
    servers = sum(group.size for group in groups)
    if servers < len(tiers) and not (role is Role.MIXED and settings.take_over and settings.promotion != "none"):
        raise InputError(f"fleet {fleet.name!r}: {servers} servers for {len(tiers)} tiers, which cannot share them")
    if not settings.scaling:
        held = {tiers.by_label[group.tier] for group in groups if group.tier is not None and group.size > group.off}
        if any(group.tier is None for group in groups) or len(held) < len(tiers):
            names = ", ".join(map(repr, tiers.labels))
            raise InputError(f"scaling = False: every group needs a tier, and every tier a group, of {names}")


SYSTEMS = (
    System(
        "polyserve",
        "PolyServe: tiers by TPOT, load gradient, promotion, scaling",
        PolyServeSettings,
        polyserve,
        uses_lengths=lambda settings: settings.average_length != "running",
    ),
    System(
        "polyserve-fixed",
        "PolyServe for a fixed fleet, in LMETRIC's words: fill each server up to the objectives",
        FixedFleetSettings,
        polyserve_fixed,
        uses_lengths=lambda settings: True,
    ),
)
