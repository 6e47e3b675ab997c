"""What does an account hold, and what may a person order by hand? Answers of a bot, and orders at its front door.

A manual order is an intent like any other: it enters at row 3 of the hallway, is validated, sized and judged, and is
refused by the same codes. Nothing here knows a venue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, TypeVar

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.bot.way_out import WayOut, cancel_each
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.ids import intent_id
from gpt_trader.core.values import (
    ZERO,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    Replaced,
    Side,
    TimeInForce,
)
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.execution.stop_triggers import STOPS
from gpt_trader.ops.account_answers import (
    Answer,
    account_answer,
    fee_answer,
    flatten_answer,
    order_answer,
    position_answer,
    preview_answer,
    product_answer,
    report_answer,
)
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.reconcilers import EventBasedReconciler
from gpt_trader.placement.simple_limit import AS_ASKED

__all__ = ["ALL", "MARKET", "WHO", "AccountDesk", "edited_order", "manual_order", "preview_order"]

T = TypeVar("T", bound=StrEnum)
WHO: Final = "operator"
"""Strategy of an order that a person gave."""
MARKET: Final = "market"
"""Tactic that closes where none is named."""
ALL: Final = "all"
"""Stands where the name of an order or a symbol would."""
CANCEL_SECONDS: Final = 5.0
"""How long a cancel is waited for; what it became afterwards is told by the list."""
EDITABLE: Final = frozenset({OrderState.ACTIVE, OrderState.PARTIALLY_FILLED})
DEFAULTS: Final = {OrderType.MARKET: TimeInForce.IOC, OrderType.LIMIT: TimeInForce.GTC}


class AccountDesk:
    """Over one bot."""

    def __init__(self, built: BuiltBot) -> None:
        self._bot = built.bot
        self._way_out = WayOut(built.bot, built.parts.tactics)
        self._count = 0

    # --- questions ------------------------------------------------------------------------------------------------
    def account(self) -> Answer:
        adapter = self._bot.adapter
        return account_answer(adapter.name, adapter.account_name, adapter.account(), self._bot.clock.now_ns())

    def positions(self) -> Answer:
        marks = self._bot.marks()
        held = self._bot.ledger.positions()
        return {
            "positions": [
                position_answer(symbol, each.quantity, each.entry_price, marks.get(symbol))
                for symbol, each in held.items()
                if each.quantity
            ]
        }

    def orders(self) -> Answer:
        now_ns = self._bot.clock.now_ns()
        return {"orders": [order_answer(order, now_ns) for order in self._bot.orders.living()]}

    def products(self) -> Answer:
        listed = self._bot.adapter.products()
        return {"products": [product_answer(listed[symbol]) for symbol in self._bot.settings.symbols]}

    def fees(self) -> Answer:
        listed = self._bot.adapter.products()
        fees = [fee_answer(listed[symbol]) for symbol in self._bot.settings.symbols]
        return {"fees": fees, "paid_in_this_run": str(self._bot.ledger.fees)}

    # --- commands -------------------------------------------------------------------------------------------------
    async def place(self, arguments: Mapping[str, str], reason: str) -> Answer:
        """Raises ConfigError for an order that is not understood; what a rule refuses is an answer."""
        now_ns = self._bot.clock.now_ns()
        self._count += 1
        order = manual_order(
            arguments,
            key=f"{now_ns}-{self._count}",
            now_ns=now_ns,
            valid_seconds=self._bot.settings.intent_valid_seconds,
            reason=reason,
        )
        return report_answer(await self._bot.place_order(order))

    async def preview(self, arguments: Mapping[str, str]) -> Answer:
        """See preview_order."""
        return await preview_order(self._bot.adapter, arguments, self._bot.clock.now_ns())

    async def cancel(self, arguments: Mapping[str, str], reason: str) -> Answer:
        """One order by the beginning of its id, or `all` but stops. Raises ConfigError unless one is meant."""
        if arguments.get("order") == ALL:
            return await self._cancel_all(reason)
        order = self._living(arguments)
        await self._bot.submitter.cancel(order, f"{WHO}: {reason}")
        await EventBasedReconciler(self._bot.orders).until_settled(order, CANCEL_SECONDS)
        return {"order": order.client_order_id, "state": order.state.value, "filled": str(order.filled)}

    async def flatten(self, arguments: Mapping[str, str], reason: str, who: str = WHO) -> Answer:
        """As a kill, and out of everything that is the bot's. Raises ConfigError for a tactic or a mode in which no
        close may leave."""
        bot, tactic = self._bot, arguments.get("tactic", MARKET)
        self._way_out.check(tactic)
        bot.guards.kill(who, reason)
        _, ended = await asyncio.gather(
            bot.guards.cancel_now(),
            self._way_out.out_of(self._way_out.everything(), tactic=tactic, reason=f"flatten: {reason}"),
        )
        bot.look_now()
        return {"mode": bot.guards.mode.value, **flatten_answer(ended, bot.ledger.externals())}

    async def close(self, arguments: Mapping[str, str], reason: str, who: str = WHO) -> Answer:
        """Out of one symbol, whose entries are paused. Raises ConfigError, also for a symbol that is not there."""
        symbol, tactic = arguments.get("symbol", ""), arguments.get("tactic", MARKET)
        known = self._way_out.everything()
        if symbol not in known:
            raise ConfigError(f"symbol {symbol!r}: not traded here. Fix: one of {', '.join(known)}")
        self._way_out.check(tactic)
        self._bot.guards.pause(symbol, reason, who)
        ended = await self._way_out.out_of((symbol,), tactic=tactic, reason=f"close: {reason}")
        return {"paused": symbol, **flatten_answer(ended, self._bot.ledger.externals())}

    async def _cancel_all(self, reason: str) -> Answer:
        """Every living order but stops, which go on to protect; tactics end with what they got."""
        bot, why = self._bot, f"{WHO}: {reason}"
        bot.tracker.tell_to_end(why, exits=True)
        orders = [order for order in bot.orders.living() if order.submitted.strategy != STOPS]
        failed = await cancel_each(bot, orders, why)
        settled = EventBasedReconciler(bot.orders)
        await asyncio.gather(*(settled.until_settled(order, CANCEL_SECONDS) for order in orders))
        return {
            "orders": {order.client_order_id: f"{order.state.value}, {order.filled:f} filled" for order in orders},
            "failed": list(failed),
            "stops": [stop.stop_id for stop in bot.stops.kept()],
        }

    async def edit(self, arguments: Mapping[str, str], reason: str) -> Answer:
        """Another order in the place of a resting one. Raises ConfigError for what cannot be changed so; what a rule
        refuses is an answer, and the old order then stands as it was unless the answer says otherwise."""
        old = self._living(arguments)
        report = await self._bot.engine.place_order(self._edited(old, arguments, reason))
        replaced = {"order": old.client_order_id, "state": old.state.value, "filled": str(old.filled)}
        return {"replaced": replaced, **report_answer(report)}

    async def preview_edit(self, arguments: Mapping[str, str]) -> Answer:
        """What would be taken back, the body that would leave, and the venue's forecast. Raises ConfigError, Refused,
        ExchangeError."""
        old = self._living(arguments)
        order = self._edited(old, arguments, "preview")
        terms = order_answer(old, self._bot.clock.now_ns())
        replaced = {name: terms[name] for name in ("order", "side", "limit", "quantity", "filled", "state")}
        return {"replaced": replaced, **await forecast(self._bot.adapter, order)}

    def _edited(self, old: ManagedOrder, arguments: Mapping[str, str], reason: str) -> OrderRequest:
        now_ns = self._bot.clock.now_ns()
        self._count += 1
        return edited_order(
            old,
            arguments,
            key=f"{now_ns}-{self._count}",
            now_ns=now_ns,
            valid_seconds=self._bot.settings.intent_valid_seconds,
            reason=reason,
        )

    def _living(self, arguments: Mapping[str, str]) -> ManagedOrder:
        wanted = arguments.get("order", "")
        found = [order for order in self._bot.orders.living() if wanted and order.client_order_id.startswith(wanted)]
        if len(found) != 1:
            living = ", ".join(order.client_order_id for order in self._bot.orders.living())
            what = "no living order of this run" if not found else f"the beginning of {len(found)} orders"
            raise ConfigError(f"order {wanted!r}: {what}; {f'there are {living}' if living else 'none is alive'}")
        return found[0]


async def preview_order(adapter: ExchangeAdapter, arguments: Mapping[str, str], now_ns: int) -> Answer:
    """The body that would leave, and the venue's own forecast. Raises ConfigError, Refused, ExchangeError."""
    return await forecast(
        adapter, manual_order(arguments, key=str(now_ns), now_ns=now_ns, valid_seconds=1.0, reason="preview")
    )


async def forecast(adapter: ExchangeAdapter, order: OrderRequest) -> Answer:
    """Raises Refused, ExchangeError."""
    prepared = adapter.prepare(_ticket(order))
    answer: Answer = {"body": prepared.body.decode(), "digest": prepared.digest}
    if not adapter.capabilities.preview:
        return {**answer, "preview": f"{adapter.name} has no preview"}
    return {**answer, **preview_answer(await adapter.preview(prepared))}


def manual_order(
    arguments: Mapping[str, str], *, key: str, now_ns: int, valid_seconds: float, reason: str
) -> OrderRequest:
    """What a person said, as an intent of its own. Raises ConfigError naming the field."""
    symbol = arguments.get("symbol", "")
    side = _one_of(arguments, "side", Side)
    limit = _number(arguments, "limit")
    order_type = OrderType.MARKET if limit is None else OrderType.LIMIT
    quantity = _number(arguments, "quantity")
    if not symbol or quantity is None:
        raise ConfigError("an order needs symbol, side and quantity")
    tif = _one_of(arguments, "tif", TimeInForce) if arguments.get("tif") else DEFAULTS[order_type]
    return OrderRequest(
        intent_id=intent_id(WHO, symbol, key, side.value.lower()),
        strategy=WHO,
        symbol=symbol,
        side=side,
        quantity=quantity,
        order_type=order_type,
        time_in_force=tif,
        limit_price=limit,
        post_only=_yes(arguments, "post_only"),
        reduce_only=_yes(arguments, "reduce_only"),
        tactic=arguments.get("tactic", ""),
        created_ns=now_ns,
        valid_until_ns=now_ns + round(valid_seconds * NS),
        reason=reason,
    )


def edited_order(
    old: ManagedOrder, arguments: Mapping[str, str], *, key: str, now_ns: int, valid_seconds: float, reason: str
) -> OrderRequest:
    """What is to stand in the place of a resting order: another price, another whole quantity, or both. Raises
    ConfigError naming what cannot be changed so."""
    submitted, name = old.submitted, old.client_order_id
    _check_editable(old)
    limit = _number(arguments, "limit") or submitted.limit_price
    whole = _number(arguments, "quantity") or submitted.quantity
    if (limit, whole) == (submitted.limit_price, submitted.quantity):
        raise ConfigError(f"order {name}: nothing to change. Fix: --limit or --quantity other than they are")
    if whole <= old.filled:
        raise ConfigError(
            f"quantity = {whole}: order {name} has filled {old.filled} already; the quantity is that of the whole "
            f"order. Fix: more than that, or orders cancel {name}"
        )
    return OrderRequest(
        intent_id=intent_id(WHO, submitted.symbol, key, submitted.side.value.lower()),
        strategy=WHO,
        symbol=submitted.symbol,
        side=submitted.side,
        quantity=whole - old.filled,
        order_type=OrderType.LIMIT,
        time_in_force=submitted.time_in_force,
        limit_price=limit,
        expire_ns=submitted.expire_ns,
        post_only=submitted.post_only,
        reduce_only=submitted.reduce_only,
        created_ns=now_ns,
        valid_until_ns=now_ns + round(valid_seconds * NS),
        replaces=Replaced(client_order_id=name, filled=old.filled),
        reason=reason,
    )


def _check_editable(old: ManagedOrder) -> None:
    """Whoever else owns an order decides its price himself. Raises ConfigError."""
    submitted, name = old.submitted, old.client_order_id
    why = ""
    if submitted.strategy != WHO:
        why = f"it is {submitted.strategy}'s, which decides its price itself"
    elif submitted.tactic != AS_ASKED:
        why = f"the tactic {submitted.tactic} works it, and decides its price itself"
    elif submitted.order_type is not OrderType.LIMIT:
        why = f"it is a {submitted.order_type.value} order; only resting limit orders can be changed"
    elif old.state not in EDITABLE:
        why = f"it is {old.state.value}: what became of it is not known yet"
    elif old.cancel_requested:
        why = f"its cancel was asked for ({old.cancel_requested})"
    if why:
        raise ConfigError(f"order {name}: {why}. Fix: orders cancel {name}, then orders place")


def _ticket(order: OrderRequest) -> OrderTicket:
    return OrderTicket(
        client_order_id="gt-preview",
        intent_id=order.intent_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        expire_ns=order.expire_ns,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        purpose=order.purpose,
        valid_until_ns=order.valid_until_ns,
    )


def _one_of(arguments: Mapping[str, str], name: str, kind: type[T]) -> T:
    said = arguments.get(name, "").upper()
    known = [each.value for each in kind]
    if said not in known:
        raise ConfigError(f"{name} = {arguments.get(name, '')!r}. Fix: one of {', '.join(known)}")
    return kind(said)


def _number(arguments: Mapping[str, str], name: str) -> Decimal | None:
    said = arguments.get(name, "")
    if not said:
        return None
    try:
        found = Decimal(said)
    except InvalidOperation:
        found = ZERO
    if not found.is_finite() or found <= ZERO:
        raise ConfigError(f"{name} = {said!r}: not a number above zero")
    return found


def _yes(arguments: Mapping[str, str], name: str) -> bool:
    said = arguments.get(name, "false")
    if said not in {"true", "false"}:
        raise ConfigError(f"{name} = {said!r}. Fix: true or false")
    return said == "true"
