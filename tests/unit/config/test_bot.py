from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from gpt_trader.config.bot import BotConfig, CredentialsConfig, ExecutionConfig, RunConfig, StrategyConfig


def test_every_setting_has_a_default() -> None:
    """A profile says only what is special about it."""
    assert BotConfig().symbols == ("BTC-PERP",)


@pytest.mark.parametrize("text", ["BTC-PERP,ETH-PERP", "BTC-PERP; ETH-PERP"])
def test_symbols_are_read_from_text(text: str) -> None:
    """TRADING_SYMBOLS takes both separators."""
    assert BotConfig.model_validate({"symbols": text}).symbols == ("BTC-PERP", "ETH-PERP")


@pytest.mark.parametrize("symbols", ["", "BTC-PERP,BTC-PERP", "btc-perp", "BTC-PERP,,ETH-PERP", ()])
def test_symbols_that_make_no_sense_are_refused(symbols: object) -> None:
    """None, twice, in small letters, or a gap in the list."""
    with pytest.raises(ValidationError):
        BotConfig.model_validate({"symbols": symbols})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1d", 86_400), ("6h", 21_600), ("90m", 5_400), ("1h30m", 5_400), ("45s", 45), ("45", 45), (45, 45)],
)
def test_duration_is_read_as_people_write_it(text: object, seconds: int) -> None:
    """Days, hours, minutes, seconds, or plain seconds."""
    assert seconds == RunConfig.model_validate({"duration": text}).duration


@pytest.mark.parametrize("text", ["", "1w", "h", "-5m", "1.5h", "0", True, "400d"])
def test_duration_that_is_none_is_refused(text: object) -> None:
    """Zero, negative, unknown units and more than a year."""
    with pytest.raises(ValidationError):
        RunConfig.model_validate({"duration": text})


@pytest.mark.parametrize(("pace", "factor"), [("max", None), ("realtime", 1.0), ("60x", 60.0), ("0.5x", 0.5)])
def test_pace_becomes_market_seconds_per_second(pace: str, factor: float | None) -> None:
    """What the virtual loop takes."""
    assert factor == RunConfig(pace=pace).pace_factor


@pytest.mark.parametrize("pace", ["", "60", "x", "0x", "0.0x", "-1x", "fast"])
def test_pace_that_is_none_is_refused(pace: str) -> None:
    """A factor of zero would never end."""
    with pytest.raises(ValidationError):
        RunConfig(pace=pace)


def test_short_average_is_shorter_than_long() -> None:
    """Else there is no cross."""
    with pytest.raises(ValidationError, match="short_ma must be shorter"):
        StrategyConfig(short_ma=20, long_ma=20)


def test_tactic_settings_are_those_of_the_mission() -> None:
    """Simple limit 30 s and 1 bp, aggressive 8 in 13 s, retries 3 of 1 s doubling to 30 s with 25 % jitter."""
    execution = ExecutionConfig()

    assert (30.0, Decimal(1)) == (execution.simple_limit_timeout_seconds, execution.simple_limit_offset_bps)
    assert (execution.aggressive_limit_requotes_max, execution.aggressive_limit_timeout_seconds) == (8, 13.0)
    assert (execution.retries_max, execution.retry_base_seconds, execution.retry_factor) == (3, 1.0, 2.0)
    assert (30.0, Decimal("0.25")) == (execution.retry_cap_seconds, execution.retry_jitter_pct)
    assert (execution.fill_wait_seconds, execution.fill_poll_seconds) == (10.0, 0.5)
    assert (Decimal("0.01"), 180.0) == (execution.max_slippage_pct, execution.unknown_settle_seconds)


@pytest.mark.parametrize(
    "values",
    [
        {"coinbase_api_key_name": "name"},
        {"coinbase_api_private_key": "key"},
        {"coinbase_api_key_name": "name", "coinbase_api_private_key": "key", "coinbase_api_key_file": "f"},
    ],
)
def test_credentials_come_one_way(values: dict[str, str]) -> None:
    """Half a key, or two keys, is a mistake that should not wait for the first order."""
    with pytest.raises(ValidationError):
        CredentialsConfig.model_validate(values)


def test_secrets_do_not_show() -> None:
    """A configuration may end in a log."""
    credentials = CredentialsConfig.model_validate(
        {"coinbase_api_key_name": "canary-name", "coinbase_api_private_key": "canary-key"}
    )

    assert "canary" not in repr(credentials) + str(credentials) + credentials.model_dump_json()


def test_multiplier_of_a_symbol_without_one_is_one() -> None:
    """SLIPPAGE_MULTIPLIERS names only what differs."""
    config = BotConfig.model_validate({"execution": {"slippage_multipliers": "BTC-PERP:1.5"}})

    assert [Decimal("1.5"), Decimal(1)] == [config.multiplier("BTC-PERP"), config.multiplier("ETH-PERP")]
