"""What must hold before the dashboard listens? The extra is installed, the address is safe, the run exists."""

from __future__ import annotations

import ipaddress
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value

__all__ = ["Wanted", "check_address", "require_dashboard"]

NEEDS: Final = (
    "the dashboard needs the extra `dashboard`. Fix: pip install 'gpt-trader[dashboard]' "
    "(in a checkout: make dashboard, which sets itself up)"
)


class Wanted(Value, frozen=True, kw_only=True):
    """As asked for on the command line."""

    run: str | None = None
    bind: str = "127.0.0.1"
    port: int
    urls: tuple[str, ...] = ()
    plain_http: bool = False
    read_only: bool = False


def check_address(wanted: Wanted) -> tuple[str, ...]:
    """Every address that browsers may use. Raises ConfigError for one that would send tokens in the clear."""
    for url in wanted.urls:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url {url}: no address of a page. Fix: https://NAME, as it stands in the browser")
    try:
        loopback = wanted.bind == "localhost" or ipaddress.ip_address(wanted.bind).is_loopback
    except ValueError:
        raise ConfigError(f"--bind {wanted.bind}: no address. Fix: 127.0.0.1, or that of one interface") from None
    if not loopback and not wanted.urls:
        raise ConfigError(f"--bind {wanted.bind}: say how browsers reach it. Fix: --url https://NAME")
    if not wanted.plain_http and any(url.startswith("http://") for url in wanted.urls):
        raise ConfigError(
            "--url http://...: tokens would travel in the clear. Fix: https:// behind a proxy that speaks TLS, an SSH "
            "tunnel to the loopback address, or --plain-http on a network that is yours"
        )
    own = tuple(f"http://{name}:{wanted.port}" for name in ("127.0.0.1", "localhost", "[::1]"))
    return (*wanted.urls, *(own if loopback else ()))


def require_dashboard() -> None:
    """Raises ConfigError where the extra is not installed."""
    try:
        import dash  # noqa: F401, PLC0415 - an extra
        import waitress  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error
