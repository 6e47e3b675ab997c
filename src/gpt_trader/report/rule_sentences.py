"""What did each rule compute? One function for each group of numbers that the hallway writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from gpt_trader.core.errors import Refusal
from gpt_trader.core.events import OrderApproved, OrderRefused, ProductListed
from gpt_trader.core.order_rules import BPS, floor_to_lot
from gpt_trader.core.values import Purpose, Side
from gpt_trader.report.telling import Numbers, Story, bps, exact, figure, percent

__all__ = ["tell_refusal", "tell_rules"]

DAYS_A_YEAR: Final = Decimal(365)
SCALE_MAX: Final = Decimal(2)
"""What risk.sizing allows a calm market to enlarge a size by."""
ONE: Final = Decimal(1)
ZERO: Final = Decimal(0)
WIDER_SHOWN_MAX: Final = 12


def tell_rules(
    story: Story, numbers: Numbers, event: OrderApproved | OrderRefused, product: ProductListed | None
) -> None:
    """Every sentence that the numbers of a decision have, in the order of the hallway; of an approval also the rest."""
    mid = event.arrival_mid if isinstance(event, OrderApproved) else numbers.number("book_mid") or ZERO
    numbers.drop("book_mid")
    unit = event.symbol.partition("-")[0]
    _tell_grid(story, numbers, product, unit)
    _tell_signal_quality(story, numbers)
    _tell_slippage(story, numbers, event.side, mid)
    _tell_preview(story, numbers)
    _tell_size(story, numbers, unit)
    _tell_impact_room(story, numbers, unit, product)
    _tell_protection(story, numbers, event.side)
    _tell_state(story, numbers, unit, entry=event.purpose is Purpose.ENTRY)
    limits = _tell_limits(story, numbers, unit, product)
    if isinstance(event, OrderRefused):
        numbers.drop("sized", "bound_by")
    else:
        _tell_final(story, numbers, unit, product, limits)
        _tell_impact(story, numbers, event, mid)
        if rest := numbers.rest():
            story.say(f"Also written down: {rest}.")


def _tell_grid(story: Story, numbers: Numbers, product: ProductListed | None, unit: str) -> None:
    asked = numbers.number("asked_quantity")
    if asked is not None and product is not None and numbers.number("sizing_asked") != asked:
        lot = product.lot
        rounded = floor_to_lot(asked, lot)
        story.say(f"Size on the grid: {figure(asked)} {unit} in whole lots of {exact(lot)} is {exact(rounded)} {unit}.")
    for name, word in (("asked_limit_price", "limit"), ("asked_stop_price", "stop")):
        price = numbers.number(name)
        if price is not None:
            story.say(f"The {word} price asked for, {exact(price)}, was not on the price grid and was moved onto it.")


def _tell_signal_quality(story: Story, numbers: Numbers) -> None:
    for name, least in (("strength", "min_signal_strength"), ("confluence", "min_confluence")):
        value = numbers.number(name)
        minimum = numbers.setting(f"risk.{least}")
        if value is not None and minimum is not None:
            story.say(f"The signal's {name} is {exact(value)}; at least {exact(minimum)} is needed ({least}).")


def _walk(levels: str) -> tuple[Decimal, Decimal]:
    """Money and quantity of `price x size, price x size`."""
    pairs = [level.split(" x ") for level in levels.split(", ")]
    taken = [(Decimal(price), Decimal(size)) for price, size in pairs]
    return sum((price * size for price, size in taken), ZERO), sum((size for _, size in taken), ZERO)


def _walk_bps(levels: str, side: Side, mid: Decimal) -> Decimal:
    money, quantity = _walk(levels)
    return (money - quantity * mid) * side.sign * BPS / (quantity * mid)


def _tell_slippage(story: Story, numbers: Numbers, side: Side, mid: Decimal) -> None:
    expected, walked = numbers.number("expected_slippage_bps"), numbers.number("book_walk_bps")
    if numbers.word("expected_slippage_bps") == "unknown":
        story.say("The book could not say what it would cost; an exit goes on without knowing.")
    if expected is None or walked is None:
        return
    levels, multiplier = numbers.word("levels_taken"), numbers.number("slippage_multiplier") or ONE
    guard = numbers.number("slippage_guard_bps")
    again = _walk_bps(levels, side, mid) if levels and mid else walked
    allowed = "" if guard is None else f"; allowed are {bps(guard)}"
    story.say(
        f"Expected slippage: taking {levels or 'the book'} against a middle of {exact(mid)} costs {bps(walked)}"
        f"{story.sum_of('book walk', walked, again)}, times {exact(multiplier)} for this symbol is {bps(expected)}"
        f"{story.sum_of('expected slippage', expected, walked * multiplier)}{allowed} (slippage_guard_bps)."
    )


def _tell_preview(story: Story, numbers: Numbers) -> None:
    preview = numbers.word("preview")
    if not preview:
        return
    extra = [
        f"{name.removeprefix('preview_')} {numbers.word(name)}"
        for name in ("preview_warnings", "preview_commission", "preview_margin")
        if numbers.has(name)
    ]
    story.say(f"The venue's own preview: {preview}{'; ' if extra else ''}{', '.join(extra)}.")


# --- how much -----------------------------------------------------------------------------------------------------
def _tell_size(story: Story, numbers: Numbers, unit: str) -> None:
    plain = numbers.word("sizing")
    if plain:
        story.say(f"Size: {plain}.")
    method, asked = numbers.word("sizing_method"), numbers.number("sizing_asked")
    if asked is None:
        return
    sizes: list[Decimal] = []
    story.say(f"Size by the method '{method}', from {exact_or_figure(asked)} {unit}:")
    sizes += _tell_volatility(story, numbers, asked, unit)
    sizes += _tell_kelly(story, numbers)
    size = min(sizes, default=asked)
    if len(sizes) > 1:
        story.say("  of the two the smaller counts.")
    factors = [exact_or_figure(size)]
    if (taper := numbers.number("drawdown_taper")) is not None:
        size *= _tell_taper(story, numbers, taper)
        factors.append(f"{figure(taper)} (drawdown)")
        strength = numbers.number("strength")
        if strength is not None:
            share = max(ZERO, min(ONE, strength))
            size *= share
            factors.append(f"{figure(share)} (strength)")
    multiplier = numbers.number("sizing_multiplier") or ONE
    target = numbers.number("sizing_target")
    if target is not None:
        factors.append(f"{figure(multiplier)} (position_sizing_multiplier)")
        story.say(
            f"  wanted: {' x '.join(factors)} = {figure(target)} {unit}"
            f"{story.sum_of('sizing target', target, size * multiplier)}."
        )


def exact_or_figure(value: Decimal) -> str:
    """Whole lots are told whole; long quotients short."""
    short = figure(value)
    return exact(value) if len(exact(value)) <= len(short) else short


def _tell_volatility(story: Story, numbers: Numbers, asked: Decimal, unit: str) -> list[Decimal]:
    if not numbers.has("volatility_scale"):
        return []
    scale, sigma = numbers.number("volatility_scale"), numbers.number("sigma_day")
    if scale is None or sigma is None:
        story.say("  volatility: not enough bars yet, so it has no opinion.")
        return []
    target = numbers.setting("risk.volatility_target_annual")
    note = ""
    if target is not None:
        note = story.sum_of("volatility scale", scale, min(SCALE_MAX, target / (sigma * DAYS_A_YEAR.sqrt())))
    aim = "the target" if target is None else f"a target of {percent(target)} a year"
    story.say(
        f"  volatility: {aim} over {percent(sigma)} a day x root of 365 gives the factor {figure(scale)}{note}"
        f"{f' (at most {SCALE_MAX})' if scale == SCALE_MAX else ''}; "
        f"{exact_or_figure(asked)} x {figure(scale)} = {figure(asked * scale)} {unit}."
    )
    return [asked * scale]


def _tell_kelly(story: Story, numbers: Numbers) -> list[Decimal]:
    if not numbers.has("kelly_share"):
        return []
    share, trades = numbers.number("kelly_share"), numbers.number("closed_trades")
    mean, variance = numbers.number("trade_mean"), numbers.number("trade_variance")
    least = numbers.setting("risk.kelly_trades_min")
    if share is None:
        needed = "" if least is None else f", {exact(least)} are needed"
        story.say(f"  Kelly: {exact(trades or ZERO)} closed trades{needed}, so it has no opinion.")
        return []
    fraction, equity, mark = (
        numbers.setting("risk.kelly_fraction"),
        numbers.number("equity"),
        numbers.number("mark"),
    )
    if fraction is not None and mean is not None and variance:
        note = story.sum_of("Kelly share", share, max(ZERO, fraction * mean / variance))
        story.say(
            f"  Kelly: {figure(fraction)} x mean {figure(mean)} / variance {figure(variance)} of "
            f"{exact(trades or ZERO)} closed trades = {figure(share)} of equity{note}"
            f"{', since it is never below nothing' if share == 0 else ''}."
        )
    if share == 0:
        return [ZERO]
    return [share * equity / mark] if equity is not None and mark else []


def _tell_taper(story: Story, numbers: Numbers, taper: Decimal) -> Decimal:
    drawdown = numbers.number("drawdown") or ZERO
    start, end = numbers.setting("risk.drawdown_taper_start_pct"), numbers.setting("risk.drawdown_taper_end_pct")
    if start is not None and end is not None:
        again = max(ZERO, min(ONE, (end - drawdown) / (end - start)))
        story.say(
            f"  drawdown: equity is {percent(drawdown)} below its highest; sizes shrink from {percent(start)} on and "
            f"are nothing at {percent(end)}: factor {figure(taper)}{story.sum_of('drawdown taper', taper, again)}."
        )
    return taper


def _tell_impact_room(story: Story, numbers: Numbers, unit: str, product: ProductListed | None) -> None:
    cap, mode = numbers.number("max_market_impact_bps"), numbers.word("sizing_mode")
    if cap is None or not mode:
        return
    room = numbers.number("impact_room")
    if room is None:
        story.say(f"Market impact: at most {bps(cap)}; nothing bounds the size by it.")
        return
    target, sized = numbers.number("sizing_target"), numbers.number("sized")
    then = ""
    if target is not None and sized is not None and product is not None and mode == "CONSERVATIVE":
        on_grid = floor_to_lot(target, product.lot)
        again = min(on_grid, room) or target
        lots = f", in whole lots of {exact(product.lot)}" if on_grid == sized != target else ""
        then = f" The size is {exact_or_figure(sized)} {unit}{lots}{story.sum_of('size under impact', sized, again)}."
    story.say(
        f"Market impact: {exact(room)} {unit} could be traded before the price moves by more than {bps(cap)} "
        f"(mode {mode}: {MODES.get(mode, mode)}).{then}"
    )


MODES: Final[Mapping[str, str]] = {
    "CONSERVATIVE": "the largest size that fits",
    "STRICT": "all or nothing",
    "AGGRESSIVE": "all of it, in slices",
}


def _tell_impact(story: Story, numbers: Numbers, event: OrderApproved, mid: Decimal) -> None:
    impact = numbers.number("final_impact_bps")
    if impact is None:
        return
    levels, volume, sigma = numbers.word("levels_taken"), numbers.number("volume_day"), numbers.number("sigma_day")
    if levels:
        again = _walk_bps(levels, event.side, mid)
        story.say(
            f"Impact of the final size: taking {levels} against a middle of {exact(mid)} costs {bps(impact)}"
            f"{story.sum_of('impact of the final size', impact, again)}."
        )
    elif volume is not None and sigma is not None:
        y = numbers.setting("risk.impact_coefficient") or ONE
        again = y * sigma * BPS * (event.quantity / volume).sqrt()
        story.say(
            f"Impact of the final size: {figure(y)} x {percent(sigma)} a day x root of ({exact(event.quantity)} / "
            f"{figure(volume)} traded a day) = {bps(impact)}{story.sum_of('square-root impact', impact, again)}."
        )


# --- may it -------------------------------------------------------------------------------------------------------
def _tell_protection(story: Story, numbers: Numbers, side: Side) -> None:
    stop, entry, distance = (
        numbers.number("protective_stop"),
        numbers.number("entry_price"),
        numbers.number("stop_distance"),
    )
    if (default := numbers.number("default_stop_loss_pct")) is not None:
        story.say(f"It had no stop, so it got one {percent(default)} from its price (default_stop_loss_pct).")
    if stop is not None and entry and distance is not None:
        most = numbers.setting("risk.max_stop_distance_pct")
        again = (entry - stop) * side.sign / entry
        allowed = "" if most is None else f", allowed are {percent(most)}"
        story.say(
            f"Stop at {exact(stop)}: {percent(distance)} from {exact(entry)}"
            f"{story.sum_of('stop distance', distance, again)}{allowed}."
        )
    target, reward = numbers.number("target_price"), numbers.number("reward_risk")
    if target is not None and reward is not None and stop is not None and entry is not None:
        again = (target - entry) / (entry - stop)
        least = numbers.setting("risk.min_reward_risk")
        needed = "" if least is None else f", at least {figure(least)} is needed"
        story.say(
            f"Target at {exact(target)}: ({exact(target)} - {exact(entry)}) / ({exact(entry)} - {exact(stop)}) = "
            f"{figure(reward)} of reward for the risk{story.sum_of('reward to risk', reward, again)}{needed}."
        )


def _tell_state(story: Story, numbers: Numbers, unit: str, *, entry: bool) -> None:
    equity, position, reach = numbers.number("equity"), numbers.number("position"), numbers.number("reach")
    mark, age = numbers.number("mark"), numbers.number("mark_age_seconds")
    account_age = numbers.number("account_age_seconds")
    parts = []
    if mark is not None:
        parts.append(f"mark {exact(mark)}" + (f", {figure(age)} s old" if age is not None else ", of unknown age"))
    if equity is not None:
        old = f", {figure(account_age)} s old" if account_age is not None else ""
        parts.append(f"equity {figure(equity)}{old}")
    if position is not None:
        parts.append(f"position {exact(position)} {unit}")
    if reach is not None and reach != (position or ZERO):
        parts.append(f"{exact(reach)} {unit} this way if all that works fills")
    if parts:
        story.say(f"The state it was judged in: {'; '.join(parts)}.")
    closing = numbers.number("closing")
    if not entry and position is not None and closing is not None:
        already = "" if closing == 0 else f", of which {exact(closing)} {unit} are being closed already"
        story.say(f"A close may not be larger than what is open: {exact(abs(position))} {unit}{already}.")
    recent, rate = numbers.number("entries_last_minute"), numbers.setting("risk.order_rate_per_minute_max")
    if recent is not None and rate:
        story.say(f"Entries in the minute before: {exact(recent)} of at most {exact(rate)}.")
    others, count = numbers.number("other_positions"), numbers.setting("risk.max_concurrent_positions")
    if others is not None and count:
        story.say(f"Other symbols held: {exact(others)}; at most {exact(count)} at a time.")


# --- limits -------------------------------------------------------------------------------------------------------
class _Limit:
    """One cap as the log has it, and what it comes to."""

    def __init__(self, name: str, numbers: Numbers, product: ProductListed | None) -> None:
        self.name = name.replace("_", " ")
        self.limit = numbers.number(f"{name}_limit") or ZERO
        self.used = numbers.number(f"{name}_used") or ZERO
        self.room = numbers.number(f"{name}_room") or ZERO
        mark = numbers.number("mark") or ZERO
        initial, maintenance = numbers.number("initial_margin_rate"), numbers.number("maintenance_margin_rate")
        factors: dict[str, Decimal | None] = {
            "margin_available": None if initial is None or product is None else initial + product.taker_fee_rate,
            "margin_total": initial,
            "liquidation_buffer": maintenance,
        }
        self.in_base = name in IN_BASE_UNITS
        factor = factors.get(name, ONE)
        self.each = ONE if self.in_base else None if factor is None else mark * factor
        self.reach = ZERO if name in PER_ORDER else numbers.number("reach") or ZERO

    def recomputed(self) -> Decimal | None:
        """Room by the rule of risk.rules.Cap: what is left, over what one unit takes, less what is held that way."""
        if not self.each:
            return None
        return max(ZERO, max(ZERO, (self.limit - self.used) / self.each) - self.reach)


IN_BASE_UNITS: Final = frozenset({"venue_size_cap", "symbol_quantity_cap"})
PER_ORDER: Final = frozenset({"order_size_cap", "order_notional_cap", "venue_size_cap"})


def _tell_limits(story: Story, numbers: Numbers, unit: str, product: ProductListed | None) -> list[_Limit]:
    """Returns them, the tightest first."""
    names = [name.removesuffix("_room") for name in numbers.names() if name.endswith("_room") and name != "impact_room"]
    limits = [_Limit(name, numbers, product) for name in names if numbers.has(f"{name}_limit")]
    numbers.drop("available_margin", "asked")
    limits.sort(key=lambda limit: limit.room)
    if limits:
        tightest = limits[0]
        story.say(f"The tightest of {len(limits)} limits is the {_in_full(story, tightest, unit)}.")
        wider = [_in_short(story, limit, unit) for limit in limits[1 : WIDER_SHOWN_MAX + 1]]
        if wider:
            story.say(f"The others leave more: {', '.join(wider)}.")
    return limits


def _tell_final(
    story: Story, numbers: Numbers, unit: str, product: ProductListed | None, limits: Sequence[_Limit]
) -> None:
    """What came out of size and limits."""
    bound, sized, final = numbers.word("bound_by"), numbers.number("sized"), numbers.number("quantity")
    if final is None or sized is None:
        return
    if bound:
        story.say(
            f"So {exact_or_figure(sized)} {unit} was cut to {exact(final)} {unit} by the {bound.replace('_', ' ')}."
        )
    elif final != sized:
        story.say(f"So {exact_or_figure(sized)} {unit}, in whole lots {exact(final)} {unit}, may be sent.")
    else:
        story.say(f"So {exact(final)} {unit} may be sent, all of it.")
    if limits and product is not None:
        again = floor_to_lot(min(sized, limits[0].room), product.lot)
        story.sum_of("final size", final, again)


def _in_full(story: Story, limit: _Limit, unit: str) -> str:
    """With its sum."""
    again = limit.recomputed()
    if limit.in_base or again is None:
        return f"{limit.name}: {exact_or_figure(limit.limit)} {unit if limit.in_base else ''}".rstrip()
    used = f" less {figure(limit.used)} in use" if limit.used else ""
    held = f" less {exact(limit.reach)} {unit} held that way" if limit.reach else ""
    assert limit.each is not None
    return (
        f"{limit.name}: {figure(limit.limit)}{used}, at {figure(limit.each)} for each {unit}{held}, leaves room for "
        f"{figure(limit.room)} {unit}{story.sum_of(limit.name, limit.room, again)}"
    )


def _in_short(story: Story, limit: _Limit, unit: str) -> str:
    again = limit.recomputed()
    note = "" if again is None else story.sum_of(limit.name, limit.room, again)
    return f"{limit.name} {figure(limit.room)} {unit}{note}"


# --- why not ------------------------------------------------------------------------------------------------------
def tell_refusal(story: Story, event: OrderRefused, numbers: Numbers) -> None:
    """The code, what it means, and the numbers that decided."""
    meaning = next((refusal.meaning for refusal in Refusal if refusal.value == event.code), "a rule of another release")
    sentence = _REFUSALS.get(event.code)
    said = sentence(numbers) if sentence is not None else ""
    story.say(f"Refused by {event.code} ({event.stage}): {meaning}")
    if said:
        story.say(said)
    rest = numbers.rest()
    if rest:
        story.say(f"The numbers: {rest}.")


def _shown_bps(numbers: Numbers, name: str) -> str:
    value = numbers.number(name)
    return "unknown" if value is None else bps(value)


def _shown(numbers: Numbers, name: str, form: Callable[[Decimal], str] = exact_or_figure) -> str:
    value = numbers.number(name)
    return (numbers.word(name) or "unknown") if value is None else form(value)


def _too_much_impact(numbers: Numbers) -> str:
    """Before sizes were final, or on the final one."""
    if numbers.number("impact_bps") is None:
        room = _shown(numbers, "impact_room")
        return f"Wanted {_shown(numbers, 'target', figure)}; under the cap {room} may be traded."
    return (
        f"{_shown(numbers, 'quantity')} would move the price by {_shown_bps(numbers, 'impact_bps')}; allowed are "
        f"{_shown_bps(numbers, 'max_market_impact_bps')}."
    )


def _small(numbers: Numbers) -> str:
    least, wanted = _shown(numbers, "least"), _shown(numbers, "quantity", figure)
    cap = numbers.word("cap").replace("_", " ")
    why = f" The {cap} leaves room for {_shown(numbers, 'room', figure)}." if cap else ""
    needed = numbers.number("equity_needed")
    equity = "" if needed is None else f" With equity of {figure(needed)} it would fit; there is"
    have = _shown(numbers, "equity", figure)
    numbers.drop("mark", "limit", "used", "reach")
    return f"Wanted {wanted}; the smallest order here is {least}.{why}{equity + ' ' + have + '.' if equity else ''}"


def _too_old(name: str, most: str, what: str) -> Callable[[Numbers], str]:
    def said(numbers: Numbers) -> str:
        return f"The {what} was {_shown(numbers, name, figure)} s old; at most {_shown(numbers, most)} s are allowed."

    return said


def _dry_run(numbers: Numbers) -> str:
    numbers.drop("body_digest")
    return "Everything was decided, and nothing left the house."


_REFUSALS: Final[Mapping[str, Callable[[Numbers], str]]] = {
    "slippage_guard": lambda n: (
        f"Expected were {_shown_bps(n, 'expected_slippage_bps')} ({_shown_bps(n, 'book_walk_bps')} of taking "
        f"{n.word('levels_taken') or 'the book'} x {_shown(n, 'slippage_multiplier')} for this symbol); allowed are "
        f"{_shown_bps(n, 'slippage_guard_bps')}."
    ),
    "below_one_contract": _small,
    "order_size_cap": _small,
    "symbol_exposure_cap": _small,
    "total_exposure_cap": _small,
    "symbol_notional_cap": _small,
    "symbol_quantity_cap": _small,
    "order_notional_cap": _small,
    "leverage_cap": _small,
    "insufficient_margin": _small,
    "liquidation_buffer": _small,
    "stale_mark": _too_old("mark_age_seconds", "max_mark_staleness_seconds", "mark"),
    "stale_account": _too_old("account_age_seconds", "max_account_staleness_seconds", "account"),
    "slot_busy": lambda n: f"Still in flight: {n.word('held_by')}.",
    "entries_paused": lambda n: f"Paused because: {n.word('reason')}.",
    "weak_signal": lambda n: f"Strength {_shown(n, 'strength')}, needed {_shown(n, 'min_signal_strength')}.",
    "low_confluence": lambda n: f"Confluence {_shown(n, 'confluence')}, needed {_shown(n, 'min_confluence')}.",
    "stop_too_far": lambda n: (
        f"The stop at {_shown(n, 'protective_stop')} is {_shown(n, 'stop_distance', percent)} from "
        f"{_shown(n, 'entry')}; allowed are {_shown(n, 'max_stop_distance_pct', percent)}."
    ),
    "reward_too_small": lambda n: (
        f"From {_shown(n, 'entry')} to the target {_shown(n, 'target_price')} is {_shown(n, 'reward_risk', figure)} "
        f"times the way to the stop {_shown(n, 'protective_stop')}; needed is {_shown(n, 'min_reward_risk')}."
    ),
    "position_count_cap": lambda n: (
        f"Other symbols held: {_shown(n, 'other_positions')}; allowed are {_shown(n, 'max_concurrent_positions')}."
    ),
    "order_rate_cap": lambda n: (
        f"{_shown(n, 'entries_last_minute')} entries went through in the last minute; allowed are "
        f"{_shown(n, 'order_rate_per_minute_max')}."
    ),
    "nothing_to_reduce": lambda n: (
        f"A {n.word('side').lower()} of {_shown(n, 'quantity')} met a position of {_shown(n, 'position')}, of which "
        f"{_shown(n, 'closing')} is being closed already."
    ),
    "market_impact": _too_much_impact,
    "dry_run": _dry_run,
}
