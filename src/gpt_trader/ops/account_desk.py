"""What does an account hold, and what may a person order by hand? Answers of a bot, and orders at its front door.

A manual order is an intent like any other: it enters at row 3 of the hallway, is validated, sized and judged, and is
refused by the same codes. Nothing here knows a venue.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, TypeVar

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.ids import intent_id
from gpt_trader.core.values import ZERO, OrderRequest, OrderTicket, OrderType, Side, TimeInForce
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.ops.account_answers import (
    Answer,
    account_answer,
    fee_answer,
    order_answer,
    position_answer,
    preview_answer,
    product_answer,
    report_answer,
)
from gpt_trader.placement.reconcilers import EventBasedReconciler

__all__ = ["WHO", "AccountDesk", "cannot_edit", "manual_order", "preview_order"]

T = TypeVar("T", bound=StrEnum)
WHO: Final = "operator"
"""Strategy of an order that a person gave."""
CANCEL_SECONDS: Final = 5.0
"""How long a cancel is waited for; what it became afterwards is told by the list."""
DEFAULTS: Final = {OrderType.MARKET: TimeInForce.IOC, OrderType.LIMIT: TimeInForce.GTC}


class AccountDesk:
    """Over one bot."""

    def __init__(self, built: BuiltBot) -> None:
        self._bot = built.bot
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
        return report_answer(await self._bot.engine.place_order(order))

    async def preview(self, arguments: Mapping[str, str]) -> Answer:
        """See preview_order."""
        return await preview_order(self._bot.adapter, arguments, self._bot.clock.now_ns())

    async def cancel(self, arguments: Mapping[str, str], reason: str) -> Answer:
        """One order by the beginning of its id. Raises ConfigError where none or several are meant."""
        wanted = arguments.get("order", "")
        found = [order for order in self._bot.orders.living() if wanted and order.client_order_id.startswith(wanted)]
        if len(found) != 1:
            living = ", ".join(order.client_order_id for order in self._bot.orders.living())
            what = "no living order of this run" if not found else f"the beginning of {len(found)} orders"
            raise ConfigError(f"order {wanted!r}: {what}; {f'there are {living}' if living else 'none is alive'}")
        order = found[0]
        await self._bot.submitter.cancel(order, f"{WHO}: {reason}")
        await EventBasedReconciler(self._bot.orders).until_settled(order, CANCEL_SECONDS)
        return {"order": order.client_order_id, "state": order.state.value, "filled": str(order.filled)}

    async def edit(self, arguments: Mapping[str, str]) -> Answer:
        """Raises ConfigError."""
        raise cannot_edit(self._bot.adapter, arguments)


async def preview_order(adapter: ExchangeAdapter, arguments: Mapping[str, str], now_ns: int) -> Answer:
    """The body that would leave, and the venue's own forecast. Raises ConfigError, Refused, ExchangeError."""
    order = manual_order(arguments, key=str(now_ns), now_ns=now_ns, valid_seconds=1.0, reason="preview")
    prepared = adapter.prepare(_ticket(order))
    answer: Answer = {"body": prepared.body.decode(), "digest": prepared.digest}
    if not adapter.capabilities.preview:
        return {**answer, "preview": f"{adapter.name} has no preview"}
    return {**answer, **preview_answer(await adapter.preview(prepared))}


def cannot_edit(adapter: ExchangeAdapter, arguments: Mapping[str, str]) -> ConfigError:
    """No venue that is built can do it."""
    wanted = arguments.get("order", "")
    return ConfigError(
        f"order {wanted!r}: {adapter.name} cannot edit orders. Fix: orders cancel {wanted}, then orders place"
    )


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
