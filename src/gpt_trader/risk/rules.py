"""How much more may be taken, and which rule says so? Pure pre-trade rules on the exposure that would result.

Resulting exposure is position + working + unknown + this order, at the mark. Every cap answers with the room it
leaves for one side in base units, so that the smallest one wins and can be named. "Percent of equity" is notional.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number, Refusal, Refused, Stage
from gpt_trader.core.order_rules import round_stop_price
from gpt_trader.core.values import (
    ZERO,
    Exposure,
    MarginRates,
    NormalizedOrderRequest,
    OrderRequest,
    ProductSpec,
    Side,
    Snapshot,
    Value,
)

__all__ = [
    "Cap",
    "caps",
    "check_position_count",
    "check_reward_risk",
    "check_signal",
    "check_stop_distance",
    "entry_price",
    "initial_margin",
    "is_daytime",
    "leverage_cap",
    "maintenance_margin",
    "protective_stop_price",
    "smallest_tradable",
    "tightest",
]

_DOWN: Final = Context(prec=28, rounding=ROUND_FLOOR)
_DAY_SECONDS: Final = 86_400


class Cap(Value, frozen=True, kw_only=True):
    """One limit, as a straight line in the quantity held: `used + per_unit * quantity <= limit`."""

    name: str
    code: Refusal
    limit: Decimal
    """In the cap's own unit: money, or base units where `per_unit` is 1."""
    per_unit: Decimal
    """How much of the limit one base unit takes."""
    used: Decimal = ZERO
    """What other symbols already take."""
    reach: Decimal = ZERO
    """Position in the order's direction without it, if all that works fills; zero for caps on the single order."""
    equity_share: Decimal | None = None
    """By how much the limit grows with one unit of equity; None when equity does not help."""

    @property
    def room(self) -> Decimal:
        """Base units that may still be ordered; what only brings the position back to zero is always free."""
        left = self.limit - self.used
        room = (_DOWN.divide(left, self.per_unit) if left > ZERO else ZERO) - self.reach
        return max(ZERO, room)

    def equity_needed(self, quantity: Decimal) -> Decimal | None:
        """Equity at which `quantity` more would fit; None when no equity is enough."""
        if self.equity_share is None:
            return None
        return (self.used + max(ZERO, self.reach + quantity) * self.per_unit) / self.equity_share

    def ever_affords(self, quantity: Decimal) -> bool:
        """Whether `quantity` fits when nothing else is held."""
        return quantity * self.per_unit <= self.limit


def tightest(caps: Iterable[Cap]) -> Cap:
    """The cap that leaves the least room; the first of equals."""
    return min(caps, key=lambda cap: cap.room)


def caps(request: NormalizedOrderRequest, config: RiskConfig, now_ns: int) -> tuple[Cap, ...]:
    """Every cap that bears on this entry, in fixed order. Equity and mark must be above zero."""
    snapshot, side = request.snapshot, request.order.side
    equity, exposure, symbol = snapshot.account.equity, snapshot.exposure, snapshot.product.symbol
    mark, reach = exposure.mark, exposure.reach(side)
    others = sum((other.worst_notional for other in snapshot.others), ZERO)
    leverage = leverage_cap(snapshot, side, config, now_ns)

    def share(name: str, code: Refusal, of_equity: Decimal, used: Decimal) -> Cap:
        limit = equity * of_equity
        return Cap(name=name, code=code, limit=limit, per_unit=mark, used=used, reach=reach, equity_share=of_equity)

    found = [
        share("leverage_cap", Refusal.LEVERAGE_CAP, leverage, ZERO),
        share("total_leverage_cap", Refusal.LEVERAGE_CAP, Decimal(config.max_leverage), others),
        share("symbol_exposure_cap", Refusal.SYMBOL_EXPOSURE_CAP, config.max_position_pct_per_symbol, ZERO),
        share("total_exposure_cap", Refusal.TOTAL_EXPOSURE_CAP, config.max_exposure_pct, others),
        *_margin_caps(request, config, now_ns),
        *_order_caps(snapshot, config),
        *_portfolio_caps(request, config),
    ]
    if (notional := config.max_notional_per_symbol.get(symbol)) is not None:
        code = Refusal.SYMBOL_NOTIONAL_CAP
        found.append(Cap(name="symbol_notional_cap", code=code, limit=notional, per_unit=mark, reach=reach))
    if (quantity := config.max_quantity_per_symbol.get(symbol)) is not None:
        code = Refusal.SYMBOL_QUANTITY_CAP
        found.append(Cap(name="symbol_quantity_cap", code=code, limit=quantity, per_unit=Decimal(1), reach=reach))
    return tuple(found)


def _portfolio_caps(request: NormalizedOrderRequest, config: RiskConfig) -> Iterable[Cap]:
    """Longs less shorts over all symbols, and the notional of each group that the symbol belongs to.

    What others hold against this order's side lowers the net, as far as they hold it: an order of theirs that may
    still turn it counts as if it had.
    """
    snapshot, side = request.snapshot, request.order.side
    equity, exposure, symbol = snapshot.account.equity, snapshot.exposure, snapshot.product.symbol
    mark, reach = exposure.mark, exposure.reach(side)

    def share(name: str, code: Refusal, of_equity: Decimal, used: Decimal) -> Cap:
        limit = equity * of_equity
        return Cap(name=name, code=code, limit=limit, per_unit=mark, used=used, reach=reach, equity_share=of_equity)

    if config.max_net_exposure_pct:
        used = sum((other.reach(side) * other.mark for other in snapshot.others), ZERO)
        yield share("net_exposure_cap", Refusal.NET_EXPOSURE_CAP, config.max_net_exposure_pct, used)
    for group, members in config.exposure_groups.items():
        cap = config.max_exposure_pct_per_group.get(group)
        if cap is not None and symbol in members:
            used = sum((other.worst_notional for other in snapshot.others if other.symbol in members), ZERO)
            yield share(f"group_exposure_cap_{group}", Refusal.GROUP_EXPOSURE_CAP, cap, used)


def _order_caps(snapshot: Snapshot, config: RiskConfig) -> Iterable[Cap]:
    """Caps on the single order, whatever is held."""
    mark, share = snapshot.exposure.mark, config.max_position_size_pct
    limit, code = snapshot.account.equity * share, Refusal.ORDER_SIZE_CAP
    yield Cap(name="order_size_cap", code=code, limit=limit, per_unit=mark, equity_share=share)
    if (notional := config.max_notional_per_order) > 0:
        yield Cap(name="order_notional_cap", code=Refusal.ORDER_NOTIONAL_CAP, limit=notional, per_unit=mark)
    largest = snapshot.product.max_quantity
    yield Cap(name="venue_size_cap", code=Refusal.ABOVE_MAX_SIZE, limit=largest, per_unit=Decimal(1))


def _margin_caps(request: NormalizedOrderRequest, config: RiskConfig, now_ns: int) -> Iterable[Cap]:
    """What margin carries: the venue's free margin, our own sum over all that may fill, and the buffer that is left.

    Cross margin: positions are liquidated when equity falls to the maintenance margin, so
    `buffer = (equity - maintenance margin) / equity` is the share of equity that can be lost before. The projection
    takes the maintenance margin of the resulting exposure (facts of the venue: margin ratio 1 is liquidation).
    """
    snapshot, side = request.snapshot, request.order.side
    account, exposure = snapshot.account, snapshot.exposure
    equity, mark, reach = account.equity, exposure.mark, exposure.reach(side)
    one, code = Decimal(1), Refusal.INSUFFICIENT_MARGIN
    initial = _initial_rate(snapshot.margin, side)
    if initial > 0:
        per_unit = mark * (initial + snapshot.product.taker_fee_rate)
        # the venue's free margin is for what is added to the present reach
        used = equity - account.available_margin - max(ZERO, reach) * per_unit
        yield Cap(
            name="margin_available",
            code=code,
            limit=equity,
            per_unit=per_unit,
            used=used,
            reach=reach,
            equity_share=one,
        )
        used = _margin_of_others(snapshot, config, now_ns, initial=True)
        per_unit = mark * initial
        yield Cap(
            name="margin_total", code=code, limit=equity, per_unit=per_unit, used=used, reach=reach, equity_share=one
        )
    if config.enable_pre_trade_liq_projection:
        left = one - config.min_liquidation_buffer_pct
        yield Cap(
            name="liquidation_buffer",
            code=Refusal.LIQUIDATION_BUFFER,
            limit=equity * left,
            per_unit=mark * maintenance_rate(snapshot.product.symbol, snapshot.margin, side, config, now_ns),
            used=_margin_of_others(snapshot, config, now_ns, initial=False),
            reach=reach,
            equity_share=left,
        )


def _margin_of_others(snapshot: Snapshot, config: RiskConfig, now_ns: int, *, initial: bool) -> Decimal:
    """Margin of all other symbols if everything of theirs fills; never less than the venue asks for them now.

    A symbol whose rates are not known counts with the configured maintenance rate.
    """
    margin = initial_margin if initial else maintenance_margin
    account, exposure = snapshot.account, snapshot.exposure
    projected = sum((margin(other, config, now_ns) for other in snapshot.others), ZERO)
    total = account.initial_margin if initial else account.maintenance_margin
    if not total:
        return projected  # nothing is held: less our own share there is no more of it
    own = Exposure(symbol=exposure.symbol, position=exposure.position, mark=exposure.mark, margin=snapshot.margin)
    return max(projected, total - margin(own, config, now_ns))


def initial_margin(exposure: Exposure, config: RiskConfig, now_ns: int) -> Decimal:
    """Initial margin of the worst side of one symbol; at the maintenance rate where no initial rate is known."""
    if exposure.margin is None:
        return maintenance_margin(exposure, config, now_ns)
    rates = exposure.margin
    return exposure.mark * max(exposure.worst_quantity(side) * _initial_rate(rates, side) for side in Side)


def maintenance_margin(exposure: Exposure, config: RiskConfig, now_ns: int) -> Decimal:
    """Maintenance margin of the worst side of one symbol, in the account currency."""
    symbol, rates = exposure.symbol, exposure.margin
    return exposure.mark * max(
        exposure.worst_quantity(side) * maintenance_rate(symbol, rates, side, config, now_ns) for side in Side
    )


def maintenance_rate(symbol: str, rates: MarginRates | None, side: Side, config: RiskConfig, now_ns: int) -> Decimal:
    """The venue's rate; where it names none, the configured rate of the hour, else the configured default."""
    if rates is not None:
        venue = rates.maintenance_long if side is Side.BUY else rates.maintenance_short
        if venue > 0:
            return venue
    table = config.day_mmr_per_symbol if is_daytime(config, now_ns) else config.night_mmr_per_symbol
    return table.get(symbol, config.default_maintenance_margin_rate)


def _initial_rate(rates: MarginRates, side: Side) -> Decimal:
    return rates.initial_long if side is Side.BUY else rates.initial_short


def leverage_cap(snapshot: Snapshot, side: Side, config: RiskConfig, now_ns: int) -> Decimal:
    """Times equity: the smallest of the global cap, the symbol's, the hour's, and what initial margin lets through."""
    symbol = snapshot.product.symbol
    by_hour = config.day_leverage_max_per_symbol if is_daytime(config, now_ns) else config.night_leverage_max_per_symbol
    named = [config.max_leverage, config.leverage_max_per_symbol.get(symbol), by_hour.get(symbol)]
    allowed = [Decimal(cap) for cap in named if cap is not None]
    rate = _initial_rate(snapshot.margin, side)
    if rate > 0:
        allowed.append(_DOWN.divide(Decimal(1), rate))
    return min(allowed)


def is_daytime(config: RiskConfig, now_ns: int) -> bool:
    """Whether the day limits hold: start <= time of day < end in UTC, also over midnight. True without such times."""
    if config.daytime_start_utc is None or config.daytime_end_utc is None:
        return True
    start, end = _seconds(config.daytime_start_utc), _seconds(config.daytime_end_utc)
    now = now_ns // NS % _DAY_SECONDS
    return start <= now < end if start < end else now >= start or now < end


def _seconds(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def smallest_tradable(product: ProductSpec, price: Decimal) -> Decimal:
    """Least quantity that the venue takes as an entry at this price: one lot, minimum size and notional reached."""
    by_notional = (product.min_notional / price / product.lot).to_integral_value(ROUND_CEILING) * product.lot
    return max(product.lot, product.min_quantity, by_notional)


def entry_price(order: OrderRequest, mark: Decimal) -> Decimal:
    """What distances of stop and target are measured from: the limit price, else the mark."""
    return mark if order.limit_price is None else order.limit_price


def check_signal(order: OrderRequest, config: RiskConfig, stage: Stage = Stage.VALIDATION) -> dict[str, Number]:
    """Strength and confluence reach their minimum where the signal states them; what it does not state is not judged.

    Returns the numbers used. Raises Refused.
    """
    used: dict[str, Number] = {}
    if order.strength is not None:
        used["strength"] = strength = Decimal(str(order.strength))
        if not strength >= config.min_signal_strength:
            raise Refused(stage, Refusal.WEAK_SIGNAL, strength=strength, min_signal_strength=config.min_signal_strength)
    if order.confluence is not None:
        used["confluence"] = confluence = Decimal(str(order.confluence))
        if not confluence >= config.min_confluence:
            raise Refused(stage, Refusal.LOW_CONFLUENCE, confluence=confluence, min_confluence=config.min_confluence)
    return used


def first_stop(order: OrderRequest, entry: Decimal) -> Decimal | None:
    """Where the position would be given up right after the entry: of a fixed and a trailing stop the nearer one."""
    stop, sign = order.protective_stop, order.side.sign
    if order.trailing_stop is None:
        return stop
    trail = entry * (1 - sign * order.trailing_stop)
    return trail if stop is None or (trail - stop) * sign > 0 else stop


def check_stop_distance(order: OrderRequest, mark: Decimal, config: RiskConfig) -> dict[str, Number]:
    """|entry - stop| / entry stays within max_stop_distance_pct, and the stop lies on the losing side.

    Returns the numbers used; nothing when the order has no stop. Raises Refused.
    """
    entry = entry_price(order, mark)
    stop = first_stop(order, entry)
    if stop is None:
        return {}
    distance = (entry - stop) * order.side.sign / entry
    if distance <= 0:
        raise Refused(Stage.RISK, Refusal.INVALID_STOP, entry=entry, protective_stop=stop)
    if distance > config.max_stop_distance_pct:
        raise Refused(
            Stage.RISK,
            Refusal.STOP_TOO_FAR,
            entry=entry,
            protective_stop=stop,
            stop_distance=distance,
            max_stop_distance_pct=config.max_stop_distance_pct,
        )
    return {"entry_price": entry, "protective_stop": stop, "stop_distance": distance}


def check_reward_risk(order: OrderRequest, mark: Decimal, config: RiskConfig) -> dict[str, Number]:
    """(target - entry) / (entry - stop) reaches min_reward_risk, where the order has both.

    Returns the numbers used. The stop lies on the losing side. Raises Refused.
    """
    entry = entry_price(order, mark)
    stop, target = first_stop(order, entry), order.target_price
    if stop is None or target is None:
        return {}
    ratio = (target - entry) / (entry - stop)
    if ratio < config.min_reward_risk:
        raise Refused(
            Stage.RISK,
            Refusal.REWARD_TOO_SMALL,
            entry=entry,
            protective_stop=stop,
            target_price=target,
            reward_risk=ratio,
            min_reward_risk=config.min_reward_risk,
        )
    return {"target_price": target, "reward_risk": ratio}


def check_position_count(snapshot: Snapshot, config: RiskConfig) -> dict[str, Number]:
    """A new symbol may be entered only while fewer than max_concurrent_positions are held or being entered.

    Returns the numbers used. Raises Refused. 0 switches the rule off.
    """
    held = sum(1 for other in snapshot.others if other.worst_notional > 0)
    is_new = snapshot.exposure.worst_notional == 0
    if is_new and 0 < config.max_concurrent_positions <= held:
        cap = config.max_concurrent_positions
        raise Refused(Stage.RISK, Refusal.POSITION_COUNT_CAP, other_positions=held, max_concurrent_positions=cap)
    return {"other_positions": held}


def protective_stop_price(order: OrderRequest, mark: Decimal, product: ProductSpec, config: RiskConfig) -> Decimal:
    """Where the bot sets a stop of its own: default_stop_loss_pct from the entry, on the tick, triggering no later."""
    distance = config.default_stop_loss_pct * order.side.sign
    return round_stop_price(entry_price(order, mark) * (1 - distance), product.tick, order.side.opposite)
