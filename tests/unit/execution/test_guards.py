"""GuardManager: what a trip does, how it ends, and that it survives a restart. Over a real event store."""

import asyncio
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import D, Recorder, a_fill

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import ConfigError, VenueUnavailableError
from gpt_trader.core.events import EquityBaselineSet, Event, GuardCleared, GuardTripped, ModeChanged, SymbolPaused
from gpt_trader.core.values import Mode
from gpt_trader.execution.guards import GuardManager
from gpt_trader.risk.guard_rules import GUARDS, Baselines, Guard, GuardInput, GuardSymbol, Reading

MIDNIGHT_NS = 1_749_945_600 * NS
"""2025-06-15 00:00 UTC."""
HOUR = 3600.0


class House:
    """A guard manager, the account it watches, and what became of it."""

    def __init__(self, folder: Path, config: RiskConfig, guards: tuple[Guard, ...] = GUARDS, **parts: Any) -> None:
        self.recorder = Recorder(folder, parts.get("clock") or ManualClock(MIDNIGHT_NS + 12 * 3600 * NS))
        self.clock = self.recorder.clock
        self.equity = D(100_000)
        self.cash_flows = D(0)
        self.symbol: dict[str, Any] = {"symbol": "BTC-PERP", "mark": D(60_000)}
        self.mark_age_seconds = 0
        self.cancelled = 0
        self.cancel_error: Exception | None = None
        self.cancels_proven = True
        self.read_error: Exception | None = None
        self.sweeps = 0
        self.sweep_error: Exception | None = None
        self.cuts: list[tuple[Decimal, str]] = []
        self.guards = GuardManager(
            config=config,
            clock=self.clock,
            bus=self.recorder.bus,
            read=self.read,
            cancel_entries=self.cancel_entries,
            sweep=self.sweep,
            sweep_seconds=120,
            reduce=self.reduce,
            guards=guards,
        )

    def read(self) -> GuardInput:
        if self.read_error is not None:
            raise self.read_error
        now_ns = self.clock.now_ns()
        symbol = GuardSymbol(**self.symbol, mark_received_ns=now_ns - self.mark_age_seconds * NS)
        return GuardInput(now_ns=now_ns, equity=self.equity, cash_flows=self.cash_flows, symbols=(symbol,))

    async def cancel_entries(self) -> bool:
        self.cancelled += 1
        if self.cancel_error is not None:
            raise self.cancel_error
        return self.cancels_proven

    async def sweep(self) -> None:
        self.sweeps += 1
        if self.sweep_error is not None:
            raise self.sweep_error

    async def reduce(self, share: Decimal, reason: str) -> None:
        self.cuts.append((share, reason))

    def run(self, after_seconds: float = 0) -> None:
        asyncio.run(self.clock.sleep(after_seconds))
        asyncio.run(self.guards.run())

    def mode(self) -> Mode:
        return self.guards.mode

    def told(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.recorder.events if isinstance(event, kinds)]

    def guards_told(self) -> list[str]:
        """`+guard` for a trip, `-guard` for its end."""
        return [
            ("+" if isinstance(event, GuardTripped) else "-") + event.guard
            for event in self.recorder.events
            if isinstance(event, GuardTripped | GuardCleared)
        ]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    houses: list[House] = []

    def build(config: RiskConfig | None = None, **parts: Any) -> House:
        folder = tmp_path / str(len(houses))
        folder.mkdir()
        houses.append(House(folder, config or RiskConfig(), **parts))
        return houses[-1]

    yield build
    for house in houses:
        house.recorder.close()


def reborn(make: Any, house: House, config: RiskConfig | None = None) -> House:
    """The same account after a restart: a new manager that saw the stored events."""
    again: House = make(config, clock=house.clock)
    again.equity, again.cash_flows, again.symbol = house.equity, house.cash_flows, house.symbol
    for event in house.recorder.events:
        again.guards.restore(event)
    return again


def test_quiet_account_is_left_alone(make: Any) -> None:
    """The first run writes the baseline and nothing else; the panel has readings."""
    house = make()
    house.run()
    house.run(60)
    assert house.recorder.kinds() == ["EquityBaselineSet"]
    assert house.mode() is Mode.NORMAL
    assert "daily_loss_utc_day" in {reading.guard for reading in house.guards.readings()}


# --- what a trip does --------------------------------------------------------------------------------------------
def test_daily_loss_shuts_entries_and_cancels_them(make: Any) -> None:
    """Told once, with its arithmetic; entries are cancelled once."""
    house = make()
    house.run()
    house.equity = D(99_900)
    house.run(60)
    house.run(60)
    assert house.guards_told() == ["+daily_loss_utc_day", "+daily_loss_24h"]
    trip, _ = house.told(GuardTripped)
    (mode,) = house.told(ModeChanged)
    assert (trip.value, trip.threshold, trip.unit) == (100, 100, "USD")
    assert trip.numbers["baseline_equity"] == 100_000
    assert (mode.mode, mode.was, mode.who) == (Mode.REDUCE_ONLY, Mode.NORMAL, "guard daily_loss_utc_day")
    assert house.mode() is Mode.REDUCE_ONLY
    assert house.cancelled == 1


def test_withdrawal_is_no_loss(make: Any) -> None:
    """Limits are net of transfers."""
    house = make()
    house.run()
    house.equity, house.cash_flows = D(40_000), D(-60_000)
    house.run(60)
    assert house.mode() is Mode.NORMAL


def test_stale_mark_pauses_only_its_symbol_and_comes_back(make: Any) -> None:
    """No mode change; the pause ends with the first fresh mark."""
    house = make()
    house.mark_age_seconds = 361
    house.run()
    assert house.mode() is Mode.NORMAL
    assert "mark_staleness" in house.guards.pause_reason("BTC-PERP")
    assert house.guards.pause_reason("ETH-PERP") == ""
    house.mark_age_seconds = 0
    house.run(60)
    assert house.guards.pause_reason("BTC-PERP") == ""
    assert [event.reason != "" for event in house.told(SymbolPaused)] == [True, False]


def volatile(**changes: Any) -> RiskConfig:
    return RiskConfig(
        enable_volatility_circuit_breaker=True,
        volatility_warning_threshold=D("0.5"),
        volatility_reduce_only_threshold=D("0.8"),
        volatility_kill_switch_threshold=D("1.2"),
        **changes,
    )


def test_warning_is_only_recorded(make: Any) -> None:
    """0.58 a year: told, nothing done."""
    house = make(volatile())
    house.symbol["bar_sigma"] = D("0.0008")
    house.run()
    assert house.guards_told() == ["+volatility_warning"]
    assert house.mode() is Mode.NORMAL


def test_reduce_only_ends_after_a_calm_cooldown(make: Any) -> None:
    """30 minutes of calm; unrest in between begins them anew."""
    house = make(volatile())
    house.symbol["bar_sigma"] = D("0.0012")
    house.run()
    assert house.mode() is Mode.REDUCE_ONLY
    house.symbol["bar_sigma"] = D("0.0001")
    house.run(60)
    house.symbol["bar_sigma"] = D("0.0012")
    house.run(20 * 60)
    house.symbol["bar_sigma"] = D("0.0001")
    house.run(60)
    house.run(29 * 60)
    assert house.mode() is Mode.REDUCE_ONLY
    house.run(60)
    assert house.mode() is Mode.NORMAL


def test_kill_stays_until_an_operator_takes_it_back(make: Any) -> None:
    """Days of calm do not end it; the operator's word does and is written down."""
    house = make(volatile())
    house.symbol["bar_sigma"] = D("0.0020")
    house.run()
    assert house.cancelled == 1
    house.symbol["bar_sigma"] = D("0.0001")
    house.run(60)
    house.run(3 * 24 * HOUR)
    assert house.mode() is Mode.REDUCE_ONLY
    house.guards.set_mode(Mode.NORMAL, "alice", "looked at it")
    assert house.mode() is Mode.NORMAL
    assert house.told(ModeChanged)[-1].who == "alice"
    assert house.guards_told()[-1] == "-volatility_kill"


# --- baselines ---------------------------------------------------------------------------------------------------
def test_loss_of_the_day_ends_with_the_day_and_that_of_24_hours_later(make: Any) -> None:
    """Both trip at noon; midnight ends one, the next noon the other."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.run(60)
    assert sorted(house.guards_told()) == ["+daily_loss_24h", "+daily_loss_utc_day"]
    for _ in range(11):
        house.run(HOUR)
    house.run(HOUR)
    assert house.guards_told()[2:] == ["-daily_loss_utc_day"]
    assert house.mode() is Mode.REDUCE_ONLY
    for _ in range(13):
        house.run(HOUR)
    assert house.guards_told()[2:] == ["-daily_loss_utc_day", "-daily_loss_24h"]
    assert house.mode() is Mode.NORMAL


def test_loss_over_midnight_is_seen(make: Any) -> None:
    """60 before midnight and 60 after it: neither day reaches 100, the 24 hours do."""
    house = make()
    house.run()
    house.equity = D(99_940)
    for _ in range(12):
        house.run(HOUR)
    house.equity = D(99_880)
    house.run(60)
    assert house.guards_told() == ["+daily_loss_24h"]


def test_baseline_is_written_once_an_hour(make: Any) -> None:
    """However often the guards run."""
    house = make()
    for _ in range(121):
        house.run(60)
    assert len(house.told(EquityBaselineSet)) == 3


# --- what errs ---------------------------------------------------------------------------------------------------
def broken(_: GuardInput, __: Baselines, ___: RiskConfig) -> Iterable[Reading]:
    return [Reading(*[])] if Decimal(1) / Decimal(0) else []


def test_guard_that_errs_trips_to_reduce_only_and_is_named(make: Any) -> None:
    """The others still look: the loss is found too."""
    house = make(guards=(Guard("broken", broken), *GUARDS))
    house.run()
    house.equity = D(99_000)
    house.run(60)
    assert house.mode() is Mode.REDUCE_ONLY
    assert house.guards_told() == ["+broken_failure", "+daily_loss_utc_day", "+daily_loss_24h"]
    assert "DivisionByZero" in house.told(GuardTripped)[0].numbers["error"]


def test_figures_that_cannot_be_read_trip_and_come_back(make: Any) -> None:
    """What cannot be measured is not safe; after a calm cooldown it is again."""
    house = make()
    house.read_error = VenueUnavailableError("no account")
    house.run()
    house.run(60)
    assert house.guards_told() == ["+figures_failure"]
    assert house.mode() is Mode.REDUCE_ONLY
    house.read_error = None
    house.run(60)
    house.run(30 * 60)
    assert house.mode() is Mode.NORMAL


def test_no_way_back_is_taken_while_a_guard_errs(make: Any) -> None:
    """Calm cannot be told apart from blindness."""
    house = make()
    house.mark_age_seconds = 361
    house.run()
    house.read_error = ValueError("bad figures")
    house.run(24 * HOUR)
    assert house.guards_told() == ["+mark_staleness", "+figures_failure"]


def test_cancel_that_fails_is_tried_again(make: Any) -> None:
    """At every run until the venue could be reached."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.cancel_error = VenueUnavailableError("down")
    house.run(60)
    house.run(60)
    house.cancel_error = None
    house.run(60)
    house.run(60)
    assert house.cancelled == 3
    assert "+cancel_entries_failure" in house.guards_told()


def test_cancel_that_is_not_proven_is_asked_again(make: Any) -> None:
    """A venue that took the cancel has not said that nothing can fill any more."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.cancels_proven = False
    house.run(60)
    assert house.guards.is_cancelling
    house.run(60)
    house.cancels_proven = True
    house.run(60)
    house.run(60)
    assert house.cancelled == 3
    assert not house.guards.is_cancelling


# --- operators ---------------------------------------------------------------------------------------------------
def test_strictest_mode_wins(make: Any) -> None:
    """A guard does not open what an operator froze, nor the reverse."""
    house = make()
    house.run()
    house.guards.set_mode(Mode.FROZEN, "alice", "maintenance")
    house.equity = D(99_000)
    house.run(60)
    assert house.mode() is Mode.FROZEN
    house.guards.set_mode(Mode.REDUCE_ONLY, "alice", "done")
    assert house.mode() is Mode.REDUCE_ONLY


def test_operator_cannot_talk_a_rule_away(make: Any) -> None:
    """NORMAL ends the trip; the loss is still there and trips again."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.run(60)
    house.guards.set_mode(Mode.NORMAL, "alice", "go on")
    assert house.mode() is Mode.NORMAL
    house.run(60)
    assert house.mode() is Mode.REDUCE_ONLY


def test_one_trip_can_be_cleared_by_name(make: Any) -> None:
    """The others stay."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.run(60)
    assert house.guards.clear("daily_loss_utc_day", "", "alice", "seen")
    assert [guard for guard, _, _ in house.guards.tripped()] == ["daily_loss_24h"]
    assert not house.guards.clear("daily_loss_utc_day", "", "alice", "seen")


@pytest.mark.parametrize("setting", ["kill_switch_enabled", "reduce_only_mode"])
def test_configured_mode_holds_from_the_start_and_names_its_setting(make: Any, setting: str) -> None:
    """Before the first run too; an operator is told where to change it; a reload takes it back."""
    house = make(RiskConfig().model_copy(update={setting: True}))
    assert house.mode() is Mode.REDUCE_ONLY
    house.run()
    assert house.told(ModeChanged)[0].reason == f"{setting} is set"
    with pytest.raises(ConfigError, match=setting):
        house.guards.set_mode(Mode.NORMAL, "alice", "go")
    house.guards.reload(RiskConfig())
    assert house.mode() is Mode.NORMAL


def test_pause_by_hand_is_kept_apart_from_guards(make: Any) -> None:
    """A guard that calms down does not resume what the bot paused."""
    house = make()
    house.guards.pause("BTC-PERP", "liquidated")
    house.mark_age_seconds = 361
    house.run()
    assert house.guards.pause_reason("BTC-PERP") == "bot: liquidated"
    house.guards.resume("BTC-PERP")
    assert "mark_staleness" in house.guards.pause_reason("BTC-PERP")
    house.mark_age_seconds = 0
    house.run(60)
    assert house.guards.pause_reason("BTC-PERP") == ""


@pytest.mark.parametrize("who", ["", "guard x", "configuration"])
def test_nobody_speaks_in_the_name_of_a_guard(make: Any, who: str) -> None:
    """After a restart an operator's word is told from a guard's by its name."""
    with pytest.raises(ValueError, match="who"):
        make().guards.set_mode(Mode.REDUCE_ONLY, who, "")


# --- restart -----------------------------------------------------------------------------------------------------
def test_baselines_survive_a_restart(make: Any) -> None:
    """60 lost before and 60 after a restart are 120 on the day."""
    house = make()
    house.run()
    house.equity = D(99_940)
    house.run(60)
    again = reborn(make, house)
    again.equity = D(99_880)
    again.run(60)
    assert again.mode() is Mode.REDUCE_ONLY
    assert again.told(EquityBaselineSet) == []


def test_trips_survive_a_restart_and_are_not_told_twice(make: Any) -> None:
    """Mode is shut before the first run; entries are cancelled again, in case the crash came before."""
    house = make()
    house.run()
    house.equity = D(99_000)
    house.run(60)
    again = reborn(make, house)
    assert again.mode() is Mode.REDUCE_ONLY
    again.run(60)
    assert again.told(GuardTripped, ModeChanged) == []
    assert again.cancelled == 1
    assert again.guards.tripped() == house.guards.tripped()


def test_operator_mode_and_pauses_survive_a_restart(make: Any) -> None:
    """Nothing reopens by being restarted."""
    house = make()
    house.guards.set_mode(Mode.CANCEL_ONLY, "alice", "leave it")
    house.guards.pause("ETH-PERP", "foreign fill")
    house.mark_age_seconds = 361
    house.run()
    again = reborn(make, house)
    again.run(60)
    assert again.mode() is Mode.CANCEL_ONLY
    assert again.guards.pause_reason("ETH-PERP") == "bot: foreign fill"
    assert again.guards.pause_reason("BTC-PERP") == ""


def test_cleared_trips_stay_cleared(make: Any) -> None:
    """A kill that was taken back does not come back with the next start."""
    house = make(volatile())
    house.symbol["bar_sigma"] = D("0.0020")
    house.run()
    house.symbol["bar_sigma"] = D("0.0001")
    house.guards.set_mode(Mode.NORMAL, "alice", "fine")
    again = reborn(make, house, volatile())
    again.run(60)
    assert again.mode() is Mode.NORMAL
    assert again.guards_told() == []


# --- the quiet band ----------------------------------------------------------------------------------------------
def test_band_is_given_only_when_nothing_is_under_way(make: Any) -> None:
    """Before the first run, and while anything is tripped, a run is needed."""
    house = make()
    assert house.guards.quiet_bands() is None
    house.run()
    assert house.guards.quiet_bands() is not None
    house.mark_age_seconds = 361
    house.run(60)
    assert house.guards.quiet_bands() is None


def test_readings_are_frozen_values(make: Any) -> None:
    """The panel shows them; nobody changes them."""
    house = make()
    house.run()
    with pytest.raises(AttributeError):
        house.guards.readings()[0].value = D(1)
    assert msgspec.json.encode(house.guards.readings())


# --- what only the venue knows -----------------------------------------------------------------------------------
def test_the_venue_is_asked_on_its_own_cadence(make: Any) -> None:
    """Every 120 s, although the guards run every 60."""
    house = make()
    for _ in range(5):
        house.run(60)
    assert house.sweeps == 3


def test_a_sweep_that_fails_now_and_then_is_normal_and_silence_is_not(make: Any) -> None:
    """The third failure in a row trips; the first answer begins the way back."""
    house = make()
    house.sweep_error = VenueUnavailableError("down")
    house.run()
    house.run(120)
    assert house.mode() is Mode.NORMAL
    house.run(120)
    assert house.guards_told() == ["+account_sweep_failure"]
    assert house.mode() is Mode.REDUCE_ONLY
    house.sweep_error = None
    house.run(120)
    house.run(31 * 60)
    assert house.mode() is Mode.NORMAL


def test_drift_shuts_entries_and_is_told_with_both_words(make: Any) -> None:
    """Ledger 3, venue 2."""
    house = make()
    house.symbol |= {"position": D(3), "drift": D(1), "drift_seconds": D(60)}
    house.run()
    (trip,) = house.told(GuardTripped)
    assert (trip.guard, trip.numbers["ledger"], trip.numbers["venue"]) == ("drift", D(3), D(2))
    assert house.mode() is Mode.REDUCE_ONLY


def test_before_a_stricter_margin_window_positions_are_cut(make: Any) -> None:
    """At each run until they fit, by the share that is too much; entries stay shut meanwhile."""
    house = make()
    house.symbol["next_maintenance"] = D(100_000)
    house.run()
    assert house.cuts == [(1 - D(85_000) / D(100_000), "margin_window")]
    assert house.mode() is Mode.REDUCE_ONLY
    house.symbol["next_maintenance"] = D(85_000)
    house.run(60)
    assert len(house.cuts) == 1
    assert house.mode() is Mode.NORMAL


@pytest.mark.parametrize(("cause", "paused"), [("OWN", ""), ("LIQUIDATION", "bot: a liquidation fill")])
def test_a_trade_that_was_not_ours_pauses_its_symbol(make: Any, cause: str, paused: str) -> None:
    """Until somebody has looked at it and resumes."""
    house = make()
    house.guards.on_fill(a_fill(cause=cause))
    assert house.guards.pause_reason("BTC-PERP") == paused


def test_a_kill_by_hand_holds_over_a_restart(make: Any) -> None:
    """Entries are cancelled, again after the restart, until an operator says NORMAL."""
    house: House = make(RiskConfig())
    house.run()
    house.guards.kill("ann", "it looks wrong")
    house.run()
    assert (house.guards.mode, house.cancelled) == (Mode.REDUCE_ONLY, 1)

    again = reborn(make, house)
    again.run()
    assert (again.guards.mode, again.cancelled) == (Mode.REDUCE_ONLY, 1)

    again.guards.set_mode(Mode.NORMAL, "ann", "it was fine")
    assert again.guards.mode is Mode.NORMAL
    assert again.guards.tripped() == ()
