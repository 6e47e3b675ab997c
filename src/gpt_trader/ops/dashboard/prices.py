"""What were the prices of a run that was simulated? Its market is made or read once more, if it is the same one.

The settings that the log itself holds say which market it was, so this works while the run goes on, too. It takes
seconds, so it is done in a thread of its own, once for each run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.bot.simulation import market_again
from gpt_trader.config.bot import SYNTHETIC
from gpt_trader.core.errors import ConfigError, GptTraderError
from gpt_trader.core.events import RunStarted
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.stream import MarketStream
from gpt_trader.report.curves import Curves, draw_curves
from gpt_trader.report.facts import RunFacts, read_facts
from gpt_trader.report.price_path import PricePath, read_prices
from gpt_trader.report.run_story import RunStory

__all__ = ["MarketAgain"]

SIMULATED: Final = "simulated"


class MarketAgain:
    """Prices of one run at every bar close, as soon as they are there."""

    def __init__(self, store: Path, started: RunStarted, settings: Mapping[str, object]) -> None:
        self._store = store
        self._started = started
        self._settings = {path: str(value) for path, value in settings.items()}
        self._products: tuple[ProductSpec, ...] = ()
        self._overnight: tuple[tuple[int, bool], ...] = ((started.at_ns, True),)
        self._path: PricePath | None = None
        self.problem = ""
        """Why there are none; empty while they are looked for, and where they are there."""
        if started.environment != SIMULATED:
            self.problem = "live prices are known from when this dashboard began to look"
            return
        threading.Thread(target=self._read, name="market again", daemon=True).start()

    @property
    def ready(self) -> bool:
        return self._path is not None

    def curves(self, story: RunStory, now_ns: int) -> Curves | None:
        """Up to now: a simulated market knows more than the run has seen."""
        path = self._path
        if path is None or path.times_ns[0] > now_ns:
            return None
        chosen = [each for each in path.symbols() if each.symbol in {product.symbol for product in self._products}]
        drawn = draw_curves(story, chosen, self._products, self._overnight, now_ns)
        return drawn if drawn.is_known else None

    def _read(self) -> None:
        try:
            stream = self._open()
            if stream.digest not in self._started.market:
                self.problem = "its market is not the one that lies here now, so only prices of the log are drawn"
                return
            symbols = set(_list(self._settings["symbols"]))
            self._products = tuple(product for product in stream.products if product.symbol in symbols)
            self._path = read_prices(stream)
        except (GptTraderError, KeyError, ValueError) as error:
            self.problem = f"its market cannot be read again: {error}"

    def _open(self) -> MarketStream:
        facts = self._facts()
        home = self._store.parent.parent.parent
        name = self._started.market.partition(" sha256:")[0]
        place = facts.market_place if facts is not None else SYNTHETIC if name == SYNTHETIC else name
        part = {} if facts is None else {"from_ns": facts.from_ns, "to_ns": facts.to_ns}
        if facts is not None:
            self._overnight = facts.overnight or self._overnight
        settings = {**self._settings, "symbols": ",".join(_list(self._settings["symbols"]))}
        return market_again(settings, self._started.seed, home, place, **part)

    def _facts(self) -> RunFacts | None:
        """Only what came to its end has them."""
        try:
            return read_facts(self._store)
        except ConfigError:
            return None


def _list(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])
