"""Policies that a trained function decides: what it observes, the rules it chooses from, when it is asked."""

from policies.learned.choosing import Chooser, Choosing
from policies.learned.learned_policy import learned_policy
from policies.learned.menu import MENU, DecodeOnly
from policies.learned.observation import Observer
from policies.learned.rule import Rule

__all__ = ["MENU", "Chooser", "Choosing", "DecodeOnly", "Observer", "Rule", "learned_policy"]
