"""Is it well formed, here and now?"""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import START_NS, D, a_market, a_snapshot, an_account, an_order

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import Candidate, NormalizedOrderRequest, OrderRequest, Side, Snapshot
from gpt_trader.execution.handlers.validation import ValidationHandler


class PassesAll:
    """Stands for an engine's validator that has nothing to object."""

    async def validate(self, candidate: Candidate) -> NormalizedOrderRequest:
        return NormalizedOrderRequest(order=candidate.order, snapshot=candidate.snapshot)


def handle(order: OrderRequest, snapshot: Snapshot | None = None, now_ns: int = START_NS) -> NormalizedOrderRequest:
    config = RiskConfig(min_signal_strength=D("0.5"), min_confluence=D(3))
    handler = ValidationHandler(PassesAll(), config, ManualClock(now_ns))
    return asyncio.run(handler.handle(Candidate(order=order, snapshot=snapshot or a_snapshot())))


OLD_NS = START_NS - 600 * NS


@pytest.mark.parametrize(
    ("order", "snapshot", "code"),
    [
        (an_order(), a_snapshot(market=a_market(mark=D(60_000), now_ns=OLD_NS)), Refusal.STALE_MARK),
        (an_order(), a_snapshot(market=a_market().__class__(mark=None, book=None)), Refusal.STALE_MARK),
        (an_order(), a_snapshot(account=an_account(now_ns=OLD_NS)), Refusal.STALE_ACCOUNT),
        (an_order(strength=0.4), a_snapshot(), Refusal.WEAK_SIGNAL),
        (an_order(confluence=2.9), a_snapshot(), Refusal.LOW_CONFLUENCE),
        (an_order(protective_stop=D(60_001)), a_snapshot(), Refusal.INVALID_STOP),
        (an_order(side=Side.SELL, protective_stop=D(59_999)), a_snapshot(), Refusal.INVALID_STOP),
        (an_order(target_price=D(59_999)), a_snapshot(), Refusal.INVALID_TARGET),
        (an_order(side=Side.SELL, target_price=D(60_001)), a_snapshot(), Refusal.INVALID_TARGET),
        (an_order(quantity=D("NaN")), a_snapshot(), Refusal.INVALID_QUANTITY),
    ],
)
def test_each_fault_has_its_code(order: OrderRequest, snapshot: Snapshot, code: Refusal) -> None:
    """Stale, weak, or stops and targets on the wrong side."""
    with pytest.raises(Refused) as caught:
        handle(order, snapshot)
    assert caught.value.code is code


def test_a_signal_without_strength_or_confluence_is_not_judged_by_that_rule() -> None:
    """No score is invented."""
    assert handle(an_order()).order == an_order()


def test_an_exit_goes_on_when_mark_and_account_are_old() -> None:
    """Getting out must not depend on a fresh balance."""
    snapshot = a_snapshot(
        position=D(1), market=a_market(mark=D(60_000), now_ns=OLD_NS), account=an_account(now_ns=OLD_NS)
    )
    order = an_order(side=Side.SELL, reduce_only=True)
    assert handle(order, snapshot).order == order


def test_a_sound_stop_and_target_pass() -> None:
    """Below and above the entry of a long."""
    order = an_order(protective_stop=D(59_500), target_price=D(61_000), strength=0.9, confluence=4.0)
    assert handle(order).trace == {"strength": D("0.9"), "confluence": D("4.0")}
