"""Does this one thing hold? The single checks of a preflight: each looks, and says what it found and how to mend it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from gpt_trader.config.advice import notes
from gpt_trader.config.bot import BotConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Refusal
from gpt_trader.core.values import ZERO, ExecutionReport, ProductSpec, TradingStatus, Value
from gpt_trader.exchange.base import ExchangeAdapter, TellsTime

__all__ = [
    "Check",
    "check_clock",
    "check_credentials",
    "check_decision",
    "check_dependencies",
    "check_disk",
    "check_limits",
    "check_margin",
    "check_product",
    "check_python",
]

PYTHON_MIN: Final = (3, 11)
SKEW_SECONDS_MAX: Final = 2.0
"""Requests are signed with our time, and what is stale is judged by it."""
FREE_BYTES_MIN: Final = 1_000_000_000
EXTRAS: Final = {VenueKind.CCXT: "ccxt"}
"""What a venue needs beside the core."""
REQUIREMENT: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:>=(?P<least>[0-9.]+))?")
EXTRA: Final = re.compile(r"extra == ['\"](?P<name>[\w-]+)['\"]")
WHOLE: Final = frozenset({Refusal.DRY_RUN, Refusal.NO_EDGE, Refusal.MARKET_IMPACT, Refusal.SLIPPAGE_GUARD})
"""Answers at the end of a whole decision: it would have been sent, or was not worth it at this moment."""
FULL: Final = frozenset(
    {
        *(refusal for refusal in Refusal if refusal.endswith("_cap")),
        *(Refusal.BELOW_ONE_CONTRACT, Refusal.INSUFFICIENT_MARGIN, Refusal.LIQUIDATION_BUFFER),
    }
)
"""Whole answers too where something is held or ordered: a bot must be able to start again beside a position or an order
that fills a limit."""


class Check(Value, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    passed: bool
    said: str
    """What was found."""
    fix: str = ""


# --- this machine ------------------------------------------------------------------------------------------------


def check_python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    least = ".".join(str(part) for part in PYTHON_MIN)
    good = sys.version_info[:2] >= PYTHON_MIN
    return Check(name="python", passed=good, said=f"Python {found}", fix="" if good else f"use {least} or newer")


def check_dependencies(config: BotConfig) -> Check:
    """Everything that the package declares is installed, in a version that it allows."""
    wanted = [*_requirements({"", EXTRAS.get(config.venue.kind, "")})]
    bad = [said for name, least in wanted if (said := _missing(name, least))]
    if bad:
        fix = "set the project up again, as its README says"
        return Check(name="dependencies", passed=False, said=", ".join(bad), fix=fix)
    return Check(name="dependencies", passed=True, said=f"{len(wanted)} packages, each new enough")


def _requirements(extras: set[str]) -> Iterator[tuple[str, str]]:
    for text in importlib.metadata.requires("gpt-trader") or ():
        match, extra = REQUIREMENT.match(text), EXTRA.search(text)
        if match is not None and (extra["name"] if extra else "") in extras:
            yield match["name"], match["least"] or "0"


def _missing(name: str, least: str) -> str:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is missing"
    return "" if _numbers(found) >= _numbers(least) else f"{name} {found} is older than {least}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


def check_disk(home: Path) -> Check:
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    said = f"{free / 1e9:.1f} GB free under {home}"
    if free < FREE_BYTES_MIN:
        return Check(
            name="disk", passed=False, said=said, fix="make room: a store that cannot be written stops entries"
        )
    return Check(name="disk", passed=True, said=said)


# --- what was asked for ------------------------------------------------------------------------------------------


def check_limits(loaded: Loaded) -> Check:
    """A loss that ends the day is set, and nothing keeps everything out."""
    risk, told = loaded.config.risk, notes(loaded)
    bad = []
    if not risk.daily_loss_limit and not risk.daily_loss_limit_pct:
        bad.append("no daily loss limit")
    if risk.kill_switch_enabled:
        bad.append("the kill switch is on")
    said = (
        f"loss of a day {risk.daily_loss_limit} USD or {risk.daily_loss_limit_pct:%}, leverage {risk.max_leverage}, "
        f"exposure {risk.max_exposure_pct:%}"
    )
    remarks = f" Notes: {' '.join(told)}" if told else ""
    if bad:
        return Check(name="limits", passed=False, said=f"{', '.join(bad)}; {said}", fix="set it in the risk file")
    return Check(name="limits", passed=True, said=f"{said}.{remarks}")


# --- the venue ---------------------------------------------------------------------------------------------------


def check_credentials(config: BotConfig, adapter: ExchangeAdapter) -> Check:
    """The adapter has connected, which refuses a key that may move money or lacks what is needed."""
    may = "view" if config.venue.read_only else "view and trade"
    return Check(name="credentials", passed=True, said=f"{adapter.name} accepts the key; it may {may}, not move money")


async def check_clock(adapter: ExchangeAdapter, clock: Clock) -> Check:
    if not isinstance(adapter, TellsTime):
        return Check(name="clock", passed=False, said=f"{adapter.name} does not tell its time", fix="none")
    before_ns = clock.now_ns()
    theirs_ns = await adapter.time_ns()
    after_ns = clock.now_ns()
    skew_seconds = (theirs_ns - (before_ns + after_ns) // 2) / NS
    said = f"the venue's clock is {skew_seconds:+.3f} s from ours, asked in {(after_ns - before_ns) / 1e6:.0f} ms"
    if abs(skew_seconds) > SKEW_SECONDS_MAX:
        return Check(name="clock", passed=False, said=said, fix="let the system keep its time (NTP)")
    return Check(name="clock", passed=True, said=said)


def check_product(symbol: str, product: ProductSpec | None) -> Check:
    name = f"product {symbol}"
    if product is None:
        return Check(name=name, passed=False, said="not listed", fix="trade another symbol")
    margin = product.margin_overnight
    said = (
        f"{product.venue_symbol}: tick {product.tick:f}, smallest order {product.min_quantity:f} {product.base}, fees "
        f"{product.maker_fee_rate:.3%} and {product.taker_fee_rate:.3%}, margin {margin.initial_long:.1%} "
        f"long and {margin.initial_short:.1%} short, {product.status}"
    )
    if product.status is not TradingStatus.OPEN:
        return Check(name=name, passed=False, said=said, fix="wait until it trades")
    sound = product.min_quantity % product.lot == 0 and product.min_quantity <= product.max_quantity
    return Check(name=name, passed=sound, said=said, fix="" if sound else "the venue's numbers do not fit together")


def check_margin(symbols: Sequence[str], adapter: ExchangeAdapter) -> Check:
    """One order of the smallest size of every symbol can be carried, on the stricter side."""
    account, needed = adapter.account(), ZERO
    for symbol in symbols:
        product, mark = adapter.products()[symbol], adapter.market.mark(symbol)
        if mark is None:
            return Check(name="margin", passed=False, said=f"no mark of {symbol}", fix="look again when it trades")
        rates = product.margin_overnight
        needed += product.min_quantity * mark.price * max(rates.initial_long, rates.initial_short)
    said = (
        f"equity {_money(account.equity)}, free for margin {_money(account.available_margin)}, in use "
        f"{_money(account.initial_margin)}; the smallest order of each symbol takes {_money(needed)}"
    )
    if account.available_margin < needed or account.equity <= ZERO:
        return Check(name="margin", passed=False, said=said, fix="add money there, or trade less")
    return Check(name="margin", passed=True, said=said)


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def check_decision(report: ExecutionReport, *, held: bool) -> Check:
    """A dry run ends in a refusal: at the door, or where a rule finds it not worth it, or what is held enough."""
    whole = report.code in WHOLE or (held and report.code in FULL)
    numbers = ", ".join(f"{name} {value}" for name, value in report.numbers.items())
    what = "would have been sent" if report.code == Refusal.DRY_RUN else f"refused as {report.code or report.outcome}"
    fix = "" if whole else f"gpt-trader explain has the sums; {_meaning(report.code)}"
    return Check(name="dry decision", passed=whole, said=f"an order of the strategy's size {what} ({numbers})", fix=fix)


def _meaning(code: str) -> str:
    return next((refusal.meaning for refusal in Refusal if refusal == code), "it ended unforeseen")
