"""How much of this order is allowed, if any? The risk stage's judgement, with every number that it used."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NoReturn

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number, Refusal, Refused, Stage
from gpt_trader.core.events import Event, OrderApproved
from gpt_trader.core.order_rules import check_quantity, clamp_to_position, floor_to_lot
from gpt_trader.core.values import (
    Mode,
    NormalizedOrderRequest,
    Purpose,
    Side,
    Snapshot,
    Value,
)
from gpt_trader.risk import rules
from gpt_trader.risk.rules import Cap

__all__ = ["Approved", "LiveRiskManager"]

RATE_WINDOW_NS: Final = 60 * NS
ENTRIES_MAX: Final = 100_000
"""Times of entries that are kept; no cap can be set above it."""

Trace = dict[str, Number]


class Approved(Value, frozen=True, kw_only=True):
    """What may be sent, on the lot grid, and why not more."""

    quantity: Decimal
    trace: Mapping[str, Number]


class LiveRiskManager:
    """Judges one order at a time against one snapshot; asks nobody, remembers only when it last let entries through.

    Exits pass the kill switch, reduce-only mode, pauses and stale data, clamped to what is open. Entries shrink to the
    smallest cap. Neither is ever enlarged.
    """

    def __init__(self, config: RiskConfig) -> None:
        self.config = config
        self._entries_ns: deque[int] = deque(maxlen=ENTRIES_MAX)
        """Those of the last minute, by the newest; whatever the cap is, so that a snapshot fits any."""

    def reload(self, config: RiskConfig) -> None:
        """Judge by other limits from now on; the order rate of the last minute still counts."""
        self.config = config

    def restore(self, event: Event) -> None:
        """Take one stored event back in after a restart: what was let through in the last minute still counts."""
        if isinstance(event, OrderApproved) and event.purpose is Purpose.ENTRY:
            self._forget_entries(event.at_ns)
            self._entries_ns.append(event.at_ns)

    def state(self) -> tuple[int, ...]:
        """For a snapshot: when entries were let through, as far back as it counts."""
        return tuple(self._entries_ns)

    def load(self, state: tuple[int, ...]) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._entries_ns.extend(state)

    def _forget_entries(self, now_ns: int) -> None:
        while self._entries_ns and now_ns - self._entries_ns[0] >= RATE_WINDOW_NS:
            self._entries_ns.popleft()

    def approve(self, request: NormalizedOrderRequest, quantity: Decimal, now_ns: int) -> Approved:
        """Allow `quantity` base units (as sized by the engine) or less. Raises Refused at Stage.RISK."""
        trace: Trace = {"asked": request.order.quantity, "sized": quantity}
        if not (quantity.is_finite() and quantity > 0):
            raise Refused(Stage.RISK, Refusal.INVALID_QUANTITY, quantity=str(quantity))
        mode = request.snapshot.mode
        if mode in (Mode.CANCEL_ONLY, Mode.FROZEN):
            raise Refused(Stage.RISK, Refusal.NOT_ALLOWED_BY_MODE, mode=str(mode))
        _note_ages(request.snapshot, now_ns, trace)
        try:
            if request.order.purpose is Purpose.EXIT:
                final = _close(request, quantity, trace)
            else:
                final = self._enter(request, quantity, now_ns, trace)
        except Refused as refused:
            refused.before = {name: each for name, each in trace.items() if name not in refused.numbers}
            raise
        trace["quantity"] = final
        return Approved(quantity=final, trace=trace)

    def _enter(self, request: NormalizedOrderRequest, quantity: Decimal, now_ns: int, trace: Trace) -> Decimal:
        order, snapshot, config = request.order, request.snapshot, self.config
        self._check_open(snapshot)
        self._check_fresh(snapshot, trace)
        mark, equity = snapshot.exposure.mark, snapshot.account.equity
        trace.update(mark=mark, equity=equity, position=snapshot.exposure.position)
        trace["reach"] = snapshot.exposure.reach(order.side)
        if equity <= 0:
            raise Refused(Stage.RISK, Refusal.NO_EQUITY, equity=equity)
        self._check_rate(now_ns, trace)
        trace.update(rules.check_stop_distance(order, mark, config))
        trace.update(rules.check_reward_risk(order, mark, config))
        trace.update(rules.check_position_count(snapshot, config))
        final = self._fit(request, quantity, now_ns, trace)
        check_quantity(final, rules.entry_price(order, mark), snapshot.product, Purpose.ENTRY, Stage.RISK)
        self._entries_ns.append(now_ns)
        return final

    def _fit(self, request: NormalizedOrderRequest, quantity: Decimal, now_ns: int, trace: Trace) -> Decimal:
        """The largest quantity on the lot grid that neither the wish nor any cap forbids."""
        order, snapshot = request.order, request.snapshot
        caps = rules.caps(request, self.config, now_ns)
        rooms = [cap.room for cap in caps]
        _note_caps(caps, rooms, snapshot, order.side, trace)
        room = min(rooms)
        trace["bound_by"] = caps[rooms.index(room)].name if room < quantity else ""
        final = floor_to_lot(min(quantity, room), snapshot.product.lot)
        least = rules.smallest_tradable(snapshot.product, rules.entry_price(order, snapshot.exposure.mark))
        if final < least:
            _refuse_small(snapshot, quantity, least, caps)
        return final

    def _check_open(self, snapshot: Snapshot) -> None:
        """Nobody has closed the door to entries."""
        if self.config.kill_switch_enabled:
            raise Refused(Stage.RISK, Refusal.KILL_SWITCH)
        if self.config.reduce_only_mode or snapshot.mode is not Mode.NORMAL:
            raise Refused(Stage.RISK, Refusal.REDUCE_ONLY_MODE, mode=str(snapshot.mode))
        if snapshot.pause_reason:
            raise Refused(Stage.RISK, Refusal.ENTRIES_PAUSED, reason=snapshot.pause_reason)

    def _check_fresh(self, snapshot: Snapshot, trace: Trace) -> None:
        """Mark and account are known and no older than allowed."""
        age, oldest = trace.get("mark_age_seconds", "unknown"), self.config.max_mark_staleness_seconds
        if not isinstance(age, Decimal) or age > oldest or snapshot.exposure.mark <= 0:
            raise Refused(Stage.RISK, Refusal.STALE_MARK, mark_age_seconds=age, max_mark_staleness_seconds=oldest)
        age, oldest = trace["account_age_seconds"], self.config.max_account_staleness_seconds
        if not isinstance(age, Decimal) or age > oldest:
            raise Refused(
                Stage.RISK, Refusal.STALE_ACCOUNT, account_age_seconds=age, max_account_staleness_seconds=oldest
            )

    def _check_rate(self, now_ns: int, trace: Trace) -> None:
        """Fewer entries than allowed went through in the last minute; exits never count and are never held back."""
        self._forget_entries(now_ns)
        most = self.config.order_rate_per_minute_max
        recent = min(len(self._entries_ns), most or 1)
        if most and recent >= most:
            raise Refused(
                Stage.RISK, Refusal.ORDER_RATE_CAP, entries_last_minute=recent, order_rate_per_minute_max=most
            )
        trace["entries_last_minute"] = recent


def _close(request: NormalizedOrderRequest, quantity: Decimal, trace: Trace) -> Decimal:
    """A close never opens: at most what is open less what already closes it, in one order of the venue's size."""
    side, exposure, product = request.order.side, request.snapshot.exposure, request.snapshot.product
    closing = exposure.closing_buy if side is Side.BUY else exposure.closing_sell
    trace.update(position=exposure.position, closing=closing, mark=exposure.mark)
    open_quantity = clamp_to_position(side, quantity, exposure.position, closing)
    if open_quantity <= 0:
        raise Refused(
            Stage.RISK,
            Refusal.NOTHING_TO_REDUCE,
            side=str(side),
            position=exposure.position,
            closing=closing,
            quantity=quantity,
        )
    final = floor_to_lot(min(open_quantity, product.max_quantity), product.lot)
    trace["bound_by"] = _closing_bound(quantity, open_quantity, product.max_quantity)
    check_quantity(final, exposure.mark, product, Purpose.EXIT, Stage.RISK)
    return final


def _closing_bound(quantity: Decimal, open_quantity: Decimal, largest: Decimal) -> str:
    if open_quantity > largest:
        return "venue_size_cap"
    return "position" if open_quantity < quantity else ""


def _note_ages(snapshot: Snapshot, now_ns: int, trace: Trace) -> None:
    """How old the parts are at this moment, on the receive clock; exits on old parts go on and leave this behind."""
    mark = snapshot.market.mark
    trace["mark_age_seconds"] = "unknown" if mark is None else _seconds(now_ns - mark.received_ns)
    trace["account_age_seconds"] = _seconds(now_ns - snapshot.account.received_ns)


def _seconds(nanoseconds: int) -> Decimal:
    return Decimal(nanoseconds) / NS


def _note_caps(caps: tuple[Cap, ...], rooms: list[Decimal], snapshot: Snapshot, side: Side, trace: Trace) -> None:
    rates = snapshot.margin
    trace["initial_margin_rate"] = rates.initial_long if side is Side.BUY else rates.initial_short
    trace["maintenance_margin_rate"] = rates.maintenance_long if side is Side.BUY else rates.maintenance_short
    trace["available_margin"] = snapshot.account.available_margin
    for cap, room in zip(caps, rooms, strict=True):
        trace[f"{cap.name}_limit"] = cap.limit
        if cap.used:
            trace[f"{cap.name}_used"] = cap.used
        trace[f"{cap.name}_room"] = room


def _refuse_small(snapshot: Snapshot, quantity: Decimal, least: Decimal, caps: tuple[Cap, ...]) -> NoReturn:
    """Say whether the wish, the account or what is already held leaves less than the venue's least size."""
    cap, equity = rules.tightest(caps), snapshot.account.equity
    needed = [found for each in caps if (found := each.equity_needed(least)) is not None]
    numbers: Trace = {"quantity": quantity, "least": least, "mark": snapshot.exposure.mark, "equity": equity}
    if quantity < least and quantity <= cap.room:
        # a size is a share of equity, so it grows in proportion
        needed.append(equity * least / quantity)
        raise Refused(Stage.RISK, Refusal.BELOW_ONE_CONTRACT, equity_needed=max(needed), **numbers)
    numbers.update(cap=cap.name, limit=cap.limit, used=cap.used, reach=cap.reach, room=cap.room)
    if cap.equity_share is not None:
        numbers["equity_needed"] = max(needed)
    too_poor = cap.equity_share is not None and not cap.ever_affords(least)
    raise Refused(Stage.RISK, Refusal.BELOW_ONE_CONTRACT if too_poor else cap.code, **numbers)
