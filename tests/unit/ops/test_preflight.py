"""Is every reason not to let a bot at real money found, said so that a person can act, and nothing sent?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.binance_venue import KEY, SECRET, ServedBinance, binance
from tests.venue_server import ServedVenue, served

from gpt_trader.bot.preflight import check_preflight
from gpt_trader.cli.main import run_command_line
from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import NS, ManualClock, SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ExecutionReport, TradingStatus
from gpt_trader.market.products import SIMULATED_PRODUCTS
from gpt_trader.ops.checks import check_clock, check_decision, check_disk, check_product
from gpt_trader.ops.preflight import Verdict, run_preflight

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedVenue, Path]]:
    """A served venue, and the file that says where it is."""
    folder = tmp_path_factory.mktemp("venue")
    with served(folder, speed=1.0, cash=Decimal(50_000)) as running:
        place = folder / "ready.json"
        place.write_text(json.dumps(running.ready))
        yield running, place


def settings(place: Path, profile: str = "canary", **overrides: object) -> Loaded:
    return load(profile, overrides={"venue.served": str(place), **overrides}, env={})


def looked_at(loaded: Loaded, home: Path) -> Verdict:
    return asyncio.run(run_preflight(loaded, home, SystemClock()))


def failed(verdict: Verdict) -> dict[str, str]:
    return {check.name: f"{check.said} {check.fix}" for check in verdict.failed}


@pytest.mark.parametrize("profile", ["canary", "observe"])
def test_a_good_account_passes_and_nothing_is_left(
    venue: tuple[ServedVenue, Path], state_home: Path, profile: str
) -> None:
    """Every check says what it found; no order came to the venue, no run to the state folder."""
    running, place = venue
    loaded = settings(place, profile)

    verdict = looked_at(loaded, state_home)

    assert not failed(verdict)
    assert [check.name for check in verdict.checks] == [
        *("python", "dependencies", "limits", "disk", "credentials", "clock", "product BTC-PERP"),
        *("store", "margin", "dry decision"),
    ]
    assert "would have been sent" in verdict.checks[-1].said
    assert not running.server.desk.orders
    assert [path.name for path in state_home.iterdir()] == ["jit"]


def test_the_proof_is_believed_for_this_venue_and_configuration(
    venue: tuple[ServedVenue, Path], state_home: Path
) -> None:
    """And for no other."""
    loaded = settings(venue[1])
    proof = looked_at(loaded, state_home).proof()
    now_ns = SystemClock().now_ns()

    check_preflight(proof, venue="coinbase", config_digest=loaded.digest, now_ns=now_ns)
    with pytest.raises(ConfigError, match="another configuration"):
        check_preflight(proof, venue="coinbase", config_digest="other", now_ns=now_ns)


def test_settings_that_protect_nothing_are_found(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """Without a loss that ends the day, and with the kill switch on; both are named at once, and there is no proof."""
    nothing = {"risk.daily_loss_limit": "0", "risk.daily_loss_limit_pct": "0", "risk.kill_switch_enabled": "true"}
    verdict = looked_at(settings(venue[1], **nothing), state_home)

    found = failed(verdict)
    assert "no daily loss limit, the kill switch is on" in found["limits"]
    assert "kill_switch" in found["dry decision"]
    with pytest.raises(ConfigError, match=r"preflight of profile canary: limits: .*Nothing was sent"):
        verdict.proof()


def test_a_clock_that_is_off_is_found(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """The venue would refuse our requests, or we would take old data for new."""
    running, place = venue
    running.admin("/switches", {"skew_seconds": 30})
    try:
        found = failed(looked_at(settings(place), state_home))
    finally:
        running.admin("/switches", {"skew_seconds": 0})

    assert found.keys() == {"clock"}
    assert "NTP" in found["clock"]


def test_an_account_without_money_is_found(tmp_path: Path, state_home: Path) -> None:
    """By our own sum and by the venue's preview; the numbers say how much is missing."""
    with served(tmp_path, speed=1.0, cash=Decimal(50)) as running:
        place = tmp_path / "ready.json"
        place.write_text(json.dumps(running.ready))
        found = failed(looked_at(settings(place), state_home))

    assert found.keys() == {"margin", "dry decision"}
    assert "equity 50.00" in found["margin"]
    assert "INSUFFICIENT_FUNDS" in found["dry decision"]


@pytest.fixture(scope="module")
def other() -> Iterator[ServedBinance]:
    with binance(speed=1.0) as running:
        yield running


def through_ccxt(other: ServedBinance, **overrides: object) -> Loaded:
    there = {"venue.kind": "ccxt", "venue.url": other.url, "venue.settle_currency": "USDT"}
    env = {"CCXT_API_KEY": KEY, "CCXT_API_SECRET": SECRET, "ORDER_PREVIEW_ENABLED": "false"}
    return load("canary", overrides={**there, **overrides}, env=env)


def test_an_exchange_through_ccxt_is_looked_at_alike(other: ServedBinance, state_home: Path) -> None:
    """The same checks, and nothing sent either."""
    verdict = looked_at(through_ccxt(other), state_home)

    assert not failed(verdict)
    assert verdict.venue == "binanceusdm"
    assert not other.venue.placed


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"symbols": "DOGE-PERP"}, "no futures market of DOGE-PERP"),
        ({"venue.settle_currency": "USD"}, "settles in USD"),
    ],
)
def test_what_the_adapter_refuses_is_a_check_that_failed(
    other: ServedBinance, state_home: Path, overrides: dict[str, object], said: str
) -> None:
    """With what was found before it, so that one look shows as much as can be seen."""
    verdict = looked_at(through_ccxt(other, **overrides), state_home)

    assert said in failed(verdict)["venue"]
    assert len(verdict.checks) > 4


def test_a_simulated_venue_needs_no_preflight(state_home: Path, capsys: Said) -> None:
    """Bad input: no real order can leave."""
    assert run_command_line(["preflight", "--profile", "dev_entry"]) == 2
    assert "nothing is to be proven" in capsys.readouterr().err


def test_the_command_says_the_verdict_in_its_exit_code(
    venue: tuple[ServedVenue, Path], state_home: Path, capsys: Said
) -> None:
    """For people a table and a last word, for scripts one object."""
    assert run_command_line(["preflight", "--profile", "canary", "--served", str(venue[1])]) == 0
    assert "PASSED: 10 checks" in capsys.readouterr().out

    assert run_command_line(["preflight", "--profile", "canary", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is False
    assert "no Coinbase key" in found["checks"][-1]["said"]


class LateVenue:
    """Tells its time, and nothing else."""

    name = "late"

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    async def time_ns(self) -> int:
        return self._now_ns


@pytest.mark.parametrize(("seconds", "passed"), [(0, True), (1.9, True), (-2.1, False), (2.1, False)])
def test_how_far_a_clock_may_be_off(seconds: float, passed: bool) -> None:
    """Two seconds, either way."""
    clock = ManualClock(1_000 * NS)
    there = LateVenue(1_000 * NS + round(seconds * NS))

    check = asyncio.run(check_clock(there, clock))  # type: ignore[arg-type]
    assert check.passed is passed


def test_a_product_that_does_not_trade_now_is_found() -> None:
    """With its numbers, since they are what a person compares."""
    import msgspec

    closed = msgspec.structs.replace(SIMULATED_PRODUCTS["BTC-PERP"], status=TradingStatus.HALTED)

    assert not check_product("BTC-PERP", closed).passed
    assert not check_product("BTC-PERP", None).passed
    assert check_product("BTC-PERP", SIMULATED_PRODUCTS["BTC-PERP"]).passed


@pytest.mark.parametrize(
    ("code", "passed"), [("dry_run", True), ("market_impact", True), ("stale_account", False), ("", False)]
)
def test_which_answers_show_a_whole_decision(code: str, passed: bool) -> None:
    """One that came to the door, or found the order not worth it; not one that lacked something."""
    report = ExecutionReport(intent_id="i", symbol="BTC-PERP", outcome="REFUSED", code=code)

    assert check_decision(report, held=False).passed is passed


@pytest.mark.parametrize("code", ["symbol_quantity_cap", "below_one_contract", "total_exposure_cap"])
def test_a_full_position_does_not_keep_a_bot_from_starting_again(code: str) -> None:
    """Its stops must be watched; without a position the same answer means that no order could ever pass."""
    report = ExecutionReport(intent_id="i", symbol="BTC-PERP", outcome="REFUSED", code=code)

    assert check_decision(report, held=True).passed
    assert not check_decision(report, held=False).passed


def test_the_disk_is_named(tmp_path: Path) -> None:
    """With how much is free."""
    check = check_disk(tmp_path / "new")

    assert "GB free" in check.said
