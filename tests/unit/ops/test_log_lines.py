"""What a run has logged, as people and machines read it; and what is left out of a flood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.builders import START_NS, D

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import Event, OrderRefused, SymbolPaused
from gpt_trader.core.values import Purpose, Side
from gpt_trader.ops.log import LINES_PER_MINUTE_MAX, LOG_NAME, run_log
from gpt_trader.ops.log_lines import LogLine, LogLines
from gpt_trader.records.event_store import EventStore


def logged(folder: Path, *events: Event) -> Path:
    """The log of a process that heard these."""
    folder.mkdir(parents=True, exist_ok=True)
    with run_log(folder, run_id="a-run", boot=1, secrets=(), alarms=None) as log:
        for event in events:
            log.on_event(event)
    return folder


def read(folder: Path, *, lines: int | None = None, **chosen: str) -> list[LogLine]:
    with LogLines(folder, **chosen) as found:
        return list(found.so_far(lines))


def a_refusal(at_ns: int = START_NS, code: str = "leverage_cap") -> OrderRefused:
    return OrderRefused(
        at_ns=at_ns,
        intent_id=f"intent-{code}",
        strategy="s",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D(1),
        stage="risk",
        code=code,
        purpose=Purpose.ENTRY,
        engine="LiveExecutionEngine",
    )


PAUSED = SymbolPaused(at_ns=START_NS, symbol="BTC-PERP", reason="ann: why")


def test_lines_for_people(tmp_path: Path) -> None:
    """Time, level, sentence, and what it is about."""
    folder = logged(tmp_path, a_refusal(), PAUSED)

    lines = [line.for_people() for line in read(folder)]

    assert lines[1].startswith("2025-06-15 15:06:40.000 info    refused opening BUY BTC-PERP: leverage_cap")
    assert lines[1].endswith("[intent=intent-leverage_cap]")
    assert lines[2] == "2025-06-15 15:06:40.000 warning entries of BTC-PERP paused: ann: why"


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    """By level, by intent, or the newest so many."""
    folder = logged(tmp_path, a_refusal(), PAUSED, a_refusal(code="slot_busy"))

    assert [line.fields["kind"] for line in read(folder, level="warning")] == ["SymbolPaused"]
    assert [line.fields["intent"] for line in read(folder, intent="intent-slot")] == ["intent-slot_busy"]
    assert len(read(folder, lines=2)) == 2


def test_news_go_on_in_the_next_file(tmp_path: Path) -> None:
    """A line that is half written waits; a file that was turned over is read to its end, then the new one."""
    folder = logged(tmp_path, a_refusal())
    path = folder / LOG_NAME
    with LogLines(folder) as found:
        assert len(list(found.so_far())) == 3
        with path.open("a") as file:
            file.write('{"text": "half')
        assert list(found.news()) == []
        with path.open("a") as file:
            file.write('", "level": "info"}\n')
        assert [line.fields["text"] for line in found.news()] == ["half"]
        path.replace(path.with_suffix(".1.jsonl"))
        path.write_text('{"text": "new", "level": "info"}\n{"text": "crashed he')
        assert [line.fields["text"] for line in found.news()] == ["new"]

    assert [line.fields["text"] for line in read(folder, lines=2)] == ["half", "new"]


def test_a_flood_is_counted(tmp_path: Path) -> None:
    """So many lines of a kind a minute; others are not touched, and the next minute begins anew."""
    many = LINES_PER_MINUTE_MAX + 40
    events = [a_refusal(START_NS + number) for number in range(many)]
    folder = logged(tmp_path, *events, PAUSED, a_refusal(START_NS + 60 * NS))

    lines = [line.fields for line in read(folder)]

    assert sum(line.get("kind") == "OrderRefused" for line in lines) == LINES_PER_MINUTE_MAX + 1
    assert sum(line.get("kind") == "SymbolPaused" for line in lines) == 1
    (left_out,) = [line for line in lines if "left out" in str(line["text"])]
    assert (left_out["lines"], left_out["about"]) == (40, "leverage_cap BTC-PERP")


def test_a_run_without_a_log_is_said(tmp_path: Path) -> None:
    """Backtests have none."""
    with pytest.raises(ConfigError, match=r"no log\.jsonl there"):
        LogLines(tmp_path)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest run, for people or as it is stored."""
    folder = tmp_path / "runs" / "a-run"
    logged(folder, a_refusal())
    with EventStore.open(folder / "events.sqlite", "a-run", 1, durable=False) as store:
        store.append(PAUSED)
    monkeypatch.setenv("GPT_TRADER_HOME", str(tmp_path))

    assert run_command_line(["logs", "last", "--intent", "intent"]) == 0
    assert "refused opening BUY BTC-PERP" in capsys.readouterr().out
    assert run_command_line(["logs", "a-run", "--json", "--lines", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "process ended"
