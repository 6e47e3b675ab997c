"""What does a bot need to know before it is built? The whole configuration as one frozen value.

Every setting has a default, so that a profile says only what is special about it. Which source gave which value is
kept beside it by `config.load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from gpt_trader.config.risk import (
    Amount,
    AmountPerSymbol,
    Count,
    RiskConfig,
    Setting,
    StrictModel,
    Symbol,
    parse_per_symbol,
    refuse_bool,
)
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.schedule import parse_weekly_hours

__all__ = [
    "AlertsConfig",
    "BotConfig",
    "ControlConfig",
    "CredentialsConfig",
    "ExecutionConfig",
    "GuardsConfig",
    "MetricsConfig",
    "RecordsConfig",
    "RunConfig",
    "StrategyConfig",
    "VenueConfig",
    "VenueKind",
    "parse_duration",
    "parse_multipliers",
]

SYNTHETIC: Final = "synthetic"
"""The market that is made from the seed."""

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_MULTIPLIERS: Final[TypeAdapter[Mapping[str, Decimal]]] = TypeAdapter(AmountPerSymbol)
_FEE_TIER: Final = re.compile(r"\d+(\.\d+)?\s*:\s*-?\d+(\.\d+)?\s*/\s*-?\d+(\.\d+)?")
_ADDRESS: Final = re.compile(r"https?://[^/\s]+/?")
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]+")
_URL: Final = re.compile(r"[a-z0-9]+://\S+")
_WEB_ADDRESS: Final = re.compile(r"https?://\S+")
_TIME_OF_DAY: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_URL_PARTS: Final = re.compile(r"[\s/:@?&=#,]+")
THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1"})
SECRET_CHARACTERS_MIN: Final = 8
"""Shorter parts of a URL are words of every text."""
_PACE: Final = re.compile(r"max|realtime|\d+(\.\d+)?x")


class VenueKind(StrEnum):
    """Where orders go."""

    SIMULATED = "simulated"
    """The in-process venue on a synthetic or recorded market. No keys, no network."""
    PAPER = "paper"
    """Live public market data of a real exchange, fills by the in-process venue."""
    COINBASE = "coinbase"
    """Coinbase Advanced Trade, US perpetual-style futures."""
    CCXT = "ccxt"
    """An exchange reached through CCXT."""


def parse_duration(value: object) -> object:
    """`1d`, `6h`, `90m`, `45s`, `1h30m` or plain seconds, as seconds; anything else passes on to be refused."""
    if isinstance(value, bool) or not isinstance(value, str):
        return refuse_bool(value)
    match = _DURATION.fullmatch(value.strip())
    if match is None or not match.group(0):
        raise ValueError("not a duration such as 1d, 6h, 90m, 1h30m or 45s")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def as_text(value: object) -> object:
    """Numbers and yes/no as their strategy will read them."""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | Decimal) else value


def split_symbols(value: object) -> object:
    """`BTC-PERP,ETH-PERP` (`,` or `;`) as a tuple; lists pass."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.replace(";", ",").split(","))
    return value


def check_symbols(value: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({symbol for symbol in value if value.count(symbol) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} named twice")
    return value


def check_pace(value: str) -> str:
    if _PACE.fullmatch(value) is None or value.rstrip("x").strip("0.") == "":
        raise ValueError("not max, realtime or a factor such as 60x")
    return value


Seconds = Annotated[float, BeforeValidator(refuse_bool)]
Symbols = Annotated[
    tuple[Symbol, ...],
    BeforeValidator(split_symbols),
    AfterValidator(check_symbols),
    Field(min_length=1, max_length=64),
]


def check_hours(value: str) -> str:
    try:
        parse_weekly_hours(value, "hours")
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return value


def check_fee_tiers(value: str) -> str:
    for item in value.split(",") if value.strip() else ():
        if _FEE_TIER.fullmatch(item.strip()) is None:
            raise ValueError(f"{item.strip()!r} is not VOLUME:MAKER/TAKER such as 0:0.00095/0.001")
    return value


def check_address(value: str) -> str:
    if value and _ADDRESS.fullmatch(value) is None:
        raise ValueError("not an address such as http://127.0.0.1:8080")
    return value


def check_host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        raise ValueError("not an address or name such as 127.0.0.1")
    return value


def check_urls(value: SecretStr) -> SecretStr:
    """The text of the error holds nothing of the value: it is a secret."""
    texts = value.get_secret_value().split()
    if not texts or not all(_URL.fullmatch(text) for text in texts):
        raise ValueError("not one or more URLs such as json://host/path, separated by spaces")
    return value


def check_web_address(value: SecretStr) -> SecretStr:
    if _WEB_ADDRESS.fullmatch(value.get_secret_value()) is None:
        raise ValueError("not an address such as https://host/path")
    return value


def check_time_of_day(value: str) -> str:
    if value and _TIME_OF_DAY.fullmatch(value) is None:
        raise ValueError("not a time of day such as 00:05")
    return value


def check_server(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("not a PostgreSQL URL such as postgresql://user:password@host/database")
    return value


Hours = Annotated[str, AfterValidator(check_hours)]
FeeTiers = Annotated[str, AfterValidator(check_fee_tiers)]
Milliseconds = Annotated[
    tuple[Annotated[Amount, Field(ge=0, le=60_000)], ...], BeforeValidator(split_symbols), Field(max_length=100_000)
]

TacticName = Literal["market", "simple_limit", "aggressive_limit", "post_only_chase", "twap", "iceberg"]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
ParameterTexts = Annotated[
    Mapping[ParameterName, Annotated[str, BeforeValidator(as_text)]], BeforeValidator(parse_per_symbol)
]
TacticPerSymbol = Annotated[Mapping[Symbol, TacticName], BeforeValidator(parse_per_symbol)]


class VenueConfig(StrictModel):
    """Where prices come from and orders go to."""

    kind: Annotated[VenueKind, Setting("kind", "ExchangeFactory")] = VenueKind.SIMULATED
    """simulated, paper, coinbase or ccxt. What is not built is refused by name when the bot is built."""
    exchange: Annotated[str, Setting("name", "ExchangeFactory")] = ""
    """Whose market data (paper) or which exchange (ccxt), such as coinbase or binanceusdm."""
    market_kind: Annotated[Literal["futures", "spot"], Setting("kind", "BinanceCCXTAdapter")] = "futures"
    """Of an exchange reached through CCXT: its linear perpetuals, or spot, on which the bot itself does not trade."""
    settle_currency: Annotated[str, Setting("currency", "BinanceCCXTAdapter")] = Field(
        default="USD", min_length=2, max_length=10
    )
    """What the exchange settles in (ccxt). Another than USD counts one for one as USD: naming it accepts that."""
    balance_total: Annotated[Literal["", "equity", "wallet"], Setting("meaning", "CcxtAdapter")] = ""
    """Whether the total of a balance holds the profit of open positions (ccxt); empty where it is known."""
    url: Annotated[str, AfterValidator(check_address), Setting("address", "BinanceCCXTAdapter")] = ""
    """Another address instead of all those of the exchange (ccxt), such as a server on loopback."""
    poll_seconds: Annotated[Seconds, Setting("seconds", "BinanceCCXTAdapter")] = Field(default=1.0, ge=0.1, le=60)
    """How often market and account are asked for through CCXT."""
    market: Annotated[str, Setting("name or file", "PaperExchange", option="--market", in_digest=False)] = Field(
        default=SYNTHETIC, min_length=1
    )
    """`synthetic`, a dataset of the catalog, or the file of a recording; read by kind simulated."""
    served: Annotated[str | None, Setting("file", "exchange/coinbase", option="--served", in_digest=False)] = Field(
        default=None, min_length=1
    )
    """What `gpt-trader venue serve` printed, in a file: that venue stands in for Coinbase. None is the real one."""
    live_trading: Annotated[bool, Setting("yes/no", "ops/runner", in_digest=False)] = False
    """One of the two switches that let real orders leave; the other is `gpt-trader run --live`."""
    read_only: Annotated[bool, Setting("yes/no", "OrderSubmitter")] = False
    """Nothing is ever sent, whatever else is set."""
    starting_cash: Annotated[Amount, Setting("USD", "PaperExchange", option="--cash")] = Field(
        default=Decimal(100_000), gt=0, le=Decimal(1_000_000_000)
    )
    """Balance of a simulated account when its run begins."""
    entry_latency_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=30, ge=0, le=60_000)
    """From sending an order to its arrival at the simulated venue."""
    ack_latency_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=30, ge=0, le=60_000)
    """From what happens at the simulated venue to our knowing of it."""
    feed_latency_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=0, ge=0, le=60_000)
    """From what happens in a simulated market to our seeing it."""
    entry_latency_p99_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=0, ge=0, le=60_000)
    """Above zero the entry latency is drawn: lognormal, entry_latency_ms its median, this its 99th percentile."""
    ack_latency_p99_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=0, ge=0, le=60_000)
    """The same for the ack latency."""
    feed_latency_p99_ms: Annotated[Count, Setting("milliseconds", "PaperExchange")] = Field(default=0, ge=0, le=60_000)
    """The same for the feed latency."""
    entry_latency_recorded_ms: Annotated[Milliseconds, Setting("milliseconds, a list", "PaperExchange")] = ()
    """Measured entry latencies, taken one after the other and again from the start; instead of the other two."""
    ack_latency_recorded_ms: Annotated[Milliseconds, Setting("milliseconds, a list", "PaperExchange")] = ()
    """The same for the ack latency."""
    feed_latency_recorded: Annotated[bool, Setting("yes/no", "PaperExchange")] = False
    """See rows of a recording when the recorder received them; instead of feed_latency_ms."""
    queue_model: Annotated[Literal["back", "proportional", "trades"], Setting("model", "PaperExchange")] = "back"
    """How the queue before a resting order shortens: by trades and never beyond what the level shows (back), also by
    its share of cancels (proportional), by trades alone (trades)."""
    funding: Annotated[Literal["market", "venue", "none"], Setting("source", "PaperExchange")] = "market"
    """Funding rows of the market, the simulated venue's own rule from mark and index, or none."""
    margin_window: Annotated[Literal["overnight", "intraday", "schedule"], Setting("window", "PaperExchange")] = (
        "overnight"
    )
    """Margin rates of a simulated account: one of the two sets at any hour, or intraday within day_hours."""
    day_hours: Annotated[Hours, Setting("days, hours and zone", "PaperExchange")] = (
        "Mon-Fri 08:00-16:00 America/New_York"
    )
    """When margin_window schedule has the intraday rates."""
    session_break: Annotated[Hours, Setting("days, hours and zone", "PaperExchange")] = ""
    """When a simulated venue is shut each week, such as `Fri 17:00-18:00 America/New_York`; empty is never."""
    fee_tiers: Annotated[FeeTiers, Setting("volume:maker/taker, ...", "PaperExchange")] = ""
    """Fees by what was traded in 30 days, such as `0:0.00095/0.001, 100000:0.0008/0.0009`; empty: the product's."""
    fee_volume_before: Annotated[Amount, Setting("USD", "PaperExchange")] = Field(
        default=Decimal(0), ge=0, le=Decimal(1_000_000_000)
    )
    """What the account had traded in the 30 days before a simulated run."""
    bracket_collar_bps: Annotated[Amount, Setting("basis points", "PaperExchange")] = Field(
        default=Decimal(500), ge=0, lt=10_000
    )
    """A triggered bracket of the simulated venue gets out at no worse a price than this far behind its stop."""
    bar_half_spread_bps: Annotated[Amount, Setting("basis points", "PaperExchange")] = Field(
        default=Decimal(1), ge=0, le=1000
    )
    """Book modelled from bars: distance of the best prices from the price; at least one tick."""
    bar_level_step_bps: Annotated[Amount, Setting("basis points", "PaperExchange")] = Field(
        default=Decimal(1), ge=0, le=1000
    )
    """Book modelled from bars: distance between two levels; at least one tick."""
    bar_levels: Annotated[Count, Setting("levels a side", "PaperExchange")] = Field(default=10, ge=1, le=1000)
    """Book modelled from bars: its depth."""
    bar_level_share: Annotated[Amount, Setting("share of a bar's volume", "PaperExchange")] = Field(
        default=Decimal("0.02"), ge=0, le=10
    )
    """Book modelled from bars: what each level shows of the average volume of closed bars; at least one lot."""
    bar_passive_share: Annotated[Amount, Setting("share of a bar's volume", "PaperExchange")] = Field(
        default=Decimal("0.1"), ge=0, le=1
    )
    """Resting orders get at most this share of a bar's volume."""


class StrategyConfig(StrictModel):
    """What is wanted of the market."""

    name: Annotated[str, Setting("name", "PerpsBotBuilder", option="--strategy")] = "ma_crossover"
    """Which strategy, as `gpt-trader strategy list` names it; one instance serves one symbol."""
    parameters: Annotated[
        ParameterTexts, Setting("as the strategy says", "the strategy that is named", option="--parameters")
    ] = Field(default_factory=dict)
    """Its own numbers by name, where they have no setting of their own below. The strategy checks them."""
    folder: Annotated[str, Setting("folder", "PerpsBotBuilder", option="--strategy-folder", in_digest=False)] = ""
    """Folder with strategies of your own, one file each; it and they must be yours alone. Empty = none."""
    short_ma: Annotated[Count, Setting("bars", "strategy ma_crossover")] = Field(default=5, ge=1, le=10_000)
    """Length of the fast moving average."""
    long_ma: Annotated[Count, Setting("bars", "strategy ma_crossover")] = Field(default=20, ge=2, le=10_000)
    """Length of the slow moving average."""
    confirmation_bars: Annotated[Count, Setting("bars", "strategy ma_crossover")] = Field(default=0, ge=0, le=1000)
    """How many further bars a cross must hold before it counts."""
    trailing_stop_pct: Annotated[Amount, Setting("share of the best price", "strategy ma_crossover")] = Field(
        default=Decimal("0.01"), ge=0, lt=1
    )
    """Distance of the trailing stop. 0 = none."""
    position_fraction: Annotated[Amount, Setting("share of equity", "strategy ma_crossover")] = Field(
        default=Decimal("0.05"), gt=0, le=10
    )
    """Notional that an entry asks for."""
    allow_shorts: Annotated[bool, Setting("yes/no", "strategy ma_crossover")] = False
    """Whether it may want to be short."""
    entry_tactic: Annotated[TacticName, Setting("tactic", "OrderExecutorHandler")] = "market"
    """Placement of entries whose signal names no tactic. Exits go by market with a collar."""
    entry_tactic_per_symbol: Annotated[TacticPerSymbol, Setting("tactic", "OrderExecutorHandler")] = Field(
        default_factory=dict
    )
    """The same for single symbols."""

    def of(self, symbol: str) -> Self:
        """What one symbol's instance is made from: its own tactic is its entry tactic."""
        return self.model_copy(update={"entry_tactic": self.entry_tactic_per_symbol.get(symbol, self.entry_tactic)})

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.short_ma >= self.long_ma:
            raise ValueError("short_ma must be shorter than long_ma")
        return self


class ExecutionConfig(StrictModel):
    """How an approved order gets into the market."""

    order_preview_enabled: Annotated[
        bool, Setting("yes/no", "LiveExecutionEngine, OrderValidator", env="ORDER_PREVIEW_ENABLED")
    ] = False
    """Ask the venue's own preview before an order: its errors refuse, its warnings are recorded."""
    slippage_multipliers: Annotated[
        AmountPerSymbol, Setting("factor", "LiveExecutionEngine, OrderValidator", env="SLIPPAGE_MULTIPLIERS")
    ] = Field(default_factory=dict)
    """Multiply the expected slippage of single symbols before slippage_guard_bps looks at it."""
    intent_valid_seconds: Annotated[Seconds, Setting("seconds", "OrderSubmitter")] = Field(
        default=60.0, gt=0, le=86_400
    )
    """Life of an intent: after it nothing is sent or sent again for it."""
    simple_limit_timeout_seconds: Annotated[Seconds, Setting("seconds", "SimpleLimitExecutionStrategy")] = Field(
        default=30.0, gt=0, le=86_400
    )
    """How long a simple limit order rests."""
    simple_limit_offset_bps: Annotated[Amount, Setting("basis points", "SimpleLimitExecutionStrategy")] = Field(
        default=Decimal(1), ge=0, le=1000
    )
    """Distance of a simple limit order from its touch."""
    aggressive_limit_requotes_max: Annotated[Count, Setting("orders", "AggressiveLimitExecutionStrategy")] = Field(
        default=8, ge=1, le=100
    )
    """How often an aggressive limit order is quoted again."""
    aggressive_limit_timeout_seconds: Annotated[Seconds, Setting("seconds", "AggressiveLimitExecutionStrategy")] = (
        Field(default=13.0, gt=0, le=3600)
    )
    """How long it tries before it goes to market."""
    post_only_chase_timeout_seconds: Annotated[Seconds, Setting("seconds", "PostOnlyChaseExecutionStrategy")] = Field(
        default=60.0, gt=0, le=86_400
    )
    """How long a post-only order follows its own best price; then entries keep what they got, exits go to market."""
    post_only_chase_interval_seconds: Annotated[Seconds, Setting("seconds", "PostOnlyChaseExecutionStrategy")] = Field(
        default=1.0, ge=0.1, le=3600
    )
    """At most one re-quote in this time."""
    post_only_chase_requotes_max: Annotated[Count, Setting("orders", "PostOnlyChaseExecutionStrategy")] = Field(
        default=30, ge=1, le=500
    )
    """How often it is quoted again."""
    post_only_chase_distance_max_bps: Annotated[Amount, Setting("basis points", "PostOnlyChaseExecutionStrategy")] = (
        Field(default=Decimal(20), gt=0, le=1000)
    )
    """How far from the arrival mid it follows at most."""
    twap_duration_seconds: Annotated[Seconds, Setting("seconds", "TwapExecutionStrategy")] = Field(
        default=600.0, gt=0, le=86_400
    )
    """Time over which a TWAP spreads its slices."""
    twap_slices: Annotated[Count, Setting("orders", "TwapExecutionStrategy")] = Field(default=10, ge=1, le=200)
    """How many; fewer when a slice would be smaller than the venue takes, more when the impact cap asks for it."""
    twap_patience_pct: Annotated[Amount, Setting("share of a slice's time", "TwapExecutionStrategy")] = Field(
        default=Decimal("0.5"), ge=0, le=1
    )
    """How long a slice rests at its own touch before the rest is taken within the collar. 0 takes at once."""
    iceberg_timeout_seconds: Annotated[Seconds, Setting("seconds", "IcebergExecutionStrategy")] = Field(
        default=600.0, gt=0, le=86_400
    )
    """How long an iceberg works; then an entry keeps what it got, an exit goes to market."""
    iceberg_display_pct: Annotated[Amount, Setting("share of the quantity", "IcebergExecutionStrategy")] = Field(
        default=Decimal("0.1"), gt=0, le=1
    )
    """What is shown at one time."""
    iceberg_interval_seconds: Annotated[Seconds, Setting("seconds", "IcebergExecutionStrategy")] = Field(
        default=5.0, ge=0.1, le=3600
    )
    """Without a limit price of its own it follows its own best price, at most once in this time."""
    stop_watch_seconds: Annotated[Seconds, Setting("seconds", "StopTriggerManager")] = Field(default=1.0, gt=0, le=60)
    """How often the last trade is compared with the stops that are kept; each closed bar is looked at too."""
    stop_escalate_seconds: Annotated[Seconds, Setting("seconds", "StopTriggerManager")] = Field(
        default=5.0, gt=0, le=600
    )
    """How long an exit that a stop fired may take before it is cancelled and sent anew at the price of then."""
    stop_limit_offset_bps: Annotated[Amount, Setting("basis points", "StopTriggerManager")] = Field(
        default=Decimal(100), ge=0, le=1000
    )
    """How far beyond its trigger lies the limit price of a stop that the venue keeps."""
    retries_max: Annotated[Count, Setting("retries", "OrderSubmitter")] = Field(default=3, ge=0, le=10)
    """How often the same body is sent again when the wire failed."""
    retry_base_seconds: Annotated[Seconds, Setting("seconds", "OrderSubmitter")] = Field(default=1.0, gt=0, le=60)
    """Wait before the first retry."""
    retry_factor: Annotated[Seconds, Setting("factor", "OrderSubmitter")] = Field(default=2.0, ge=1, le=10)
    """Each further wait is so many times the one before."""
    retry_cap_seconds: Annotated[Seconds, Setting("seconds", "OrderSubmitter")] = Field(default=30.0, gt=0, le=600)
    """Longest wait."""
    retry_jitter_pct: Annotated[Amount, Setting("share of the wait", "OrderSubmitter")] = Field(
        default=Decimal("0.25"), ge=0, lt=1
    )
    """Each wait is moved at random by up to this share, up or down."""
    fill_wait_seconds: Annotated[Seconds, Setting("seconds", "OrderConfirmationWaiter, ReconciliationHandler")] = Field(
        default=10.0, gt=0, le=600
    )
    """How long a fill that should be immediate is waited for."""
    fill_poll_seconds: Annotated[Seconds, Setting("seconds", "OrderConfirmationWaiter")] = Field(
        default=0.5, gt=0, le=60
    )
    """How often the venue is asked meanwhile."""
    max_slippage_pct: Annotated[
        Amount, Setting("share of the arrival price", "ReconciliationHandler; guard slippage")
    ] = Field(default=Decimal("0.01"), gt=0, lt=1)
    """A fill worse than this against the arrival mid is reported as an event of its own."""
    unknown_settle_seconds: Annotated[Seconds, Setting("seconds", "OrderReconciler")] = Field(
        default=180.0, gt=0, le=86_400
    )
    """How long an order of unknown outcome is looked for before it counts as never arrived."""
    unknown_read_seconds: Annotated[Seconds, Setting("seconds", "OrderReconciler")] = Field(default=15.0, gt=0, le=3600)
    """How often orders, fills and positions are read meanwhile."""

    @model_validator(mode="after")
    def _check_waits(self) -> Self:
        if self.retry_base_seconds > self.retry_cap_seconds:
            raise ValueError("retry_base_seconds must not exceed retry_cap_seconds")
        if self.fill_poll_seconds > self.fill_wait_seconds:
            raise ValueError("fill_poll_seconds must not exceed fill_wait_seconds")
        return self


class GuardsConfig(StrictModel):
    """How often the bot looks after itself."""

    interval_seconds: Annotated[Seconds, Setting("seconds", "GuardManager")] = Field(default=60.0, gt=0, le=3600)
    """Cadence of the runtime guards; they also run after fills."""
    account_sweep_seconds: Annotated[Seconds, Setting("seconds", "GuardManager; guard drift")] = Field(
        default=60.0, gt=0, le=3600
    )
    """How often the venue's positions are read and compared with the ledger, whatever the streams say."""


class RecordsConfig(StrictModel):
    """Where the log lies, and what it needs."""

    url: Annotated[
        Annotated[SecretStr, AfterValidator(check_server)] | None,
        Setting("postgresql://...", "EventStore, lease", env="GPT_TRADER_STORE_URL", secret=True, in_digest=False),
    ] = None
    """PostgreSQL server of logs and leases, for more than one machine; none keeps both on this host."""
    lease_seconds: Annotated[Seconds, Setting("seconds", "lease", in_digest=False)] = Field(default=30.0, ge=20, le=600)
    """How long a lease on a server runs without being renewed; so long a second bot waits after a crash."""
    snapshot_events: Annotated[Count, Setting("events", "Snapshots", in_digest=False)] = Field(
        default=50_000, ge=0, le=10_000_000
    )
    """So often the state is kept beside the log of a live run, and at a stop: a restart replays no more. 0 = never."""
    disk_free_gb_min: Annotated[Amount, Setting("GB", "EventStore; guard disk", in_digest=False)] = Field(
        default=Decimal("0.5"), ge=0, le=100_000
    )
    """With less room a run is not begun; while it goes on, entries are cancelled until there is room again."""
    record_gb_max: Annotated[Amount, Setting("GB", "DecisionInputs", in_digest=False)] = Field(
        default=Decimal(1), ge=0, le=100_000
    )
    """Of what decisions on a live market were taken on, for `gpt-trader replay`: so much a boot, then no more."""


class RunConfig(StrictModel):
    """One run of the bot."""

    seed: Annotated[Count, Setting("number", "synthetic market; all randomness", option="--seed")] = Field(
        default=7, ge=0, lt=2**63
    )
    """The same seed gives the same event log, byte for byte."""
    duration: Annotated[
        Annotated[int, Field(ge=1, le=366 * 86_400)] | None,
        BeforeValidator(parse_duration),
        Setting("seconds, or 1d, 6h, 90m", "PerpsBot", option="--duration"),
    ] = None
    """Market time after which the run ends; none ends with the market, or never on a live one."""
    bar_seconds: Annotated[Annotated[Count, Field(ge=1, le=86_400)] | None, Setting("seconds", "bar aggregator")] = None
    """Length of the bars that strategies get; none leaves it to the market (60 s; 5 s on markets under an hour)."""
    pace: Annotated[
        str,
        AfterValidator(check_pace),
        Setting("speed", "event loop", option="--pace", in_digest=False),
    ] = "max"
    """Market time per real time of a simulated run: max, realtime or a factor such as 60x."""
    dry_run: Annotated[bool, Setting("yes/no", "OrderSubmitter", option="--dry-run")] = False
    """Decide and record, never send; the run goes on."""
    mark_outs: Annotated[bool, Setting("yes/no", "MarkOutRecorder")] = True
    """Write down where the market stood 1, 10 and 60 s after each fill, for `gpt-trader tca`."""
    engine: Annotated[
        Literal["flags", "live", "advanced"], Setting("engine", "ExecutionEngineFactory", option="--engine")
    ] = "flags"
    """flags: the two flags choose. live or advanced: that engine, whatever the flags say."""

    shadow: Annotated[
        Literal["none", "live", "advanced"],
        Setting("none, live or advanced", "Shadow", option="--shadow", in_digest=False),
    ] = "none"
    """Engine that decides beside the one that trades, on the same snapshots, and sends nothing; of `run` and
    `backtest`."""

    @property
    def pace_factor(self) -> float | None:
        """Market seconds a real second; None means as fast as it computes."""
        if self.pace == "max":
            return None
        return 1.0 if self.pace == "realtime" else float(self.pace.removesuffix("x"))


SignalCommand = Literal["kill", "reduce_only", "flatten"]


class ControlConfig(StrictModel):
    """What signals say to a running bot."""

    sigusr1: Annotated[SignalCommand, Setting("command", "ops/signals", in_digest=False)] = "kill"
    """What SIGUSR1 is: kill, reduce_only or flatten."""
    sigusr2: Annotated[SignalCommand, Setting("command", "ops/signals", in_digest=False)] = "flatten"
    """The same for SIGUSR2. Flatten goes by market, within its collar."""


class MetricsConfig(StrictModel):
    """Figures for Prometheus. Off until a port is named."""

    port: Annotated[
        Annotated[Count, Field(ge=1, le=65_535)] | None, Setting("TCP port", "ops/metrics", in_digest=False)
    ] = None
    """Where a running bot serves its figures, such as 9464; none serves nothing."""
    host: Annotated[str, AfterValidator(check_host), Setting("address", "ops/metrics", in_digest=False)] = Field(
        default="127.0.0.1", min_length=1
    )
    """Address to listen on. Whoever reaches it reads what is held: another than loopback is your choice."""


Urls = Annotated[SecretStr, AfterValidator(check_urls)]


class AlertsConfig(StrictModel):
    """Who is told what, and how. URLs are those of apprise, several separated by spaces; they are secrets."""

    urls: Annotated[Urls | None, Setting("URLs", "ops/alerts", secret=True, in_digest=False)] = None
    """Told of warnings, of what is critical, and every day how it went."""
    urls_critical: Annotated[Urls | None, Setting("URLs", "ops/alerts", secret=True, in_digest=False)] = None
    """Told of what is critical, instead of `urls`: name those again that should hear it too."""
    urls_info: Annotated[Urls | None, Setting("URLs", "ops/alerts", secret=True, in_digest=False)] = None
    """Told of what is good to know: trades, positions closed, starts and ends."""
    repeat_seconds: Annotated[Seconds, Setting("seconds", "ops/alerts", in_digest=False)] = Field(
        default=900.0, ge=0, le=86_400
    )
    """The same thing is told once in this time, then how often it came."""
    per_hour_max: Annotated[Count, Setting("messages", "ops/alerts", in_digest=False)] = Field(
        default=60, ge=1, le=3600
    )
    """More messages than this in an hour are counted and told as one; what is critical is always told."""
    timeout_seconds: Annotated[Seconds, Setting("seconds", "ops/alerts", in_digest=False)] = Field(
        default=10.0, ge=1, le=60
    )
    """What one message, or one beat, may take."""
    daily_at: Annotated[
        str, AfterValidator(check_time_of_day), Setting("HH:MM, UTC", "ops/alerts", in_digest=False)
    ] = "00:05"
    """When the daily report is sent; empty is never."""
    heartbeat_url: Annotated[
        Annotated[SecretStr, AfterValidator(check_web_address)] | None,
        Setting("URL", "ops/alerts", secret=True, in_digest=False),
    ] = None
    """Asked for while the bot answers; whoever owns it tells you when that ends."""
    heartbeat_seconds: Annotated[Seconds, Setting("seconds", "ops/alerts", in_digest=False)] = Field(
        default=60.0, ge=1, le=3600
    )
    """How often."""

    def listed(self, setting: Literal["urls", "urls_critical", "urls_info"]) -> tuple[str, ...]:
        """Each URL of a setting; secrets."""
        value = {"urls": self.urls, "urls_critical": self.urls_critical, "urls_info": self.urls_info}[setting]
        return () if value is None else tuple(value.get_secret_value().split())


class CredentialsConfig(StrictModel):
    """Keys of a venue. From environment or env file only; never printed, never part of the digest."""

    coinbase_api_key_name: Annotated[
        SecretStr | None,
        Setting("text", "exchange/coinbase", env="COINBASE_API_KEY_NAME", secret=True, in_digest=False),
    ] = None
    """CDP key name (`organizations/.../apiKeys/...`) or key id."""
    coinbase_api_private_key: Annotated[
        SecretStr | None,
        Setting("PEM or base64", "exchange/coinbase", env="COINBASE_API_PRIVATE_KEY", secret=True, in_digest=False),
    ] = None
    """CDP private key: EC or Ed25519."""
    coinbase_api_key_file: Annotated[
        str | None, Setting("path", "exchange/coinbase", env="COINBASE_API_KEY_FILE", in_digest=False)
    ] = Field(default=None, min_length=1)
    """Key file as downloaded from CDP, readable by its owner only; instead of name and key."""

    ccxt_api_key: Annotated[
        SecretStr | None, Setting("text", "exchange/ccxt", env="CCXT_API_KEY", secret=True, in_digest=False)
    ] = None
    """Key of the exchange that is reached through CCXT; it may read and trade, and not move money."""
    ccxt_api_secret: Annotated[
        SecretStr | None, Setting("text", "exchange/ccxt", env="CCXT_API_SECRET", secret=True, in_digest=False)
    ] = None
    """Its secret."""
    ccxt_api_password: Annotated[
        SecretStr | None, Setting("text", "exchange/ccxt", env="CCXT_API_PASSWORD", secret=True, in_digest=False)
    ] = None
    """Its pass phrase, where the exchange has one."""

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        if (self.ccxt_api_key is None) != (self.ccxt_api_secret is None):
            raise ValueError("ccxt_api_key and ccxt_api_secret are set together or not at all")
        name, key, file = self.coinbase_api_key_name, self.coinbase_api_private_key, self.coinbase_api_key_file
        if (name is None) != (key is None):
            raise ValueError("coinbase_api_key_name and coinbase_api_private_key are set together or not at all")
        if file is not None and name is not None:
            raise ValueError("coinbase_api_key_file is set beside coinbase_api_key_name: which one counts? Set one")
        return self

    def secret_texts(self) -> tuple[str, ...]:
        """What must never be written down, of these alone."""
        return tuple(value.get_secret_value() for _, value in self if isinstance(value, SecretStr))


class BotConfig(StrictModel):
    """Everything that a bot is built from."""

    profile: Annotated[str, Setting("name", "store and log", option="--profile")] = "custom"
    """Name of the profile; a store serves one."""
    description: Annotated[str, Setting("text", "people", in_digest=False)] = ""
    """One line about the profile."""
    risk_file: Annotated[
        str | None,
        Setting(
            "file in config/risk, or path", "config.load", env="RISK_CONFIG_PATH", option="--risk-file", in_digest=False
        ),
    ] = Field(default=None, min_length=1)
    """Limits in a file of their own; they stand above the profile and below env file and environment."""
    symbols: Annotated[Symbols, Setting("symbols", "PerpsBotBuilder", env="TRADING_SYMBOLS", option="--symbols")] = (
        "BTC-PERP",
    )
    """What is traded."""
    venue: VenueConfig = VenueConfig()
    strategy: StrategyConfig = StrategyConfig()
    execution: ExecutionConfig = ExecutionConfig()
    guards: GuardsConfig = GuardsConfig()
    records: RecordsConfig = RecordsConfig()
    run: RunConfig = RunConfig()
    control: ControlConfig = ControlConfig()
    metrics: MetricsConfig = MetricsConfig()
    alerts: AlertsConfig = AlertsConfig()
    credentials: CredentialsConfig = CredentialsConfig()
    risk: RiskConfig = RiskConfig()

    def multiplier(self, symbol: str) -> Decimal:
        """Slippage multiplier of a symbol; 1 where none is set."""
        return self.execution.slippage_multipliers.get(symbol, Decimal(1))

    def secret_texts(self) -> tuple[str, ...]:
        """What must never be written down, for whoever writes something down: secrets, and what URLs are made of."""
        whole = [
            text
            for section in (self.records, self.alerts)
            for _, value in section
            if isinstance(value, SecretStr)
            for text in value.get_secret_value().split()
        ]
        parts = [part for text in whole for part in _URL_PARTS.split(text.partition("://")[2])]
        telling = [part for part in parts if len(part) >= SECRET_CHARACTERS_MIN and part not in THIS_MACHINE]
        return (*self.credentials.secret_texts(), *whole, *telling)


def sections() -> Mapping[str, type[StrictModel]]:
    """The parts of a BotConfig by name."""
    return {
        name: field.annotation
        for name, field in BotConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, StrictModel)
    }


def parse_multipliers(text: str) -> Mapping[str, Decimal]:
    """SLIPPAGE_MULTIPLIERS (`BTC-PERP:1.5,ETH-PERP:2`) as the setting has it. Raises ConfigError naming the item."""
    try:
        return _MULTIPLIERS.validate_python(text)
    except ValidationError as error:
        said = "; ".join(detail["msg"] for detail in error.errors())
        raise ConfigError(
            f"SLIPPAGE_MULTIPLIERS = {text!r}: {said}. Fix: for instance BTC-PERP:1.5,ETH-PERP:2.0"
        ) from error
