from __future__ import annotations

import ast
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from pydantic import SecretStr

from gpt_trader.config.names import known_settings, nearest, plain

SRC = Path(__file__).resolve().parents[3] / "src" / "gpt_trader"
READ_ELSEWHERE = {
    "description": "for people; `config show` prints it",
    "risk_file": "read by config.load itself",
    "strategy.entry_tactic_per_symbol": "read as StrategyConfig.of",
    "run.pace": "read as RunConfig.pace_factor",
    "venue.exchange": "kinds paper and ccxt are refused by name until they are built",
    "credentials.coinbase_api_key_name": "exchange/coinbase is not built yet; keys may stand in an environment anyway",
    "credentials.coinbase_api_private_key": "the same",
    "credentials.coinbase_api_key_file": "the same",
}


@cache
def attributes_read() -> frozenset[str]:
    """Every attribute name that is read in the source outside config."""
    trees = [ast.parse(path.read_text()) for path in SRC.rglob("*.py") if path.parent.name != "config"]
    nodes = (node for tree in trees for node in ast.walk(tree))
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute))


@pytest.mark.parametrize("path", [path for path in known_settings() if path not in READ_ELSEWHERE])
def test_setting_is_read_or_cannot_be_set(path: str) -> None:
    """A limit that nothing reads protects nobody. When you build what reads it, remove `built=False` from it."""
    is_read, built = path.rpartition(".")[2] in attributes_read(), known_settings()[path].built

    assert is_read is built, "remove built=False from its Setting" if is_read else "say built=False in its Setting"


def test_no_variable_sets_two_settings() -> None:
    """One name, one meaning."""
    assert [env for env, count in Counter(known.env for known in known_settings().values()).items() if count > 1] == []


@pytest.mark.parametrize("path", known_settings())
def test_setting_can_be_explained(path: str) -> None:
    """Unit, meaning and place, for `config show` and the reference."""
    known = known_settings()[path]

    assert known.unit
    assert known.meaning.endswith(".")
    assert known.acts


@pytest.mark.parametrize(
    ("path", "env"),
    [
        ("symbols", "TRADING_SYMBOLS"),
        ("risk_file", "RISK_CONFIG_PATH"),
        ("execution.order_preview_enabled", "ORDER_PREVIEW_ENABLED"),
        ("execution.slippage_multipliers", "SLIPPAGE_MULTIPLIERS"),
        ("credentials.coinbase_api_key_file", "COINBASE_API_KEY_FILE"),
        ("risk.daily_loss_limit_pct", "RISK_DAILY_LOSS_LIMIT_PCT"),
        ("run.seed", "GPT_TRADER_RUN__SEED"),
    ],
)
def test_variable_names(path: str, env: str) -> None:
    """Those of the mission, and those made by rule."""
    assert known_settings()[path].env == env


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("1.00"), "1"),
        (Decimal(100000), "100000"),
        (Decimal("0E-8"), "0"),
        (Decimal("0.10"), "0.1"),
        (SecretStr("x"), "set"),
        ({"B": Decimal("2.0"), "A": 1}, {"A": 1, "B": "2"}),
        (("A", "B"), ["A", "B"]),
        (True, True),
        (None, None),
    ],
)
def test_values_are_shown_plainly(value: object, shown: object) -> None:
    """One spelling of a number, no secret, and nothing that JSON cannot hold."""
    assert plain(value) == shown


def test_nearest_gives_up_on_strangers() -> None:
    """A wrong suggestion is worse than none."""
    assert nearest("max_leverge", ["max_leverage", "seed"]) == "max_leverage"
    assert nearest("banana", ["max_leverage", "seed"]) == ""
