"""Who is told of what: routed, once, bounded; by every channel to a receiver here; and never at the bot's cost."""

from __future__ import annotations

import datetime as dt
import json
import socket
import socketserver
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from pydantic import SecretStr
from tests.builders import D
from tests.house_under_test import a_config, a_house, steady_market
from tests.local_receiver import receiver
from tests.steered import Configuration
from tests.unit.bot.test_way_out import held

from gpt_trader.cli.main import run_command_line
from gpt_trader.config.bot import AlertsConfig, BotConfig
from gpt_trader.core.clock import NS, ManualClock, run_virtual
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    Event,
    FlattenEnded,
    GuardTripped,
    OrderFilled,
    OrderPlaced,
    RunEnded,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
)
from gpt_trader.core.values import Liquidity, OrderState, Side
from gpt_trader.ops.alerts.channels import Channel, channels_of
from gpt_trader.ops.alerts.messages import ALERTS, Alert, Severity, alert_of
from gpt_trader.ops.alerts.notifier import Heartbeat, Notifier
from gpt_trader.ops.alerts.routing import Router
from gpt_trader.ops.beside import Beside
from gpt_trader.ops.log import HIDDEN, hider

CANARY = "canary4f1e9b7a2c"
WAIT_SECONDS = 20.0
Said = pytest.CaptureFixture[str]


def an_alert(key: str = "a", severity: Severity = Severity.WARNING, text: str = "something") -> Alert:
    return Alert(severity=severity, key=key, title="title", text=text)


def a_trip(action: str = "reduce_only") -> GuardTripped:
    return GuardTripped(
        at_ns=1, guard="daily_loss", action=action, threshold=D(100), unit="USD", value=D(120), way_back="operator"
    )


# --- which, and how badly ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "severity"),
    [
        (a_trip(), Severity.WARNING),
        (a_trip("kill"), Severity.CRITICAL),
        (SymbolPaused(at_ns=1, symbol="BTC-PERP", reason="why"), Severity.WARNING),
        (SymbolPaused(at_ns=1, symbol="BTC-PERP", reason=""), Severity.INFO),
        (SystemError(at_ns=1, source="tactic", message="x", action="reported"), Severity.CRITICAL),
        (SystemError(at_ns=1, source=ALERTS, message="x", action="reported"), None),
        (RunEnded(at_ns=1, reason="SIGTERM"), Severity.INFO),
        (RunEnded(at_ns=1, reason="SIGTERM", open_positions={"BTC-PERP": D(1)}), Severity.WARNING),
        (FlattenEnded(at_ns=1, symbols=("X",), tactic="market", flat=True, took_ms=1, limit_ms=2), Severity.INFO),
        (FlattenEnded(at_ns=1, symbols=("X",), tactic="market", flat=False, took_ms=1, limit_ms=2), Severity.CRITICAL),
        (OrderPlaced(at_ns=1, venue_order_id="1"), None),
    ],
)
def test_how_badly(event: Event, severity: Severity | None) -> None:
    """What may need a person is a warning; what needs one now is critical; the rest is no message."""
    alert = alert_of(event, "a-run")

    assert (alert.severity if alert is not None else None) is severity
    if alert is not None:
        assert "a-run" in alert.title
        assert alert.text


def test_a_trade_that_is_not_ours_is_critical() -> None:
    """Our own are good to know."""

    def fill(cause: str) -> OrderFilled:
        return OrderFilled(
            at_ns=1,
            venue_order_id="1",
            trade_id="1",
            symbol="BTC-PERP",
            side=Side.BUY,
            quantity=D(1),
            price=D(1),
            fee=D(0),
            liquidity=Liquidity.TAKER,
            cumulative=D(1),
            state=OrderState.FILLED,
            cause=cause,
            trade_ns=1,
        )

    found = [alert_of(fill(cause), "a-run") for cause in ("OWN", "LIQUIDATION")]

    assert [alert.severity for alert in found if alert is not None] == [Severity.INFO, Severity.CRITICAL]


# --- once, and no flood -----------------------------------------------------------------------------------------------
def test_the_same_thing_is_told_once_then_counted() -> None:
    """And told together when its time is over."""
    router = Router(repeat_seconds=60, per_hour_max=100)

    sent = [router.offer(an_alert(), second * NS) for second in range(5)]

    assert [alert is not None for alert in sent] == [True, False, False, False, False]
    assert router.due(59 * NS) == ()
    (later,) = router.due(60 * NS)
    assert later.text == "4 more in 60 s: something"
    assert router.offer(an_alert(), 61 * NS) is not None


def test_a_flood_is_one_message_and_critical_ones_always_pass() -> None:
    """What the limit of an hour holds back is counted."""
    router = Router(repeat_seconds=60, per_hour_max=3)

    sent = [router.offer(an_alert(f"key {number}"), number * NS) for number in range(10)]
    critical = [router.offer(an_alert(f"grave {number}", Severity.CRITICAL), 20 * NS) for number in range(5)]

    assert sum(alert is not None for alert in sent) == 3
    assert None not in critical
    (told,) = router.due(3621 * NS)
    assert told.text == "held back, because more than 3 came in an hour: 7 warning. All are in the log"


# --- by every channel -------------------------------------------------------------------------------------------------
class MailTaker(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes to hand a mail over."""

    got: list[str]

    def handle(self) -> None:
        self._say("220 here")
        data: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if data is not None:
                if line == ".":
                    self.got.append("\n".join(data))
                    data = None
                    self._say("250 taken")
                else:
                    data.append(line)
            elif line.upper().startswith("DATA"):
                data = []
                self._say("354 go on")
            elif line.upper().startswith("QUIT"):
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def channels(config: AlertsConfig, severity: Severity = Severity.WARNING) -> list[Channel]:
    secrets = BotConfig.model_validate({**a_config().model_dump(exclude={"credentials"}), "alerts": config})
    return list(channels_of(config, hider(secrets.secret_texts()))[severity])


def told(url: str) -> list[str]:
    """What each channel of a URL says to an alert: empty when it was taken."""
    config = AlertsConfig(urls=SecretStr(url), timeout_seconds=5)
    return [channel.send(an_alert(text="the text")) for channel in channels(config)]


def test_a_webhook() -> None:
    """Title, text and kind as JSON."""
    with receiver() as here:
        assert told(f"json://127.0.0.1:{here.port}/{CANARY}") == [""]

    path, body = here.got[0]
    assert path == f"/{CANARY}"
    assert json.loads(body)["message"] == "the text"
    assert json.loads(body)["type"] == "warning"


def test_telegram(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the chat, with the token in the path; the library's own host is exchanged for one that is here."""
    with receiver() as here:
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{here.port}/bot")
        assert told("tgram://123456789:abcdefg_hijklmnop_canary/4711") == [""]

    path, body = here.got[0]
    assert path == "/bot123456789:abcdefg_hijklmnop_canary/sendMessage"
    assert "4711" in body
    assert "the text" in body


def test_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an incoming webhook; the library's own host is exchanged for one that is here."""
    with receiver() as here:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{here.port}/services")
        assert told("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alarms") == [""]

    path, body = here.got[0]
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert json.loads(body)["channel"] == "#alarms"
    assert "the text" in body


def test_mail() -> None:
    """Handed to a mail server that is here."""
    got: list[str] = []
    handler = type("Handler", (MailTaker,), {"got": got})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        url = f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&from=bot@example.org&to=ann@example.org&mode=insecure"
        assert told(url) == [""]
        server.shutdown()

    (mail,) = got
    assert "To: ann@example.org" in mail
    assert "Subject: title" in mail
    assert "the text" in mail


def test_what_is_no_channel_is_named_by_its_place() -> None:
    """And never by what it says."""
    with pytest.raises(ConfigError) as refused:
        channels(AlertsConfig(urls=SecretStr(f"json://localhost/x nonsense://{CANARY}")))

    assert "alerts.urls: entry 2 is no address that apprise" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_who_hears_what() -> None:
    """Critical goes to its own where it has some; info to its own only."""
    config = AlertsConfig(urls=SecretStr("json://a json://b"))
    assert [len(channels(config, severity)) for severity in Severity] == [0, 2, 2]

    config = AlertsConfig(urls=SecretStr("json://a"), urls_critical=SecretStr("json://b json://c"))
    assert [len(channels(config, severity)) for severity in Severity] == [0, 1, 2]


def test_a_receiver_that_is_gone_or_hangs_costs_its_time_and_no_more() -> None:
    """Said with a reason that holds no address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (gone,) = told(f"json://127.0.0.1:{taken.getsockname()[1]}/{CANARY}")
    with receiver(hangs=True) as here:
        config = AlertsConfig(urls=SecretStr(f"json://127.0.0.1:{here.port}/{CANARY}"), timeout_seconds=1)
        (channel,) = channels(config)
        began = time.monotonic()
        hung = channel.send(an_alert())
        took = time.monotonic() - began

    assert gone
    assert hung
    assert took < 10
    assert CANARY not in gone + hung


# --- the notifier -----------------------------------------------------------------------------------------------------
class Kept(Channel):
    """A channel that keeps what it is given."""

    def __init__(self, name: str, problem: str = "") -> None:
        self.name = name
        self.sent: list[Alert] = []
        self._problem = problem

    def send(self, alert: Alert) -> str:
        self.sent.append(alert)
        return self._problem


def a_notifier(clock: ManualClock, channel: Kept, complaints: list[str], *, daily_at: dt.time | None) -> Notifier:
    return Notifier(
        run="a-run",
        channels=dict.fromkeys(Severity, (channel,)),
        router=Router(repeat_seconds=60, per_hour_max=100),
        clock=clock,
        complain=complaints.append,
        daily_at=daily_at,
        daily=lambda: "how it went",
    )


def test_the_daily_report_comes_once_a_day_at_its_time() -> None:
    """By the clock, not by the start."""
    clock, channel = ManualClock(23 * 3600 * NS), Kept("one")
    notifier = a_notifier(clock, channel, [], daily_at=dt.time(0, 5))

    for _ in range(40):
        notifier.tick()
        clock.advance(3600)

    assert [(alert.title, alert.text) for alert in channel.sent] == [("daily report: a-run", "how it went")] * 2


def test_a_channel_that_fails_is_complained_of_once_an_hour() -> None:
    """Each alert is tried all the same."""
    clock, channel, complaints = ManualClock(NS), Kept("one", "refused"), list[str]()
    notifier = a_notifier(clock, channel, complaints, daily_at=None)

    for number in range(10):
        notifier.on_event(SymbolPaused(at_ns=1, symbol=f"S{number}", reason="why"))
        clock.advance(600)

    assert len(channel.sent) == 10
    assert complaints == ["one: refused"] * 2


# --- the dead man's switch --------------------------------------------------------------------------------------------
def test_it_beats_while_the_bot_answers_and_no_longer() -> None:
    """Silence is the alarm; a receiver that fails is told of once, without its address."""
    complaints: list[str] = []
    with receiver() as here:
        alive = True
        heart = Heartbeat(
            f"http://127.0.0.1:{here.port}/{CANARY}",
            timeout_seconds=5,
            alive=lambda: alive,
            complain=complaints.append,
        )
        heart.beat()
        heart.beat()
        alive = False
        heart.beat()
        assert here.got == [(f"/{CANARY}", "")] * 2
        alive = True
    heart.beat()
    heart.beat()

    assert complaints == ["heartbeat: ConnectionError"]


# --- beside a running bot ---------------------------------------------------------------------------------------------
def run_beside(folder: Path, config: AlertsConfig, seconds: float = 1.5) -> list[Event]:
    """A bot in real time that trades and is killed, with these alerts beside it."""
    configuration = Configuration(folder)
    whole = configuration.load().config.model_copy(update={"alerts": config})
    beside = Beside(whole, folder / "a-run" / "events.sqlite")
    with a_house(folder, whole, steady_market([60_000] * 600)) as house:

        async def main() -> None:
            async with beside.attend(house.built, configuration.steering(house)):
                await house.bot.start()
                await held(house)
                house.bot.guards.kill("ann", "a test")
                await house.clock.sleep(seconds)
                await house.bot.stop("end of test")

        run_virtual(house.clock, house.adapter, main, pace=1.0)
        assert house.bot.ledger.position("BTC-PERP").quantity == Decimal("0.5")
        return house.events


def test_a_bot_that_is_killed_says_so_and_beats(tmp_path: Path) -> None:
    """Over the real threads, to a receiver that is here; the end is told too."""
    with receiver() as here:
        there = f"127.0.0.1:{here.port}"
        run_beside(
            tmp_path,
            AlertsConfig(
                urls=SecretStr(f"json://{there}/{CANARY}"),
                urls_info=SecretStr(f"json://{there}/info"),
                heartbeat_url=SecretStr(f"http://{there}/beat"),
                heartbeat_seconds=1,
            ),
        )
        _, killed = here.until(lambda path, body: path == f"/{CANARY}" and "operator_kill" in body)
        here.until(lambda path, body: path == "/info" and "filled BUY 0.5" in body)
        here.until(lambda path, body: "run ended: end of test" in body)
        here.until(lambda path, _: path == "/beat")

    assert json.loads(killed)["type"] == "failure"


def test_a_receiver_that_hangs_changes_nothing_and_no_secret_leaves(tmp_path: Path) -> None:
    """The bot trades on, ends in time, and its log names the channel and not the address."""
    with receiver(hangs=True) as here:
        began = time.monotonic()
        events = run_beside(
            tmp_path,
            AlertsConfig(urls=SecretStr(f"json://127.0.0.1:{here.port}/{CANARY}"), timeout_seconds=1),
            seconds=3.0,
        )
        took = time.monotonic() - began
        here.until(lambda path, _: path == f"/{CANARY}")

    failures = [event for event in events if isinstance(event, SystemError)]
    assert [event.source for event in failures] == [ALERTS]
    assert failures[0].message.startswith("JSON (urls 1): ")
    assert CANARY not in str(events)
    assert took < 30


def test_the_commands(monkeypatch: pytest.MonkeyPatch, state_home: Path, capsys: Said) -> None:
    """`alerts list` and `alerts test`, without an address in what they print; exit 1 when one does not take it."""
    with receiver() as here, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = taken.getsockname()[1]
        monkeypatch.setenv("GPT_TRADER_ALERTS__URLS", f"json://127.0.0.1:{here.port}/{CANARY}")
        assert run_command_line(["alerts", "test"]) == 0
        assert run_command_line(["alerts", "list"]) == 0
        monkeypatch.setenv("GPT_TRADER_ALERTS__URLS", f"json://127.0.0.1:{gone}/{CANARY}")
        assert run_command_line(["alerts", "send", "hello"]) == 1
        assert run_command_line(["config", "show"]) == 0
    monkeypatch.delenv("GPT_TRADER_ALERTS__URLS")
    assert run_command_line(["alerts", "test"]) == 2

    said = capsys.readouterr()
    assert "JSON (urls 1): taken" in said.out
    assert "JSON (urls 1): NOT taken" in said.out
    assert "info      nobody" in said.out
    assert "nobody would be told" in said.err
    assert CANARY not in said.out + said.err


def test_the_config_hides_what_urls_are_made_of() -> None:
    """Each long part of a URL is a secret, since libraries put them together anew."""
    config = BotConfig(alerts=AlertsConfig(urls=SecretStr(f"tgram://{CANARY}:tokentoken/42 json://localhost/x")))
    hide = hider(config.secret_texts())

    assert hide(f"POST https://api.telegram.org/bot{CANARY}:tokentoken/send on localhost") == (
        f"POST https://api.telegram.org/bot{HIDDEN}:{HIDDEN}/send on localhost"
    )
    assert CANARY not in repr(config)


def test_what_cannot_be_is_refused_before_the_bot_is_built(tmp_path: Path) -> None:
    """A URL that is none is bad input."""
    config = a_config().model_copy(update={"alerts": AlertsConfig(urls=SecretStr("what://ever"))})
    with pytest.raises(ConfigError, match="entry 1 is no address"):
        Beside(config, tmp_path / "events.sqlite")
