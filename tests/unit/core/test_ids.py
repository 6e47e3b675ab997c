"""What is it called?"""

from __future__ import annotations

import re

from gpt_trader.core.ids import client_order_id, intent_id, run_tag


def test_a_client_order_id_follows_from_run_intent_leg_and_slice() -> None:
    """A decision taken twice has one id; another leg or slice has another."""
    tag = run_tag("run-1")
    intent = intent_id("ma", "BTC-PERP", "1750000000", "long")
    names = {client_order_id(tag, intent, leg, number) for leg in ("", "stop") for number in (0, 1)}
    assert len(names) == 4
    assert client_order_id(tag, intent) == client_order_id(run_tag("run-1"), intent)
    assert client_order_id(run_tag("run-2"), intent) != client_order_id(tag, intent)


def test_a_client_order_id_fits_every_venue() -> None:
    """At most 32 of [A-Za-z0-9-], with our prefix."""
    assert re.fullmatch(r"gt-[a-z0-9-]{1,29}", client_order_id(run_tag("x"), "y" * 500, "leg", 10**6))
