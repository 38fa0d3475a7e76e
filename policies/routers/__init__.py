"""Routers over the instances that take new requests: which of them serves an arriving request."""

from policies.routers.aibrix import AIBrix
from policies.routers.blind import random_instance, round_robin
from policies.routers.cache_aware import CacheAware
from policies.routers.class_partition import ClassPartition, divided
from policies.routers.counts import join_shortest_queue, power_of_two, vllm_router
from policies.routers.dynamo import Dynamo
from policies.routers.least_work import LeastWork
from policies.routers.linear import LinearScore
from policies.routers.lmetric import lmetric
from policies.routers.mooncake import MooncakeConductor
from policies.routers.preble import Preble
from policies.routers.reject import reject
from policies.routers.slo_admission import SLOAdmission
from policies.routers.tokens import least_kv, token_jsq

__all__ = [
    "AIBrix",
    "CacheAware",
    "ClassPartition",
    "Dynamo",
    "LeastWork",
    "LinearScore",
    "MooncakeConductor",
    "Preble",
    "SLOAdmission",
    "divided",
    "join_shortest_queue",
    "least_kv",
    "lmetric",
    "power_of_two",
    "random_instance",
    "reject",
    "round_robin",
    "token_jsq",
    "vllm_router",
]
