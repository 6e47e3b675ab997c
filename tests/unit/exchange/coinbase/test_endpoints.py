"""Is the venue that stands in for Coinbase found, and nothing else taken for it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.coinbase.endpoints import REAL, endpoints_of

READY: dict[str, Any] = {
    "rest": "127.0.0.1:8443",
    "scheme": "https",
    "ws": "wss://127.0.0.1:8443/ws",
    "ws_user": "wss://127.0.0.1:8443/ws-user",
    "admin": "http://127.0.0.1:8444",
    "ca": "ca.pem",
    "keys": ["one.json", "two.json"],
}


def config(served: Path | None) -> BotConfig:
    return BotConfig.model_validate({"venue": {"kind": "coinbase", "served": None if served is None else str(served)}})


def test_without_a_file_it_is_the_real_exchange() -> None:
    """With the public authorities."""
    found = endpoints_of(config(None))
    assert found is REAL
    assert (found.rest, found.ca_file) == ("api.coinbase.com", None)


def test_the_line_of_a_served_venue_is_all_it_takes(tmp_path: Path) -> None:
    """Addresses, its authority, and the key of its first account."""
    path = tmp_path / "ready.json"
    path.write_text(json.dumps(READY) + "\n")
    found = endpoints_of(config(path))
    assert (found.rest, found.ws_user) == (READY["rest"], READY["ws_user"])
    assert (found.ca_file, found.key_file) == ("ca.pem", "one.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("", "is not that line"),
        ("{}", "is not that line"),
        (json.dumps(READY | {"scheme": "http", "ca": None}), "without --plain"),
    ],
)
def test_what_is_no_such_line_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    """Naming setting, file and fix; the real exchange is never fallen back on."""
    path = tmp_path / "ready.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        endpoints_of(config(path))
    assert str(path) in str(refused.value)
    assert "Fix" in str(refused.value)
