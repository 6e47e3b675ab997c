"""The figures for Prometheus: each that is named exists, says the truth, and costs the bot nothing but a look."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.architecture.house import ROOT
from tests.builders import D, an_order
from tests.house_under_test import House, a_house, steady_market
from tests.steered import Configuration

from gpt_trader.config.bot import MetricsConfig
from gpt_trader.core.clock import NS, run_virtual
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import GuardTripped, SystemError  # noqa: A004 - the event, not the builtin
from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.ops.beside import Beside
from gpt_trader.ops.metrics.counting import EventCounter
from gpt_trader.ops.metrics.gauges import Gauges, Now
from gpt_trader.ops.metrics.table import METRICS, STAGES, Kind
from gpt_trader.ops.picture import picture_of

DEPLOY = ROOT / "deploy"
OURS = re.compile(r"gpt_trader_\w+(?<!_created)$")
"""The library tells beside each counter when it was made."""
NAME = re.compile(r"\bgpt_trader_[a-z_]+")
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Every figure of a page by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def traded(folder: Path) -> tuple[House, str]:
    """An entry with a stop, an order that rests, one that is refused, an exit; and the page as it is then."""
    registry = CollectorRegistry()
    counter = EventCounter(registry)
    with a_house(folder, market=steady_market([60_000] * 60)) as house:
        house.bot.bus.watch("metrics", counter.on_event)
        registry.register(Gauges(lambda: Now(picture_of(house.built, "a-run"), {"enable_x": True}, {"market": True})))

        async def order(name: str, **fields: Any) -> None:
            now_ns = house.clock.now_ns()
            await house.bot.engine.place_order(
                an_order(intent_id=name, strategy=name, created_ns=now_ns, valid_until_ns=now_ns + 60 * NS, **fields)
            )
            await house.clock.sleep(1)

        async def scenario() -> str:
            await order("in", quantity=D("0.5"), protective_stop=D(59_500))
            resting = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(59_000)}
            await order("rests", quantity=D("0.1"), **resting)
            await order("too small", quantity=D("0.001"))
            await order("out", side=Side.SELL, quantity=D("0.2"), reduce_only=True)
            house.bot.guards.kill("ann", "a test")
            house.bot.guards.pause("BTC-PERP", "a test", "ann")
            house.bot.bus.report("coinbase market", "gone", "connecting again")
            await house.clock.sleep(1)
            return generate_latest(registry).decode()

        return house, house.run(scenario)


def test_the_page_says_what_the_log_says(tmp_path: Path) -> None:
    """Counts by state, engine and tactic, refusals by code, cost, money, guards, streams."""
    house, page = traded(tmp_path)
    found = samples(page)

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    engine = "LiveExecutionEngine"
    assert value("gpt_trader_orders_submitted_total", engine=engine, tactic="market", purpose="ENTRY") == 1
    assert value("gpt_trader_orders_ended_total", engine=engine, tactic="market", state="FILLED") == 2
    assert value("gpt_trader_orders_living", state="ACTIVE", purpose="ENTRY") == 1
    assert (
        value("gpt_trader_refusals_total", code="below_one_contract", stage="risk", engine=engine, purpose="ENTRY") == 1
    )
    assert value("gpt_trader_position", symbol="BTC-PERP", owner="bot") == 0.3
    assert value("gpt_trader_exposure", symbol="BTC-PERP", owner="bot") == 0.3 * 60_000
    assert value("gpt_trader_equity") == float(house.bot.ledger.equity(house.bot.marks()))
    assert value("gpt_trader_slippage_bps_count", engine=engine, tactic="market") == 2
    assert value("gpt_trader_mode", mode="REDUCE_ONLY") == 1
    assert value("gpt_trader_mode", mode="NORMAL") == 0
    assert value("gpt_trader_guard_tripped", guard="operator_kill", symbol="") == 1
    assert value("gpt_trader_paused", symbol="BTC-PERP") == 1
    assert value("gpt_trader_stops", symbol="BTC-PERP", kind="STOP", keeper="VENUE") == 1
    assert value("gpt_trader_stream_losses_total", stream="coinbase market") == 1
    assert value("gpt_trader_stream_up", stream="market") == 1
    assert value("gpt_trader_flag", flag="enable_x") == 1
    assert value("gpt_trader_loop_answers") == 1
    timed = {labels[0][1] for (name, labels) in found if name == "gpt_trader_stage_seconds_count"}
    assert {"placement", "acknowledgement", "first_fill", "reconciliation", "fill_news"} <= timed <= set(STAGES)


def test_every_figure_of_the_table_is_on_the_page_and_no_other(tmp_path: Path) -> None:
    """By name, kind and labels: the table is what people read."""
    _, page = traded(tmp_path)
    kinds = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    families = {family.name: family for family in text_string_to_metric_families(page) if OURS.match(family.name)}

    assert families.keys() == kinds.keys()
    for name, family in families.items():
        assert family.type == kinds[name].kind
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(kinds[name].labels)


def test_a_label_that_others_choose_is_bounded() -> None:
    """A venue that invents codes, or a source that names intents, does not fill the memory."""
    registry = CollectorRegistry()
    counter = EventCounter(registry)
    for number in range(500):
        counter.on_event(SystemError(at_ns=1, source=f"part{number} of it", message="x", action="reported"))

    found = samples(generate_latest(registry).decode())
    told = {labels: value for (name, labels), value in found.items() if name == "gpt_trader_system_errors_total"}
    assert len(told) == 101
    assert told[("source", "other"),] == 400


def test_a_bot_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """The page comes all the same, without gauges."""
    registry = CollectorRegistry()
    counter = EventCounter(registry)
    registry.register(Gauges(lambda: None))
    counter.on_event(
        GuardTripped(
            at_ns=1, guard="disk", action="record", threshold=D(1), unit="GB", value=D(0), way_back="when_calm"
        )
    )

    found = samples(generate_latest(registry).decode())

    assert found["gpt_trader_loop_answers", ()] == 0
    assert found["gpt_trader_guard_trips_total", (("guard", "disk"),)] == 1
    assert ("gpt_trader_equity", ()) not in found


# --- over HTTP --------------------------------------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_a_running_bot_serves_its_figures_on_loopback(tmp_path: Path) -> None:
    """From another thread, while its loop runs; nobody listens there before and after."""
    port = free_port()
    configuration = Configuration(tmp_path)
    config = configuration.load().config
    config = config.model_copy(update={"metrics": MetricsConfig(port=port)})
    beside = Beside(config, tmp_path / "a-run" / "events.sqlite")
    with a_house(tmp_path, config, steady_market([60_000] * 600)) as house:

        async def main() -> str:
            async with beside.attend(house.built, configuration.steering(house)):
                await house.bot.start()
                return await asyncio.to_thread(get, port)

        page = run_virtual(house.clock, house.adapter, main, pace=1.0)

    found = samples(page)
    assert found["gpt_trader_loop_answers", ()] == 1
    assert any(name == "gpt_trader_run_info" and ("run", "a-run") in labels for name, labels in found)
    with pytest.raises(urllib.error.URLError):
        get(port)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """Before anything is traded."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        configuration = Configuration(tmp_path)
        config = configuration.load().config.model_copy(update={"metrics": MetricsConfig(port=port)})
        beside = Beside(config, tmp_path / "a-run" / "events.sqlite")
        with a_house(tmp_path, config) as house:

            async def main() -> None:
                async with beside.attend(house.built, configuration.steering(house)):
                    pass

            with pytest.raises(ConfigError, match=f"nothing can listen on 127.0.0.1:{port}.* Fix: another"):
                run_virtual(house.clock, house.adapter, main)


# --- what is deployed -------------------------------------------------------------------------------------------------
def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard and of the alert rules, with the place where it stands."""
    board = json.loads((DEPLOY / "grafana" / "gpt-trader.json").read_text(encoding="utf8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "gpt-trader.rules.yml").read_text(encoding="utf8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def test_dashboard_and_rules_ask_for_what_there_is() -> None:
    """Each name and each label exists, with the endings that its kind has."""
    endings = {Kind.COUNTER: ("",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    there = {metric.name + end: metric for metric in METRICS for end in endings[metric.kind]}
    asked = list(expressions())

    assert len(asked) >= 30
    for place, expression in asked:
        for name in NAME.findall(expression):
            assert name in there, f"{place}: {name}"
            for chosen in re.findall(rf"{name}\{{([^}}]*)\}}", expression):
                for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen):
                    known = {*there[name].labels, "le", "job", "instance"}
                    assert label in known, f"{place}: {name} has no label {label}"
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            known = {each for name in NAME.findall(expression) for each in there[name].labels} | {"le", "instance"}
            assert {label.strip() for label in labels.split(",")} <= known, place


def test_every_rule_says_what_to_do() -> None:
    """Severity, a sentence, and a page that exists."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "gpt-trader.rules.yml").read_text(encoding="utf8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"info", "warning", "critical"}, rule["alert"]
            assert rule["annotations"]["summary"], rule["alert"]
            assert (ROOT / rule["annotations"]["page"]).exists(), rule["alert"]
