"""One day of a run from its log: found without reading all of it, and added up to what the ledger says."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import START_NS, D
from tests.house_under_test import a_house, steady_market
from tests.unit.bot.test_way_out import held

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import EquityBaselineSet, FlagSet, GuardCleared, OperatorCommanded, OrderRefused
from gpt_trader.core.values import Purpose, Side
from gpt_trader.ops.daily import daily_report, daily_text, day_of
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.logs import log_at

DAY_NS = 86_400 * NS
TODAY_NS = START_NS // DAY_NS * DAY_NS


def a_log(folder: Path, days: int = 3) -> Path:
    """An equity mark an hour, and on the last day a refusal, a flag and a command."""
    path = folder / "runs" / "a-run" / "events.sqlite"
    path.parent.mkdir(parents=True)
    with EventStore.open(path, "a-run", 1, durable=False) as store:
        for hour in range(24 * days):
            at_ns = TODAY_NS + hour * 3600 * NS
            store.append(EquityBaselineSet(at_ns=at_ns, equity=D(1000) + hour, cash_flows=D(0)))
        store.append(
            OrderRefused(
                at_ns=at_ns + 1,
                strategy="s",
                symbol="BTC-PERP",
                side=Side.BUY,
                quantity=D(1),
                stage="risk",
                code="leverage_cap",
                purpose=Purpose.ENTRY,
                engine="LiveExecutionEngine",
            )
        )
        store.append(
            FlagSet(at_ns=at_ns + 2, flag="f", value="true", source="runtime control", who="ann", reason="why")
        )
        store.append(OperatorCommanded(at_ns=at_ns + 3, command="kill", who="ann", reason="news"))
        store.append(GuardCleared(at_ns=at_ns + 4, guard="disk", reason="calm"))
    return path


def test_each_day_has_its_own_events(tmp_path: Path) -> None:
    """The first, one between, and the newest, which is the default."""
    store = a_log(tmp_path)

    first, second, third = (daily_report(log_at(store), TODAY_NS + day * DAY_NS) for day in range(3))

    assert (first.events, second.events, third.events) == (24, 24, 28)
    assert (first.equity_begin, first.equity_end, first.pnl) == (D(1000), D(1023), D(23))
    assert (second.equity_begin, second.equity_end) == (D(1024), D(1047))
    assert daily_report(log_at(store), None) == third
    assert daily_report(log_at(store), TODAY_NS + 9 * DAY_NS).events == 0


def test_what_a_person_reads(tmp_path: Path) -> None:
    """Refusals by code, what was changed and by whom, and what is not known is not zero."""
    store = a_log(tmp_path)

    text = daily_text(daily_report(log_at(store), None))

    assert "PnL +23.00, equity 1,071.00" in text
    assert "Refusals: leverage_cap 1" in text
    assert "Flags and limits: 1 changes" in text
    assert "f = true by ann: why" in text
    assert "ann: kill (news)" in text
    assert "PnL unknown" in daily_text(daily_report(log_at(store), TODAY_NS + 9 * DAY_NS))


def test_a_day_that_traded_adds_up_to_the_ledger(tmp_path: Path) -> None:
    """Fees, trades and positions as the bot has them."""
    with a_house(tmp_path, market=steady_market([60_000] * 60)) as house:

        async def scenario() -> None:
            await held(house, "0.5")
            await house.bot.close_position("BTC-PERP", "a test", "k")
            await house.clock.sleep(1)

        house.run(scenario)
        fees, pnl = house.bot.ledger.fees, house.bot.ledger.price_pnl({})
        house.store.flush()

    report = daily_report(log_at(tmp_path / "events.sqlite"), None)

    assert (report.orders, report.fills, report.closed) == (2, 2, 1)
    assert report.fees == fees
    assert report.closed_pnl == pnl
    assert report.traded == D("0.5") * (D(60_005) + D(59_995))
    assert report.slippage_bps is not None
    assert report.slippage == D(5)


def test_which_day_is_meant() -> None:
    """A day by name; without one the day before."""
    assert day_of("1970-01-02", 0) == DAY_NS
    assert iso(day_of(None, START_NS)) == iso(TODAY_NS - DAY_NS)
    with pytest.raises(ConfigError, match="not a day such as"):
        day_of("yesterday", 0)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Text for people, exact amounts for machines."""
    a_log(tmp_path)
    monkeypatch.setenv("GPT_TRADER_HOME", str(tmp_path))

    assert run_command_line(["daily"]) == 0
    assert "a-run, 2025-06-17 (UTC)" in capsys.readouterr().out
    assert run_command_line(["daily", "a-run", "--day", "2025-06-15", "--json"]) == 0
    assert Decimal(json.loads(capsys.readouterr().out)["equity_end"]) == D(1023)
    assert run_command_line(["daily", "--day", "soon"]) == 2
