"""What does a person want to see of a running bot? One frozen picture of the moment, for panel, `top` and dashboard.

Taken without I/O and without changing anything. It travels over the control socket as plain values and is the same
value again at the other end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, Account, MarginRates, Mode, Position, Side, Value
from gpt_trader.ops.account_answers import Answer
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.risk.guard_values import Reading
from gpt_trader.risk.liquidation import liquidation_price
from gpt_trader.risk.rules import maintenance_rate

__all__ = [
    "GuardLine",
    "OpenOrder",
    "Picture",
    "PositionLine",
    "StopLine",
    "SymbolLine",
    "answer_of",
    "picture_from",
    "picture_of",
]

TICK_OF_UNLISTED: Final = Decimal("0.01")
"""Places of prices of a position whose product the venue lists no more."""


class SymbolLine(Value, frozen=True, kw_only=True):
    """One symbol that is traded or held."""

    symbol: str
    tick: Decimal
    mark: Decimal | None = None
    mark_age_seconds: float | None = None
    paused: str = ""
    """Why its entries are paused."""


class PositionLine(Value, frozen=True, kw_only=True):
    """What is held of one symbol; `quantity` is signed."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    opened_ns: int
    mark: Decimal | None = None
    unrealised: Decimal | None = None
    liquidation_price: Decimal | None = None
    """If this price alone moves; None where no price does it, or the venue says nothing of margin."""
    external: bool = False
    """Somebody else's: it counts and is not traded."""

    @property
    def liquidation_distance(self) -> Decimal | None:
        """Share of the mark."""
        if self.liquidation_price is None or not self.mark:
            return None
        return abs(self.mark - self.liquidation_price) / self.mark


class OpenOrder(Value, frozen=True, kw_only=True):
    """An order that may still fill."""

    client_order_id: str
    intent_id: str
    symbol: str
    side: Side
    order_type: str
    time_in_force: str
    quantity: Decimal
    filled: Decimal
    state: str
    submitted_ns: int
    purpose: str
    tactic: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    cancel_requested: str = ""


class StopLine(Value, frozen=True, kw_only=True):
    """A stop or target that is kept."""

    symbol: str
    kind: str
    side: Side
    trigger_price: Decimal
    keeper: str


class GuardLine(Value, frozen=True, kw_only=True):
    """What a guard measured at its last run; one that is tripped may not be measured any more."""

    guard: str
    symbol: str
    value: Decimal | None = None
    threshold: Decimal | None = None
    unit: str = ""
    action: str = ""
    tripped: str = ""
    """Why; empty while it is not."""


class Picture(Value, frozen=True, kw_only=True):
    """A running bot at one moment. Money in the account's currency."""

    run: str
    profile: str
    venue: str
    engine: str
    engine_reason: str
    time_ns: int
    mode: Mode
    caught_up: bool
    """Recovery is over; before, nothing leaves."""
    cancelling: bool
    """Entries are being cancelled and one is not proven gone."""
    equity: Decimal | None
    """None while something is held that has no mark."""
    price_pnl: Decimal | None
    fees: Decimal
    funding: Decimal
    drawdown: Decimal
    """Share of the highest equity."""
    initial_margin: Decimal
    maintenance_margin: Decimal
    available_margin: Decimal
    account_age_seconds: float
    orders: int
    fills: int
    refused: int
    events: int
    symbols: tuple[SymbolLine, ...]
    positions: tuple[PositionLine, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    stops: tuple[StopLine, ...] = ()
    tactics: tuple[str, ...] = ()
    """Intents that are being worked."""
    guards: tuple[GuardLine, ...] = ()
    disk_free_bytes: int | None = None

    @property
    def headroom(self) -> Decimal | None:
        """What may be lost before the venue liquidates, as a share of equity; 1 without a position."""
        if self.equity is None or self.equity <= ZERO:
            return None
        return (self.equity - self.maintenance_margin) / self.equity


def picture_of(built: BuiltBot, run: str) -> Picture:
    """As of now. `run` is the name of the run's folder."""
    bot, ledger = built.bot, built.bot.ledger
    now_ns, account, marks = bot.clock.now_ns(), bot.adapter.account(), bot.marks()
    priced = ledger.positions().keys() <= marks.keys()
    equity = ledger.equity(marks) if priced else None
    return Picture(
        run=run,
        profile=built.profile,
        venue=bot.adapter.name,
        engine=bot.engine.name,
        engine_reason=built.selection.reason,
        time_ns=now_ns,
        mode=bot.guards.mode,
        caught_up=bot.caught_up,
        cancelling=bot.guards.is_cancelling,
        equity=equity,
        price_pnl=ledger.price_pnl(marks) if priced else None,
        fees=ledger.fees,
        funding=ledger.funding,
        drawdown=bot.equity.drawdown,
        initial_margin=account.initial_margin,
        maintenance_margin=account.maintenance_margin,
        available_margin=account.available_margin,
        account_age_seconds=_seconds(now_ns, account.received_ns),
        orders=built.metrics.orders,
        fills=built.metrics.fills,
        refused=sum(built.metrics.refusals.values()),
        events=bot.journal.head.sequence,
        symbols=tuple(_symbol(built, symbol, now_ns) for symbol in (*bot.settings.symbols, *_held_beside(built))),
        positions=tuple(_positions(built, account, marks, equity)),
        open_orders=tuple(_open_order(order) for order in bot.orders.living()),
        stops=tuple(
            StopLine(
                symbol=stop.symbol,
                kind=stop.kind.value,
                side=stop.side,
                trigger_price=stop.trigger_price,
                keeper=stop.keeper.value,
            )
            for stop in bot.stops.kept()
        ),
        tactics=tuple(bot.tracker.working()),
        guards=tuple(guard_lines(bot.guards.readings(), bot.guards.tripped())),
        disk_free_bytes=None if bot.adapter.simulated else bot.journal.free_bytes(),
    )


def answer_of(picture: Picture) -> Answer:
    """As it travels: decimals as text."""
    answer: Answer = msgspec.to_builtins(picture)
    return answer


def picture_from(answer: Mapping[str, object]) -> Picture:
    """The picture in an answer. Raises msgspec.ValidationError where the bot is of another release."""
    return msgspec.convert(answer, Picture)


def guard_lines(readings: Iterable[Reading], tripped: Iterable[tuple[str, str, str]]) -> list[GuardLine]:
    """What is tripped comes first, also where it is not measured any more."""
    reasons = {(guard, symbol): reason for guard, symbol, reason in tripped}
    measured = {(reading.guard, reading.symbol): reading for reading in readings}
    keys = [*sorted(reasons), *(key for key in measured if key not in reasons)]
    return [_guard_line(key, measured.get(key), reasons.get(key, "")) for key in keys]


def _guard_line(key: tuple[str, str], reading: Reading | None, tripped: str) -> GuardLine:
    guard, symbol = key
    if reading is None:
        return GuardLine(guard=guard, symbol=symbol, tripped=tripped)
    return GuardLine(
        guard=guard,
        symbol=symbol,
        value=reading.value,
        threshold=reading.threshold,
        unit=reading.unit,
        action=reading.action.value,
        tripped=tripped,
    )


def _seconds(now_ns: int, then_ns: int) -> float:
    return round((now_ns - then_ns) / NS, 3)


def _held_beside(built: BuiltBot) -> list[str]:
    """Symbols that are held and not traded."""
    ledger, traded = built.bot.ledger, set(built.bot.settings.symbols)
    return [symbol for symbol in dict.fromkeys((*ledger.positions(), *ledger.externals())) if symbol not in traded]


def _symbol(built: BuiltBot, symbol: str, now_ns: int) -> SymbolLine:
    bot = built.bot
    product, mark = bot.adapter.products().get(symbol), bot.adapter.market.mark(symbol)
    return SymbolLine(
        symbol=symbol,
        tick=product.tick if product is not None else TICK_OF_UNLISTED,
        mark=None if mark is None else mark.price,
        mark_age_seconds=None if mark is None else _seconds(now_ns, mark.received_ns),
        paused=bot.guards.pause_reason(symbol),
    )


def _positions(
    built: BuiltBot, account: Account, marks: Mapping[str, Decimal], equity: Decimal | None
) -> Iterable[PositionLine]:
    ledger = built.bot.ledger
    held = {symbol: each for symbol, each in ledger.positions().items() if each.quantity}
    rates = _rates(built, account, marks, [*held.values(), *ledger.externals().values()])
    for each in held.values():
        yield _position(each, account, marks.get(each.symbol), equity, rates.get(each.symbol), external=False)
    for each in ledger.externals().values():
        yield _position(each, account, marks.get(each.symbol), equity, rates.get(each.symbol), external=True)


def _position(
    held: Position,
    account: Account,
    mark: Decimal | None,
    equity: Decimal | None,
    rate: Decimal | None,
    *,
    external: bool,
) -> PositionLine:
    liquidated = None
    if mark is not None and equity is not None and rate is not None:
        liquidated = liquidation_price(
            held.quantity, mark, equity=equity, maintenance_margin=account.maintenance_margin, rate=rate
        )
    return PositionLine(
        symbol=held.symbol,
        quantity=held.quantity,
        entry_price=held.entry_price,
        opened_ns=held.opened_ns,
        mark=mark,
        unrealised=None if mark is None else held.quantity * (mark - held.entry_price),
        liquidation_price=liquidated,
        external=external,
    )


def _rates(built: BuiltBot, account: Account, marks: Mapping[str, Decimal], held: list[Position]) -> dict[str, Decimal]:
    """Maintenance margin as a share of notional, by symbol: the products' rates, scaled so that together they are the
    sum that the venue names. Empty where it names none."""
    now_ns, config = built.bot.clock.now_ns(), built.parts.config
    plain: dict[str, Decimal] = {}
    total = ZERO
    for each in held:
        side = Side.BUY if each.quantity > 0 else Side.SELL
        rates: MarginRates | None = built.parts.collector.margin_of(each.symbol)
        plain[each.symbol] = maintenance_rate(each.symbol, rates, side, config, now_ns)
        total += abs(each.quantity) * marks.get(each.symbol, each.entry_price) * plain[each.symbol]
    if not total or not account.maintenance_margin:
        return {}
    return {symbol: rate * account.maintenance_margin / total for symbol, rate in plain.items()}


def _open_order(order: ManagedOrder) -> OpenOrder:
    sent = order.submitted
    return OpenOrder(
        client_order_id=order.client_order_id,
        intent_id=sent.intent_id,
        symbol=sent.symbol,
        side=sent.side,
        order_type=sent.order_type.value,
        time_in_force=sent.time_in_force.value,
        quantity=sent.quantity,
        filled=order.filled,
        state=order.state.value,
        submitted_ns=sent.at_ns,
        purpose=sent.purpose.value,
        tactic=sent.tactic,
        limit_price=sent.limit_price,
        stop_price=sent.stop_price,
        cancel_requested=order.cancel_requested,
    )
