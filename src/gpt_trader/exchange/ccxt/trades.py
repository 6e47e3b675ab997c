"""Which trades were there? An account's trades of one symbol since a time, page by page, complete or not at all."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.errors import VenueUnavailableError
from gpt_trader.exchange.ccxt.client import Client
from gpt_trader.exchange.ccxt.reading import Trade

__all__ = ["trades_since"]

PAGE: Final = 500
PAGES_MAX: Final = 400
WINDOW_MS: Final = 7 * 86_400_000
"""Exchanges hand out a week at a time: a page that is not full does not mean that nothing follows."""


async def trades_since(client: Client, name: str, since_ms: int, now_ms: int) -> list[Trade]:
    """Each once, those of the very first millisecond too. Raises ExchangeError where a part cannot be had."""
    found: dict[str, Trade] = {}
    for _ in range(PAGES_MAX):
        page = await client.ask("fetch_my_trades", list[Trade], name, since_ms, PAGE)
        found.update({trade.id: trade for trade in page})
        if len(page) >= PAGE:
            last_ms = max(trade.timestamp for trade in page)
            if last_ms <= since_ms:
                raise VenueUnavailableError(f"{name}: {PAGE} trades at one moment, the rest cannot be asked for")
            since_ms = last_ms
        elif since_ms + WINDOW_MS >= now_ms:
            return list(found.values())
        else:
            since_ms += WINDOW_MS
    raise VenueUnavailableError(f"{name}: more than {PAGES_MAX} pages of trades")
