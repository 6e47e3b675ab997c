"""Looking at an account and ordering by hand while no bot runs: under the lease, against the served venue."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.venue_server import ServedVenue, served

from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.cli.main import run_command_line
from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError, LeaseError
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.ops.account_answers import Answer
from gpt_trader.ops.by_hand import act, check_credentials, look
from gpt_trader.ops.preflight import run_preflight
from gpt_trader.records.lease import HostLease
from gpt_trader.records.reader import read_run

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedVenue, Path]]:
    folder = tmp_path_factory.mktemp("venue")
    with served(folder, speed=1.0, cash=Decimal(50_000)) as running:
        place = folder / "ready.json"
        place.write_text(json.dumps(running.ready))
        yield running, place


def settings(venue: tuple[ServedVenue, Path], *, switch: bool = True, **overrides: object) -> Loaded:
    said = {"venue.served": str(venue[1]), "venue.live_trading": str(switch).lower(), **overrides}
    return load("canary", overrides=said, env={})


def ordered(loaded: Loaded, home: Path, command: str, arguments: Mapping[str, str], *, live: bool = True) -> Answer:
    async def proof(adapter: ExchangeAdapter) -> PreflightPassed:
        now_ns = SystemClock().now_ns()
        return PreflightPassed(
            venue=adapter.name, config_digest=loaded.digest, passed_ns=now_ns, checks=("all of them",)
        )

    work = act(loaded, home, SystemClock(), command, arguments, reason="a test", live=live, prove=proof)
    return asyncio.run(work)


def asked(loaded: Loaded, home: Path, question: str) -> Any:
    return asyncio.run(look(loaded, home, SystemClock(), question))


def test_an_account_is_read_without_a_bot(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """Money, products, fees, orders and positions; nothing is written but the lease."""
    loaded = settings(venue)

    assert asked(loaded, state_home, "account")["venue"] == "coinbase"
    assert [each["symbol"] for each in asked(loaded, state_home, "products")["products"]] == ["BTC-PERP"]
    assert asked(loaded, state_home, "fees") == {"fees": [{"symbol": "BTC-PERP", "maker": "0.00095", "taker": "0.001"}]}
    assert asked(loaded, state_home, "orders") == {"orders": []}
    assert asked(loaded, state_home, "positions") == {"positions": []}
    assert not (state_home / "runs").exists()


def test_orders_by_hand_are_boots_of_one_run(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """Placed in one process, found and edited in the next, cancelled in a third; the log has all, with who and why."""
    loaded = settings(venue)
    resting = {"side": "buy", "quantity": "0.01", "symbol": "BTC-PERP", "limit": "57000"}

    placed = ordered(loaded, state_home, "place", resting)
    assert placed["outcome"] == "RESTING", placed
    found = asked(loaded, state_home, "orders")["orders"]
    assert len(found) == 1, (found, placed)
    listed = found[0]
    first = placed["orders"][0]  # type: ignore[index]
    assert listed["order"] == first
    changed = {"order": first, "limit": "56000"}
    preview = ordered(loaded, state_home, "preview_edit", changed, live=False)
    assert Decimal(str(preview["commission"])) > 0
    with pytest.raises(ConfigError, match="--live on the command line"):
        ordered(loaded, state_home, "edit", changed, live=False)
    assert not asyncio.run(run_preflight(loaded, state_home, SystemClock())).failed, "it fills the limit of the profile"
    edited = ordered(loaded, state_home, "edit", changed)
    assert (edited["outcome"], edited["replaced"]["state"]) == ("RESTING", "CANCELLED"), edited  # type: ignore[index]
    second = edited["orders"][0]  # type: ignore[index]
    assert ordered(loaded, state_home, "cancel", {"order": second}, live=False)["state"] == "CANCELLED"
    assert asked(loaded, state_home, "orders") == {"orders": []}

    (store,) = state_home.glob("runs/*/events.sqlite")
    recorded = [*read_run(store)]
    names = [type(each.event).__name__ for each in recorded]
    assert {each.boot for each in recorded} == {1, 2, 3, 4}
    deeds = [name for name in names if name in ("OrderSubmitted", "OrderCancelRequested", "OrderCancelled")]
    assert deeds == ["OrderSubmitted", *2 * ["OrderCancelRequested", "OrderCancelled", "OrderSubmitted"]][:-1]
    assert "TradingSignalGenerated" not in names


def test_flatten_without_a_bot(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """One boot that gets out, proven at the venue; the next is still killed, until somebody says otherwise."""
    loaded = settings(venue)
    order = {"side": "buy", "quantity": "0.01", "symbol": "BTC-PERP"}

    assert ordered(loaded, state_home, "place", order)["outcome"] == "FILLED"
    flat = ordered(loaded, state_home, "flatten", {"tactic": "market"})

    assert (flat["flat"], flat["mode"]) == (True, "REDUCE_ONLY"), flat
    assert asked(loaded, state_home, "positions") == {"positions": []}
    assert ordered(loaded, state_home, "place", order)["code"] == "reduce_only_mode"


def test_a_preflight_passes_beside_what_the_run_holds(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """A bot must be able to come back to its position; whether it is its own, its log says at the start."""
    loaded = settings(venue)
    order = {"side": "buy", "quantity": "0.01", "symbol": "BTC-PERP"}

    assert ordered(loaded, state_home, "place", order)["outcome"] == "FILLED"
    verdict = asyncio.run(run_preflight(loaded, state_home, SystemClock()))
    closed = ordered(loaded, state_home, "place", {**order, "side": "sell", "reduce_only": "true"})

    assert not verdict.failed
    assert closed["outcome"] == "FILLED"
    assert asked(loaded, state_home, "positions") == {"positions": []}


def test_a_new_order_needs_both_switches_and_a_cancel_none(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """What only takes risk away is never held up by them."""
    order = {"side": "buy", "quantity": "0.01", "symbol": "BTC-PERP", "limit": "57000"}

    with pytest.raises(ConfigError, match="needs two switches"):
        ordered(settings(venue, switch=False), state_home, "place", order)
    with pytest.raises(ConfigError, match="--live on the command line"):
        ordered(settings(venue), state_home, "place", order, live=False)
    with pytest.raises(ConfigError, match="none is alive"):
        ordered(settings(venue, switch=False), state_home, "cancel", {"order": "gt-1"}, live=False)


def test_a_preview_asks_the_venue_and_writes_nothing(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """Its commission and margin, before anything is decided."""
    order = {"side": "buy", "quantity": "0.01", "symbol": "BTC-PERP"}
    answer = ordered(settings(venue, switch=False), state_home, "preview", order, live=False)

    assert Decimal(str(answer["commission"])) > 0
    assert not (state_home / "runs").exists()


def test_an_account_that_somebody_trades_is_left_alone(venue: tuple[ServedVenue, Path], state_home: Path) -> None:
    """The process that holds it is named."""
    loaded = settings(venue)
    account = asyncio.run(check_credentials(loaded, SystemClock()))["account"]
    lease = HostLease(state_home / "leases", f"coinbase:{account}")
    try:
        for work in (lambda: asked(loaded, state_home, "account"), lambda: ordered(loaded, state_home, "cancel", {})):
            with pytest.raises(LeaseError, match=r"process \d+ on this host trades it already"):
                work()
    finally:
        lease.release()


def test_the_commands_print_for_people_and_for_scripts(
    venue: tuple[ServedVenue, Path], state_home: Path, capsys: Said
) -> None:
    """A table, or one object; a simulated account lives only while its bot runs."""
    there = ["--profile", "observe", "--served", str(venue[1])]

    assert run_command_line(["account", "show", *there]) == 0
    assert "available margin" in capsys.readouterr().out
    assert run_command_line(["positions", *there]) == 0
    assert "no positions" in capsys.readouterr().out
    assert run_command_line(["products", *there, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["products"][0]["tick"] == "5"
    assert run_command_line(["credentials", "check", *there, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["may"] == "view"
    assert run_command_line(["orders", "preview", "buy", "0.01", "BTC-PERP", *there]) == 0
    assert "commission" in capsys.readouterr().out
    assert run_command_line(["account", "show"]) == 2
    assert "lives only while one does" in capsys.readouterr().err


def test_a_refused_order_is_an_exit_code(
    venue: tuple[ServedVenue, Path], state_home: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input is 2, before anything is asked; what nobody can confirm is not done."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    there = ["--profile", "canary", "--served", str(venue[1])]

    assert run_command_line(["orders", "place", "buy", "0.01", "BTC-PERP", *there, "--reason", "r"]) == 2
    assert "needs two switches" in capsys.readouterr().err
    assert run_command_line(["orders", "place", "buy", "0.01", "BTC-PERP", *there]) == 2
    assert run_command_line(["orders", "list", "--run", "nobody", *there]) == 2
    assert run_command_line(["flatten", "--reason", "r", "--confirm", "another", *there]) == 2
    assert "flatten: not confirmed, so nothing was done. Fix: confirm it by canary" in capsys.readouterr().err
    assert run_command_line(["close", "BTC-PERP", "--reason", "r", *there]) == 2
    assert "not confirmed, so nothing was done. Fix: --confirm BTC-PERP" in capsys.readouterr().err
    assert run_command_line(["flatten", "--reason", "r", "--confirm", "canary", *there]) == 2
    assert "needs two switches" in capsys.readouterr().err
