"""What is it called? Ids that follow from what they name, so that a decision taken twice has one id."""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["CLIENT_ORDER_ID_PREFIX", "client_order_id", "intent_id", "run_tag"]

CLIENT_ORDER_ID_PREFIX: Final = "gt-"
"""All orders of ours begin so; anything else on the account is foreign."""


def run_tag(run_id: str) -> str:
    """Six characters that tell runs on one account apart."""
    return hashlib.blake2b(run_id.encode(), digest_size=3).hexdigest()


def intent_id(strategy: str, symbol: str, key: str, action: str) -> str:
    """Id of one wish; `key` names the bar, trigger or command that caused it."""
    return f"{strategy}:{symbol}:{key}:{action}"


def client_order_id(tag: str, intent: str, leg: str = "", slice_number: int = 0) -> str:
    """32 characters of [a-z0-9-] that follow from run, intent, leg and slice."""
    digest = hashlib.blake2b(f"{intent}|{leg}|{slice_number}".encode(), digest_size=11).hexdigest()
    return f"{CLIENT_ORDER_ID_PREFIX}{tag}-{digest}"
