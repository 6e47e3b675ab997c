"""What exactly is ordered? The twelve order configurations, read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, OrderType, Side, TimeInForce, Value
from gpt_trader.venue.wire.formats import decimal_of, stamp_ns
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.reasons import Rejection

__all__ = ["CONFIGURATIONS", "Leg", "Terms", "read_terms"]

END_NS_MAX: Final = 366 * 86_400 * NS
LEGS_MAX: Final = 50
BUCKETS_MAX: Final = 500
SECONDS: Final = re.compile(r"(\d{1,6})s?")
TIMES_IN_FORCE: Final = {
    "gtc": "GOOD_UNTIL_CANCELLED",
    "gtd": "GOOD_UNTIL_DATE_TIME",
    "ioc": "IMMEDIATE_OR_CANCEL",
    "fok": "FILL_OR_KILL",
}
Fields = Mapping[str, object]


class Leg(Value, frozen=True, kw_only=True):
    """One of the orders of a scaled order; size in contracts."""

    price: Decimal
    size: Decimal


class Terms(Value, frozen=True, kw_only=True):
    """One order configuration; sizes in contracts, times in ns."""

    configuration: str
    order_type: str
    """As the wire names it."""
    kernel_type: OrderType
    size: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    end_ns: int | None = None
    start_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    buckets: int = 0
    bucket_ns: int = 0
    legs: tuple[Leg, ...] = ()

    @property
    def kernel_tif(self) -> TimeInForce:
        return TimeInForce[self.configuration.rpartition("_")[2].upper()]

    @property
    def time_in_force(self) -> str:
        return TIMES_IN_FORCE[self.configuration.rpartition("_")[2]]

    @property
    def editable(self) -> bool:
        return self.configuration in {"limit_limit_gtc", "stop_limit_stop_limit_gtc", "trigger_bracket_gtc"}


class _Reader:
    """One configuration's fields, with the product's grid."""

    def __init__(self, name: str, fields: Fields, listed: Listed, side: Side, now_ns: int, times: int) -> None:
        self.name = name
        self.fields = fields
        self.listed = listed
        self.side = side
        self.now_ns = now_ns
        self.times = times
        """So many increments are one, today."""

    def size(self, name: str = "base_size") -> Decimal:
        if name not in self.fields and "quote_size" in self.fields:
            raise Rejection("QUOTE_ORDERS_NOT_ALLOWED_FOR_PRODUCT", "futures are sized in contracts: base_size")
        return self._grid(
            self.fields.get(name), name, self.listed.base_increment * self.times, "INVALID_SIZE_PRECISION"
        )

    def price(self, name: str) -> Decimal:
        return self._grid(self.fields.get(name), name, self.listed.spec.tick * self.times, "INVALID_PRICE_PRECISION")

    def whole(self, name: str, most: int) -> int:
        number = decimal_of(self.fields.get(name))
        if number is None or number != int(number) or not 1 <= number <= most:
            raise Rejection("INVALID_REQUEST", f"{name} must be a whole number from 1 to {most}")
        return int(number)

    def flag(self, name: str) -> bool:
        value = self.fields.get(name, False)
        if value in (True, "true", "True"):
            return True
        if value in (False, "false", "False", None, ""):
            return False
        raise Rejection("INVALID_REQUEST", f"{name} must be true or false")

    def time(self, name: str) -> int:
        at_ns = stamp_ns(self.fields.get(name))
        if at_ns is None:
            raise Rejection("GTD_ORDERS_MUST_HAVE_END_TIME", f"{name} must be an RFC 3339 time")
        return at_ns

    def end(self) -> int | None:
        if not self.name.endswith("_gtd"):
            return None
        end_ns = self.time("end_time")
        if end_ns <= self.now_ns:
            raise Rejection("END_TIME_IS_IN_THE_PAST", "end_time is in the past")
        if end_ns > self.now_ns + END_NS_MAX:
            raise Rejection("END_TIME_TOO_FAR_IN_FUTURE", "end_time is more than a year away")
        return end_ns

    def terms(self, order_type: str, kernel_type: OrderType, **fields: object) -> Terms:
        known: dict[str, object] = {"end_ns": self.end(), **fields}
        if "size" not in known:
            known["size"] = self.size()
        return Terms(configuration=self.name, order_type=order_type, kernel_type=kernel_type, **known)  # type: ignore[arg-type]

    def _grid(self, value: object, name: str, step: Decimal, reason: str) -> Decimal:
        number = decimal_of(value)
        if number is None or number <= ZERO:
            raise Rejection("INVALID_REQUEST", f"{name} must be a number above zero")
        if number % step:
            raise Rejection(reason, f"{name} {number} is not a multiple of {step}")
        return number


def _market(read: _Reader) -> Terms:
    return read.terms("MARKET", OrderType.MARKET)


def _limit(read: _Reader) -> Terms:
    post_only = read.flag("post_only")
    if post_only and read.name == "limit_limit_fok":
        raise Rejection("POST_ONLY_NOT_ALLOWED_WITH_FOK", "an order cannot be post-only and fill-or-kill")
    if post_only and read.name == "sor_limit_ioc":
        raise Rejection("INVALID_REQUEST", "an order cannot be post-only and immediate-or-cancel")
    return read.terms("LIMIT", OrderType.LIMIT, limit_price=read.price("limit_price"), post_only=post_only)


def _stop_limit(read: _Reader) -> Terms:
    direction = read.fields.get("stop_direction", "")
    wanted = "STOP_DIRECTION_STOP_UP" if read.side is Side.BUY else "STOP_DIRECTION_STOP_DOWN"
    if direction not in ("", wanted):
        raise Rejection("INVALID_REQUEST", f"a {read.side} stop needs {wanted}", "PREVIEW_INVALID_STOP_PRICE")
    limit, stop = read.price("limit_price"), read.price("stop_price")
    if (limit - stop) * read.side.sign < 0:
        preview = f"PREVIEW_STOP_PRICE_{'ABOVE' if read.side is Side.BUY else 'BELOW'}_LIMIT_PRICE"
        raise Rejection("INVALID_LIMIT_PRICE", "the limit lies on the wrong side of the stop", preview)
    return read.terms("STOP_LIMIT", OrderType.STOP_LIMIT, limit_price=limit, stop_price=stop)


def _bracket(read: _Reader) -> Terms:
    if "quote_size" in read.fields:
        raise Rejection("QUOTE_SIZE_NOT_ALLOWED_FOR_BRACKET", "a bracket is sized in contracts")
    target, trigger = read.price("limit_price"), read.price("stop_trigger_price")
    if (target - trigger) * read.side.sign >= 0:
        raise Rejection("INVALID_BRACKET_PRICES", "target and stop lie on the wrong sides of each other")
    return read.terms("BRACKET", OrderType.BRACKET, limit_price=target, stop_price=trigger, reduce_only=True)


def _twap(read: _Reader) -> Terms:
    start_ns = stamp_ns(read.fields.get("start_time")) or read.now_ns
    match = SECONDS.fullmatch(str(read.fields.get("bucket_duration", "")))
    if match is None or int(match[1]) == 0:
        raise Rejection("INVALID_REQUEST", "bucket_duration must be seconds, such as 300s")
    buckets, bucket_ns = read.whole("number_buckets", BUCKETS_MAX), int(match[1]) * NS
    terms = read.terms(
        "TWAP",
        OrderType.LIMIT,
        limit_price=read.price("limit_price"),
        start_ns=max(start_ns, read.now_ns),
        buckets=buckets,
        bucket_ns=bucket_ns,
    )
    assert terms.end_ns is not None
    assert terms.start_ns is not None
    if terms.start_ns + buckets * bucket_ns > terms.end_ns:
        raise Rejection("DURATION_TOO_SMALL", "the buckets do not end before end_time")
    if terms.size < buckets * read.listed.base_increment:
        raise Rejection("BUCKET_SIZE_SMALLER_THAN_BASE_MIN", "a bucket would be less than the smallest size")
    return terms


def _scaled(read: _Reader) -> Terms:
    count, size = read.whole("num_orders", LEGS_MAX), read.size()
    low, high = read.price("min_price"), read.price("max_price")
    if low > high or (low == high and count > 1):
        raise Rejection("SCALED_PARAM_INFEASIBLE", "min_price must lie below max_price")
    prices = _spread_prices(low, high, count, read.listed.spec.tick)
    sizes = _spread_sizes(read, size, count)
    legs = tuple(Leg(price=price, size=each) for price, each in zip(prices, sizes, strict=True))
    return read.terms("SCALED", OrderType.LIMIT, size=size, limit_price=high, legs=legs)


def _spread_prices(low: Decimal, high: Decimal, count: int, tick: Decimal) -> list[Decimal]:
    step = (high - low) / (count - 1) if count > 1 else ZERO
    return [((low + place * step) / tick).to_integral_value(ROUND_DOWN) * tick for place in range(count)]


def _spread_sizes(read: _Reader, size: Decimal, count: int) -> list[Decimal]:
    """Evenly, or growing with the price (INCREASING) or falling (DECREASING); what rounding leaves goes last."""
    weights = {
        "INCREASING": list(range(1, count + 1)),
        "DECREASING": list(range(count, 0, -1)),
    }.get(str(read.fields.get("size_distribution", "")), [1] * count)
    step, total = read.listed.base_increment, sum(weights)
    sizes = [(size * weight / total / step).to_integral_value(ROUND_DOWN) * step for weight in weights]
    sizes[-1] += size - sum(sizes)
    if min(sizes) <= ZERO:
        raise Rejection("SCALED_MIN_ORDER_VIOLATION", "one of the orders would be less than the smallest size")
    return sizes


CONFIGURATIONS: Final[Mapping[str, Callable[[_Reader], Terms]]] = {
    "market_market_ioc": _market,
    "market_market_fok": _market,
    "sor_limit_ioc": _limit,
    "limit_limit_gtc": _limit,
    "limit_limit_gtd": _limit,
    "limit_limit_fok": _limit,
    "stop_limit_stop_limit_gtc": _stop_limit,
    "stop_limit_stop_limit_gtd": _stop_limit,
    "trigger_bracket_gtc": _bracket,
    "trigger_bracket_gtd": _bracket,
    "twap_limit_gtd": _twap,
    "scaled_limit_gtc": _scaled,
}


def read_terms(configuration: object, listed: Listed, side: Side, now_ns: int, times: int = 1) -> Terms:
    """Terms from `{name: {fields}}` with exactly one name, on a grid of so many increments. Raises Rejection."""
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise Rejection("UNSUPPORTED_ORDER_CONFIGURATION", "order_configuration needs exactly one configuration")
    ((name, fields),) = configuration.items()
    read = CONFIGURATIONS.get(str(name))
    if read is None or not isinstance(fields, dict):
        raise Rejection("UNSUPPORTED_ORDER_CONFIGURATION", f"{name} is no order configuration")
    return read(_Reader(str(name), fields, listed, side, now_ns, times))
