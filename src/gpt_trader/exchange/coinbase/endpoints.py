"""Where is Coinbase? The real exchange, or a venue that `gpt-trader venue serve` printed the addresses of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value
from gpt_trader.exchange.coinbase.transport import HOST

__all__ = ["BAR_SECONDS", "REAL", "Endpoints", "endpoints_of", "served_endpoints"]

BAR_SECONDS: Final = 60
"""Where the configuration does not say."""
FILE_BYTES_MAX: Final = 100_000


class Endpoints(Value, frozen=True, kw_only=True):
    """Addresses, and whose certificate is believed there."""

    rest: str = HOST
    """Host and port, without a scheme: REST is always HTTPS."""
    ws: str = "wss://advanced-trade-ws.coinbase.com"
    ws_user: str = "wss://advanced-trade-ws-user.coinbase.com"
    ca_file: str | None = None
    """Certificate of the only authority that is believed; None believes the public ones."""
    key_file: str | None = None
    """Of the served venue's first account, where the configuration names no key."""


REAL: Final = Endpoints()


def endpoints_of(config: BotConfig) -> Endpoints:
    """The real exchange, unless `venue.served` names another place. Raises ConfigError."""
    served = config.venue.served
    return REAL if served is None else served_endpoints(Path(served).expanduser())


class _Ready(msgspec.Struct):
    """What `venue serve` prints when it is ready."""

    rest: str
    scheme: str
    ws: str
    ws_user: str
    ca: str | None = None
    keys: list[str] = []


def served_endpoints(path: Path) -> Endpoints:
    """Of a served venue. Raises ConfigError naming the setting and the file."""
    where = f"venue.served: {path}"
    fix = "Fix: give the file that holds the line which `gpt-trader venue serve` printed"
    try:
        with path.open("rb") as file:
            ready = msgspec.json.decode(file.read(FILE_BYTES_MAX), type=_Ready)
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}. {fix}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{where}: is not that line: {error}. {fix}") from error
    if ready.scheme != "https" or ready.ca is None:
        raise ConfigError(f"{where}: the venue is served without TLS. Fix: serve it without --plain")
    return Endpoints(
        rest=ready.rest,
        ws=ready.ws,
        ws_user=ready.ws_user,
        ca_file=ready.ca,
        key_file=ready.keys[0] if ready.keys else None,
    )
