"""Does a shadow see everything, and is it never felt? Whole bots on the paper venue, with a candidate beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.command_line import a_home
from tests.house_under_test import House, a_house, steady_market
from tests.steered import IMPACT, SIZING, Configuration

from gpt_trader.bot.shadow import FOLLOWED_MAX, Shadow
from gpt_trader.bot.steering import Steering
from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    Event,
    LimitsChanged,
    OrderApproved,
    OrderFilled,
    OrderSubmitted,
    ShadowDecided,
    ShadowEnded,
    ShadowPriced,
    ShadowStarted,
    TacticEnded,
)
from gpt_trader.core.values import OrderRequest, OrderType, Side, TimeInForce

LIVE, ADVANCED = "LiveExecutionEngine", "AdvancedExecutionEngine"
SHADOWS = (ShadowStarted, ShadowDecided, ShadowPriced, ShadowEnded)
BOTH: dict[str, Any] = {SIZING: True, IMPACT: True}
CAPPED: dict[str, Any] = {IMPACT: True}
ANN: dict[str, Any] = {"who": "ann", "reason": "a test"}
JUMPING = [60_000 + 40 * (step % 3) for step in range(200)]


class Watched:
    """A bot, and who looks on."""

    def __init__(self, house: House, steering: Steering) -> None:
        self.house = house
        self.steering = steering

    @property
    def shadow(self) -> Shadow:
        assert self.house.bot.shadow is not None
        return self.house.bot.shadow

    def order(self, name: str, **changes: Any) -> OrderRequest:
        now_ns = self.house.clock.now_ns()
        timing = {"created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS}
        return an_order(**{"intent_id": f"test:{name}", "strategy": name, **timing, **changes})

    async def place(self, name: str, **changes: Any) -> None:
        await self.house.bot.engine.place_order(self.order(name, **changes))


@contextlib.contextmanager
def watched(folder: Path, shadow: str, *, prices: list[int] | None = None, **asked: Any) -> Iterator[Watched]:
    """A bot whose shadow begins as `gpt-trader run` has it begin."""
    folder.mkdir()
    configuration = Configuration(folder, shadow=shadow, **asked)
    with a_house(folder, configuration.load().config, steady_market(prices or [60_000] * 120)) as house:
        steering = configuration.steering(house)
        steering.begin_shadow()
        yield Watched(house, steering)


async def a_day(bot: Watched) -> None:
    """Entries and exits of every kind, some of them refused."""
    clock = bot.house.clock
    await bot.place("market", quantity=D("0.4"))
    await bot.place("dust", quantity=D("0.0001"))
    await bot.place("limit", quantity=D("0.2"), tactic="simple_limit")
    await clock.sleep(3)
    await bot.place(
        "rest",
        quantity=D("0.1"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=D(59_900),
    )
    await bot.place("short", quantity=D("2.5"), side=Side.SELL)
    await clock.sleep(35)
    await bot.place("out", quantity=D(9), side=Side.BUY, reduce_only=True)
    await bot.place("magic", tactic="magic")
    await clock.sleep(20)


async def _stop(bot: Watched) -> None:
    await bot.house.bot.stop("the day is over")


def run(bot: Watched) -> list[Event]:
    """The day, to its orderly end; every event but the shadow's."""

    async def scenario() -> None:
        await a_day(bot)
        await _stop(bot)

    bot.house.run(scenario)
    return [event for event in bot.house.events if not isinstance(event, SHADOWS)]


@pytest.mark.parametrize(("flags", "candidate"), [({}, "advanced"), (BOTH, "live"), ({SIZING: True}, "live")])
def test_without_its_own_events_the_log_is_the_same_with_and_without_a_shadow(
    tmp_path: Path, flags: dict[str, Any], candidate: str
) -> None:
    """Bit for bit, and so is every byte that left for the venue."""
    with watched(tmp_path / "with", candidate, prices=JUMPING, **flags) as bot:
        seen, sent = run(bot), bot.house.adapter.bodies
        decided = bot.house.of(ShadowDecided)
    with watched(tmp_path / "without", "none", prices=JUMPING, **flags) as bot:
        assert seen == run(bot)
        assert sent == bot.house.adapter.bodies
        assert bot.house.of(ShadowStarted) == []
    assert len(decided) >= 5


def test_it_decides_on_the_snapshot_that_the_engine_had_after_the_order_was_handed_over(tmp_path: Path) -> None:
    """Nothing waits for it: the first order is on its way, or has ended, when the candidate is asked."""
    with watched(tmp_path / "bot", "advanced") as bot:
        bot.house.run(lambda: bot.place("one", quantity=D("0.1")))
        kinds = bot.house.kinds()
        (decided,), (approved,) = bot.house.of(ShadowDecided), bot.house.of(OrderApproved)
    assert kinds.index("OrderSubmitted") < kinds.index("ShadowDecided")
    assert decided.taken_ns == approved.at_ns
    assert (decided.traded.engine, decided.candidate.engine) == (LIVE, ADVANCED)
    assert decided.traded.quantity == approved.quantity


def test_differences_of_size_refusal_and_tactic_are_told_by_name(tmp_path: Path) -> None:
    """The impact cap refuses what the baseline sends; sizes and prices that are the same are not named."""
    limits: dict[str, Any] = {"max_market_impact_bps": D("0.9"), "sizing_mode": "STRICT", "slippage_guard_bps": 0}
    with watched(tmp_path / "bot", "advanced", **limits) as bot:

        async def scenario() -> None:
            await bot.place("small", quantity=D("0.1"))
            await bot.place("large", quantity=D(3))

        bot.house.run(scenario)
        small, large = bot.house.of(ShadowDecided)
        priced = bot.house.of(ShadowPriced)
    assert small.differs == ()
    assert (large.differs, large.candidate.code, large.traded.quantity) == (("refusal",), "market_impact", D(3))
    assert large.numbers["max_market_impact_bps"] == D("0.9")
    assert (priced[1].traded.filled, priced[1].candidate) == (D(3), None)


def test_both_orders_are_priced_on_the_same_paper(tmp_path: Path) -> None:
    """Bought 1.5 at market, 1 of it at 60 005 and the rest at 60 010, and 0.1 % of it for the fee."""
    with watched(tmp_path / "bot", "live", **CAPPED, max_market_impact_bps=50) as bot:
        bot.house.run(lambda: bot.place("one", quantity=D("1.5")))
        (priced,), (fill, *_) = bot.house.of(ShadowPriced), bot.house.of(OrderFilled)
    assert fill.price == D(60_005)
    assert priced.traded == priced.candidate
    average = (D(60_005) + D(60_010) / 2) / D("1.5")
    assert priced.traded.average_price == average
    assert priced.traded.all_in_bps == ((average * D("1.001") - 60_000) / 60_000 * 10_000).quantize(D("0.0001"))


def test_a_tactic_that_waits_is_followed_to_its_end(tmp_path: Path) -> None:
    """The market falls to where the order rests: filled on paper, at its price and with the maker's fee."""
    prices = [60_000] * 5 + [59_900] * 60
    with watched(tmp_path / "bot", "live", **CAPPED, prices=prices) as bot:

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.1"), tactic="simple_limit")
            await bot.house.clock.sleep(40)

        bot.house.run(scenario)
        (priced,), (decided,) = bot.house.of(ShadowPriced), bot.house.of(ShadowDecided)
    assert decided.candidate.limit_price == D(60_000)
    assert priced.candidate.average_price == D(60_000)
    assert priced.candidate.all_in_bps == D("9.5")
    assert priced.candidate.is_over


def test_what_is_still_followed_at_the_end_is_told_as_it_stands(tmp_path: Path) -> None:
    """A stopped bot leaves no decision without its price; RunEnded stays the last word."""
    with watched(tmp_path / "bot", "live", **CAPPED) as bot:

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.1"), tactic="twap")
            await _stop(bot)

        bot.house.run(scenario)
        kinds = bot.house.kinds()
        (priced,) = bot.house.of(ShadowPriced)
        (ended,) = bot.house.of(ShadowEnded)
    assert priced.candidate is None or not priced.candidate.is_over
    assert (ended.failed, ended.decided, ended.priced) == (False, 1, 1)
    assert kinds[-1] == "RunEnded"


def test_a_shadow_that_fails_ends_and_trading_goes_on(tmp_path: Path) -> None:
    """With the reason, as an event; the next order is traded and not looked at."""
    with watched(tmp_path / "bot", "advanced") as bot:

        def broken(_: object) -> Any:
            raise ZeroDivisionError("a fault of the candidate")

        bot.shadow._parts = dataclasses.replace(bot.shadow._parts, tactics=broken)

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.1"))
            await bot.house.clock.sleep(1)
            await bot.place("two", quantity=D("0.1"))

        bot.house.run(scenario)
        (ended,) = bot.house.of(ShadowEnded)
        assert ended.failed
        assert ended.reason == "ZeroDivisionError: a fault of the candidate"
        assert len(bot.house.of(OrderFilled)) == 2
        assert bot.house.of(ShadowDecided) == []
        bot.house.check_invariants()


def test_more_than_can_be_followed_are_counted_and_left_out(tmp_path: Path) -> None:
    """A queue without an end would be felt one day."""
    with watched(tmp_path / "bot", "advanced") as bot:

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.1"))
            (seen,) = [following.seen for following in bot.shadow._tasks.values()]
            for _ in range(FOLLOWED_MAX + 2):
                bot.shadow.on_decision(seen)
            bot.shadow.end("enough")

        bot.house.run(scenario)
        (ended,) = bot.house.of(ShadowEnded)
    assert ended.left_out == 3


def test_a_candidate_that_does_not_offer_the_tactic_goes_by_market_as_after_a_swap(tmp_path: Path) -> None:
    """The strategy's entries only; an order by hand that names a tactic is refused by name."""
    strategy = {"entry_tactic": "aggressive_limit"}
    with watched(tmp_path / "bot", "live", strategy=strategy, **CAPPED) as bot:

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.1"), tactic="aggressive_limit")
            await bot.place("two", quantity=D("0.1"), tactic="iceberg")

        bot.house.run(scenario)
        one, two = bot.house.of(ShadowDecided)
    assert (one.candidate.tactic, one.differs) == ("market", ("price", "tactic", "cost"))
    assert two.candidate.code == "unsupported_tactic"


# --- steered --------------------------------------------------------------------------------------------------------
def test_a_shadow_is_set_and_unset_on_a_running_bot(tmp_path: Path) -> None:
    """A flag like the others; nobody's limits are touched by it."""
    with watched(tmp_path / "bot", "none") as bot:

        async def scenario() -> None:
            bot.steering.set_flag("shadow", value="advanced", **ANN)
            await bot.place("one", quantity=D("0.1"))
            await bot.house.clock.sleep(1)
            bot.steering.unset_flag("shadow", **ANN)
            await bot.place("two", quantity=D("0.1"))

        bot.house.run(scenario)
        (started,), (ended,) = bot.house.of(ShadowStarted), bot.house.of(ShadowEnded)
        assert (started.candidate, started.source, started.who) == (ADVANCED, "runtime control", "ann")
        assert (ended.who, ended.decided, ended.failed) == ("ann", 1, False)
        assert bot.house.of(LimitsChanged) == []


def test_the_engine_that_trades_cannot_be_its_own_shadow(tmp_path: Path) -> None:
    """Refused by name, at the start and while it runs."""
    with watched(tmp_path / "bot", "none") as bot, pytest.raises(ConfigError, match="that engine trades"):
        bot.steering.set_flag("shadow", value="live", **ANN)
    with pytest.raises(ConfigError, match="Fix: --shadow live"), watched(tmp_path / "other", "advanced", **BOTH):
        pass


def test_a_swap_to_the_candidate_ends_its_shadow_and_a_swap_back_begins_it_again(tmp_path: Path) -> None:
    """There is nothing to compare while it trades itself."""
    with watched(tmp_path / "bot", "live", **BOTH) as bot:
        bot.steering.latch_engine_off(**ANN)
        assert bot.house.bot.engine.name == LIVE
        assert bot.house.bot.shadow is None
        assert list(bot.house.built.parts.witnesses) == []
        for flag in (SIZING, IMPACT):
            bot.steering.unset_flag(flag, **ANN)
        assert bot.shadow.candidate == LIVE
        assert len(bot.house.built.parts.witnesses) == 1
        (ended,) = bot.house.of(ShadowEnded)
    assert ended.reason == "LiveExecutionEngine trades itself; a test"


def test_new_limits_reach_the_candidate(tmp_path: Path) -> None:
    """Both are judged by the same limits at any time."""
    with watched(tmp_path / "bot", "advanced", max_leverage=5) as bot:
        shadow = bot.shadow
        (tmp_path / "bot" / "env").write_text("RISK_MAX_LEVERAGE=2\n")
        bot.steering.reload(**ANN)
        assert bot.shadow is shadow
        assert shadow._parts.deciding.risk.config.max_leverage == 2
        assert shadow._parts.deciding.config.max_leverage == 2


def test_a_shadow_holds_over_a_restart(tmp_path: Path) -> None:
    """Set by hand, it looks on again in the next boot."""
    with watched(tmp_path / "before", "none") as before:
        before.steering.set_flag("shadow", value="advanced", **ANN)
        said = [recorded.event for recorded in before.house.store.read()]
    with watched(tmp_path / "after", "none") as after:
        after.steering.recall(iter(said))
        assert after.shadow.candidate == ADVANCED


def test_a_working_tactic_goes_on_beside_a_shadow(tmp_path: Path) -> None:
    """What is worked at the venue has nothing to do with what is worked on paper."""
    with watched(tmp_path / "bot", "live", **CAPPED) as bot:

        async def scenario() -> None:
            await bot.place("one", quantity=D("0.5"), tactic="aggressive_limit")
            await bot.house.clock.sleep(60)

        bot.house.run(scenario)
        assert len(bot.house.of(TacticEnded)) == 1
        assert {order.tactic for order in bot.house.of(OrderSubmitted)} == {"aggressive_limit"}
        bot.house.check_invariants()


def test_sizes_that_differ_are_told(tmp_path: Path) -> None:
    """The impact cap leaves one level of ten; nothing else is another."""
    with watched(tmp_path / "bot", "advanced", max_market_impact_bps=D("0.9")) as bot:
        bot.house.run(lambda: bot.place("one", quantity=D(3)))
        (decided,) = bot.house.of(ShadowDecided)
    assert decided.differs == ("size", "cost")
    assert D(1) <= decided.candidate.quantity < decided.traded.quantity


def test_a_backtest_has_one_too_and_the_report_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line to the verdict; a run without a shadow says so, and exits with 1."""
    monkeypatch.setenv("GPT_TRADER_HOME", str(a_home(tmp_path)))
    told = ["backtest", "--duration", "1h", "--no-report", "--json"]
    assert run_command_line([*told, "--shadow", "live"]) == 0
    capsys.readouterr()
    assert run_command_line(["shadow", "report"]) == 0
    printed = capsys.readouterr().out
    assert "AdvancedExecutionEngine traded, LiveExecutionEngine looked on." in printed
    assert "LiveExecutionEngine: too few to say" in printed
    assert run_command_line(["shadow", "report", "--json"]) == 0
    (compared,) = json.loads(capsys.readouterr().out)["compared"]
    assert compared["intents"] == sum(1 for _ in compared["largest"]) + compared["alike"] > 0
    assert run_command_line(told) == 0
    assert run_command_line(["shadow", "report"]) == 1
    assert "no shadow looked on in this run" in capsys.readouterr().err
