"""What did trading cost? Implementation shortfall of every fill, in parts that add up, and what was missed.

Measured against the *arrival price*: the middle of the book when the intent was decided (the trigger, for a stop that
waits at the venue). All amounts in the quote currency; **above zero cost us**. For a fill of `q` at `p`, with `s` = +1
for a buy and -1 for a sell, arrival price `d`, and middle `m` and half spread `h` of the book when its order was
written down:

    shortfall = s * (p - d) * q + fee = delay + spread + impact + fees          (exactly, to the last digit)

    taken       delay = s * (m - d) * q              the market moved before the order was sent
                spread = h * q                       half the spread, for not waiting
                impact = s * (p - m) * q - h * q     levels beyond the best one, and moves while it travelled
    provided    spread = max(s * (p - m), -h) * q    what resting earned (below zero), at most half the spread
                impact = 0                           who waits to be hit pushes nothing
                delay = s * (p - d) * q - spread     all else: the market came to us, or had gone before we quoted

Without a quote at sending, `m` is `d` and `h` is 0, and the fill is counted as unquoted. What an intent wanted and did
not get is *missed*: `s * (middle when its last order ended - d) * unfilled`. A *mark-out* is `s * (m_t - p) * q` with
`m_t` the middle `t` seconds later; **above zero the market went our way**. Basis points (bps) are of arrival notional,
`d * q`: of what was filled for the parts and the mark-outs, of what was wanted for `all in` (shortfall and missed).

Sources: Perold 1988, "The Implementation Shortfall: Paper versus Reality" (shortfall and the cost of what was not
traded); Kissell 2006, "The Expanded Implementation Shortfall: Understanding Transaction Cost Components" (its parts).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any, Final

import msgspec

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    Event,
    FillMarked,
    MissMarked,
    OrderApproved,
    OrderFilled,
    OrderRefused,
    OrderSubmitted,
)
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import ZERO, Liquidity, OrderType, Purpose, Side, Value

__all__ = ["FILL_KEYS", "KEYS", "CostAnalysis", "CostRow", "FillCost", "IntentCost", "check_keys", "price_fill"]

UNKNOWN: Final = "unknown"
EXACT: Final = Context(prec=64)
"""Enough digits that products and sums of money lose none."""


class FillCost(Value, frozen=True, kw_only=True):
    """One fill against its arrival price; amounts in the quote currency, above zero cost us."""

    client_order_id: str
    trade_id: str
    order_type: str
    liquidity: Liquidity
    quantity: Decimal
    price: Decimal
    arrival: Decimal
    notional: Decimal
    """Quantity at the arrival price: what basis points are of."""
    delay: Decimal
    spread: Decimal
    impact: Decimal
    fees: Decimal
    shortfall: Decimal
    """Price against arrival, and fee: computed on its own, equal to the sum of the four parts."""
    quoted: bool
    mark_outs: Mapping[str, Decimal] = {}
    """Amount by which the market went our way, by seconds."""


class IntentCost(msgspec.Struct, kw_only=True):
    """One approved intent and all that was filled for it."""

    run: str
    intent_id: str
    engine: str
    tactic: str
    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    decided_ns: int
    arrival: Decimal
    wanted: Decimal
    """Base units that were approved."""
    fills: list[FillCost] = msgspec.field(default_factory=list)
    waits_for_trigger: bool = False
    """A stop at the venue: until it fills, nothing was wanted yet."""
    last_mid: Decimal | None = None
    """Middle of the book when its last unfilled order ended."""

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def missed(self) -> Decimal | None:
        """What the unfilled part would cost by now; None when nothing is missing or its end was not seen."""
        left = self.wanted - self.filled
        if left <= 0 or self.last_mid is None:
            return None
        with localcontext(EXACT):
            return self.side.sign * (self.last_mid - self.arrival) * left

    @property
    def all_in_bps(self) -> Decimal | None:
        """Shortfall and missed, in basis points of what was wanted, or of what was filled while no end of the rest was
        seen; None where nothing was filled and nothing is known to be missed."""
        missed, notional = self.missed, sum((fill.notional for fill in self.fills), ZERO)
        if missed is not None:
            notional = self.wanted * self.arrival
        if notional <= 0:
            return None
        with localcontext(EXACT):
            return (sum((fill.shortfall for fill in self.fills), ZERO) + (missed or ZERO)) / notional * BPS


KEYS: Final[Mapping[str, Callable[[IntentCost], str]]] = {
    "run": lambda intent: intent.run,
    "engine": lambda intent: intent.engine,
    "tactic": lambda intent: intent.tactic,
    "strategy": lambda intent: intent.strategy,
    "symbol": lambda intent: intent.symbol,
    "side": lambda intent: intent.side.value,
    "purpose": lambda intent: intent.purpose.value,
    "hour": lambda intent: f"{iso(intent.decided_ns)[11:13]}h UTC",
}
"""What an intent can be grouped by."""
FILL_KEYS: Final[Mapping[str, Callable[[FillCost], str]]] = {
    "order_type": lambda fill: fill.order_type,
    "liquidity": lambda fill: fill.liquidity.value,
}
"""What only a fill can be grouped by: such rows know nothing of what was wanted and missed."""


class CostRow(Value, frozen=True, kw_only=True):
    """Costs of a group. Amounts in the quote currency; see the module for every definition and sign."""

    key: tuple[str, ...]
    intents: int
    fills: int
    unquoted: int
    """Fills whose order was sent without a quote: their delay and spread are not told apart from impact."""
    notional: Decimal
    """Of what was filled, at arrival."""
    delay: Decimal
    spread: Decimal
    impact: Decimal
    fees: Decimal
    shortfall: Decimal
    wanted: Decimal | None
    """Notional that was approved; None in rows by a property of the fill."""
    missed: Decimal | None
    """Cost of what was not filled, where its end was seen."""
    missed_intents: int
    mark_outs: Mapping[str, Decimal]
    """Basis points by seconds, of the fills that were marked."""

    @property
    def parts(self) -> dict[str, Decimal]:
        """The four amounts that add up to the shortfall, by name."""
        return {"delay": self.delay, "spread": self.spread, "impact": self.impact, "fees": self.fees}

    @property
    def fill_rate(self) -> Decimal | None:
        """Share of the wanted notional that was filled."""
        return self.notional / self.wanted if self.wanted else None

    @property
    def missed_bps(self) -> Decimal | None:
        """Cost of what was not filled, in basis points of what was wanted; None where nothing was seen to be missed."""
        if not self.wanted or self.missed is None or not self.missed_intents:
            return None
        return self.missed / self.wanted * BPS

    @property
    def all_in(self) -> Decimal | None:
        """Shortfall and missed, in basis points of what was wanted: what tactics are compared by."""
        if not self.wanted:
            return None
        return (self.shortfall + (self.missed or ZERO)) / self.wanted * BPS

    def bps(self, amount: Decimal) -> Decimal | None:
        """An amount of this row in basis points of what was filled."""
        return amount / self.notional * BPS if self.notional else None


class CostAnalysis:
    """Fed with the events of one or more runs, in the order of each log."""

    def __init__(self, symbol: str = "") -> None:
        """Of one symbol, or of all."""
        self._symbol = symbol
        self.intents: dict[tuple[str, str], IntentCost] = {}
        self.unpriced_fills = 0
        """Fills of no order of ours (liquidations, foreign ones): they have no arrival price and are in no row."""
        self._orders: dict[tuple[str, str], OrderSubmitted] = {}
        self._handlers: Mapping[type[Event], Callable[[str, Any], None]] = {
            OrderApproved: self._on_approved,
            OrderRefused: self._on_refused,
            OrderSubmitted: self._on_submitted,
            OrderFilled: self._on_filled,
            FillMarked: self._on_fill_marked,
            MissMarked: self._on_miss_marked,
        }

    def take(self, event: Event, run: str = "") -> None:
        """Count one event of a run; kinds that cost nothing are ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(run, event)

    def forget(self, intents: Collection[str], run: str = "") -> None:
        """These intents have ended and are counted elsewhere; whoever follows a living bot has no room for all."""
        for intent_id in intents:
            self.intents.pop((run, intent_id), None)
        self._orders = {key: order for key, order in self._orders.items() if order.intent_id not in intents}

    def rows(self, by: Sequence[str] = ()) -> tuple[CostRow, ...]:
        """One row for each value of the keys, in order of the values; one row of everything for no key.

        Raises ConfigError for an unknown key.
        """
        check_keys(by)
        groups: dict[tuple[str, ...], list[tuple[IntentCost, Sequence[FillCost]]]] = {}
        by_fill = any(key in FILL_KEYS for key in by)
        for intent in self.intents.values():
            if intent.waits_for_trigger and not intent.fills:
                continue
            parts: dict[tuple[str, ...], list[FillCost]] = {} if by_fill else {_key(by, intent): intent.fills}
            for fill in intent.fills if by_fill else ():
                parts.setdefault(_key(by, intent, fill), []).append(fill)
            for key, fills in parts.items():
                groups.setdefault(key, []).append((intent, fills))
        return tuple(_row(key, groups[key], by_fill=by_fill) for key in sorted(groups))

    # --- how events change it -------------------------------------------------------------------------------------
    def _left_out(self, symbol: str) -> bool:
        return self._symbol not in {"", symbol}

    def _on_approved(self, run: str, event: OrderApproved) -> None:
        if self._left_out(event.symbol):
            return
        self.intents[run, event.intent_id] = IntentCost(
            run=run,
            intent_id=event.intent_id,
            engine=event.engine,
            tactic=event.tactic,
            strategy=event.strategy,
            symbol=event.symbol,
            side=event.side,
            purpose=event.purpose,
            decided_ns=event.at_ns,
            arrival=event.arrival_mid,
            wanted=event.quantity,
        )

    def _on_refused(self, run: str, event: OrderRefused) -> None:
        """Refused at the door, after approval: nothing was sent, so nothing was missed in the market."""
        intent = self.intents.get((run, event.intent_id))
        if intent is not None and not intent.fills:
            del self.intents[run, event.intent_id]

    def _on_submitted(self, run: str, event: OrderSubmitted) -> None:
        if self._left_out(event.symbol):
            return
        self._orders[run, event.client_order_id] = event
        intent = self.intents.get((run, event.intent_id))
        if intent is not None and event.order_type is OrderType.STOP_LIMIT:
            intent.arrival, intent.waits_for_trigger = arrival_of(event), True

    def _on_filled(self, run: str, event: OrderFilled) -> None:
        if self._left_out(event.symbol):
            return
        order = self._orders.get((run, event.client_order_id))
        if order is None or arrival_of(order) <= 0:
            self.unpriced_fills += 1
            return
        intent = self.intents.get((run, order.intent_id)) or self._unapproved(run, order)
        intent.fills.append(price_fill(event, order))

    def _unapproved(self, run: str, order: OrderSubmitted) -> IntentCost:
        """An order whose approval is not in the log that was read."""
        intent = self.intents[run, order.intent_id] = IntentCost(
            run=run,
            intent_id=order.intent_id,
            engine=UNKNOWN,
            tactic=order.tactic or UNKNOWN,
            strategy=order.strategy or UNKNOWN,
            symbol=order.symbol,
            side=order.side,
            purpose=order.purpose,
            decided_ns=order.at_ns,
            arrival=arrival_of(order),
            wanted=order.quantity,
            waits_for_trigger=order.order_type is OrderType.STOP_LIMIT,
        )
        return intent

    def _on_fill_marked(self, run: str, event: FillMarked) -> None:
        intent = self.intents.get((run, event.intent_id))
        for number, fill in enumerate(intent.fills if intent else ()):
            if (fill.client_order_id, fill.trade_id) == (event.client_order_id, event.trade_id):
                assert intent is not None
                intent.fills[number] = msgspec.structs.replace(
                    fill, mark_outs=_mark_outs(fill, intent.side, event.mids)
                )

    def _on_miss_marked(self, run: str, event: MissMarked) -> None:
        intent = self.intents.get((run, event.intent_id))
        if intent is not None:
            intent.last_mid = event.mid


def check_keys(by: Sequence[str]) -> None:
    """Raises ConfigError that names the key and what there is."""
    for key in by:
        if key not in KEYS and key not in FILL_KEYS:
            raise ConfigError(f"--by {key}: no such grouping. Fix: one or more of {', '.join([*KEYS, *FILL_KEYS])}.")


def arrival_of(order: OrderSubmitted) -> Decimal:
    """What the fills of an order are measured against; zero when it has no such price."""
    if order.order_type is OrderType.STOP_LIMIT and order.stop_price is not None:
        return order.stop_price
    return order.arrival_mid


def price_fill(fill: OrderFilled, order: OrderSubmitted) -> FillCost:
    """The parts of one fill's shortfall. The order has an arrival price."""
    with localcontext(EXACT):
        sign, quantity, arrival = fill.side.sign, fill.quantity, arrival_of(order)
        stop = order.order_type is OrderType.STOP_LIMIT
        quoted = order.bid > 0 and order.ask > 0 and not stop
        mid = (order.bid + order.ask) / 2 if quoted else arrival
        half = (order.ask - order.bid) / 2 if quoted else ZERO
        moved = sign * (fill.price - arrival) * quantity
        if fill.liquidity is Liquidity.MAKER:
            spread, impact = max(sign * (fill.price - mid), -half) * quantity, ZERO
            delay = moved - spread
        else:
            delay, spread = sign * (mid - arrival) * quantity, half * quantity
            impact = sign * (fill.price - mid) * quantity - spread
        return FillCost(
            client_order_id=fill.client_order_id,
            trade_id=fill.trade_id,
            order_type=order.order_type.value,
            liquidity=fill.liquidity,
            quantity=quantity,
            price=fill.price,
            arrival=arrival,
            notional=quantity * arrival,
            delay=delay,
            spread=spread,
            impact=impact,
            fees=fill.fee,
            shortfall=moved + fill.fee,
            quoted=quoted or stop,
        )


def _mark_outs(fill: FillCost, side: Side, mids: Mapping[str, Decimal]) -> dict[str, Decimal]:
    with localcontext(EXACT):
        return {seconds: side.sign * (mid - fill.price) * fill.quantity for seconds, mid in mids.items()}


def _key(by: Sequence[str], intent: IntentCost, fill: FillCost | None = None) -> tuple[str, ...]:
    found = []
    for name in by:
        if name in KEYS:
            found.append(KEYS[name](intent))
        else:
            assert fill is not None, "rows by a property of the fill are made from fills"
            found.append(FILL_KEYS[name](fill))
    return tuple(found)


def _row(key: tuple[str, ...], members: Sequence[tuple[IntentCost, Sequence[FillCost]]], *, by_fill: bool) -> CostRow:
    fills = [fill for _, some in members for fill in some]
    with localcontext(EXACT):
        missed = [cost for intent, _ in members if (cost := intent.missed) is not None]
        return CostRow(
            key=key,
            intents=len(members),
            fills=len(fills),
            unquoted=sum(1 for fill in fills if not fill.quoted),
            notional=_total(fill.notional for fill in fills),
            delay=_total(fill.delay for fill in fills),
            spread=_total(fill.spread for fill in fills),
            impact=_total(fill.impact for fill in fills),
            fees=_total(fill.fees for fill in fills),
            shortfall=_total(fill.shortfall for fill in fills),
            wanted=None if by_fill else _total(intent.wanted * intent.arrival for intent, _ in members),
            missed=None if by_fill else _total(missed),
            missed_intents=0 if by_fill else len(missed),
            mark_outs=_mean_mark_outs(fills),
        )


def _mean_mark_outs(fills: Iterable[FillCost]) -> dict[str, Decimal]:
    """Weighted by notional, over the fills that have a mark of that time."""
    amounts: dict[str, Decimal] = {}
    notionals: dict[str, Decimal] = {}
    for fill in fills:
        for seconds, amount in fill.mark_outs.items():
            amounts[seconds] = amounts.get(seconds, ZERO) + amount
            notionals[seconds] = notionals.get(seconds, ZERO) + fill.notional
    return {seconds: amounts[seconds] / notionals[seconds] * BPS for seconds in sorted(amounts, key=int)}


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
