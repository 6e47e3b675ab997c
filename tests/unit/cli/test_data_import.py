"""Can a person fetch the past of an exchange? `data import coinbase` against the served venue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.venue_server import ServedVenue, a_market, served

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import NS, iso

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue"), a_market("BTC-PERP", "ETH-PERP")) as running:
        yield running


def fetch(venue: ServedVenue, *arguments: str) -> int:
    there = ("--host", venue.ready["rest"], "--ca-file", venue.ready["ca"])
    return run_command_line(["data", "import", "coinbase", *there, *arguments])


def an_hour_ago(venue: ServedVenue) -> str:
    return iso(venue.server.running.now_ns - 3600 * NS)


def test_candles_become_a_dataset_that_can_be_traded(venue: ServedVenue, state_home: Path, capsys: Said) -> None:
    """By symbol and by the venue's id, several products in one market; what is assumed is told."""
    products = ("--product", "BTC-PERP", "--product", "ETP-20DEC30-CDE")
    assert fetch(venue, *products, "--from", an_hour_ago(venue), "--name", "two") == 0
    said = capsys.readouterr().out
    assert "imported two: 120 rows" in said
    assert "Coinbase publishes no history of index and funding" in said

    assert run_command_line(["data", "list", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [product["symbol"] for product in found["products"]] == ["BTC-PERP", "ETH-PERP"]
    assert found["bar_seconds"] == 60
    assert [source["name"] for source in found["sources"]] == ["coinbase BIP-20DEC30-CDE", "coinbase ETP-20DEC30-CDE"]
    assert run_command_line(["data", "check", "two"]) == 0


def test_trades_become_a_dataset_to_measure_with(venue: ServedVenue, state_home: Path, capsys: Said) -> None:
    """Their takers are what the impact law is fitted to."""
    arguments = ("--product", "BTC-PERP", "--from", an_hour_ago(venue), "--trades", "--name", "trades")
    assert fetch(venue, *arguments) == 0
    said = capsys.readouterr().out
    assert "Single trades without a book" in said
    assert run_command_line(["data", "check", "trades"]) == 0
    assert run_command_line(["data", "calibrate-impact", "trades", "--seconds", "5"]) in {0, 1}


def test_a_past_that_is_not_there_is_told(venue: ServedVenue, state_home: Path, capsys: Said) -> None:
    """A venue that does not go back so far hands out less, in silence; the notes are not silent."""
    before = iso(venue.server.running.now_ns - 30 * 3600 * NS)
    assert fetch(venue, "--product", "BTC-PERP", "--from", before, "--name", "long") == 0
    assert "note: The venue handed out nothing before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--product", "DOGE-PERP"), "no perpetual future DOGE-PERP; it has BTC-PERP, ETH-PERP"),
        (("--product", "BTC-PERP", "--bar-seconds", "61"), "Coinbase has candles of 60, 300"),
        (("--product", "BTC-PERP", "--bar-seconds", "60", "--trades"), "leave one of them out"),
        (("--product", "BTC-PERP", "--from", "2100-01-01"), "is not before"),
        (("--product", "BTC-PERP", "--to", "yesterday"), "is not a time"),
    ],
)
def test_what_cannot_be_fetched_is_bad_input(
    venue: ServedVenue, state_home: Path, capsys: Said, arguments: tuple[str, ...], said: str
) -> None:
    """Named, and nothing is kept."""
    assert fetch(venue, "--from", an_hour_ago(venue), *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (state_home / "catalog").exists()


def test_a_venue_that_is_not_there_fails(state_home: Path, capsys: Said) -> None:
    """Exit 1 after some attempts; nothing is kept."""
    code = run_command_line(
        ["data", "import", "coinbase", "--product", "BTC-PERP", "--from", "2026-01-01", "--host", "127.0.0.1:1"]
    )
    assert code == 1
    assert "error: /market/products" in capsys.readouterr().err
    assert not (state_home / "catalog").exists()
