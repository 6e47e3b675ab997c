"""How does one's own strategy begin? A file that runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.strategies.catalogue import BUILT_IN

__all__ = ["write_beginning"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")

TEXT: Final = '''"""NAME: what it believes, who found it, and when it fails. Say that here before anything else.

This beginning buys when the relative strength index is low and sells when it is back at the middle. It is there to be
replaced, not to be traded.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import talib
from pydantic import Field

from gpt_trader.config.risk import Setting
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import Search, StrategyParameters
from gpt_trader.strategies.window import Window


class Parameters(StrategyParameters):
    rsi_bars: Annotated[int, Setting("bars", "NAME"), Search(5, 40, 1)] = Field(default=14, ge=2, le=1000)
    """Length of the index."""
    low: Annotated[int, Setting("0 to 100", "NAME"), Search(10, 40, 5)] = Field(default=25, ge=1, le=49)
    """Where it is low enough to buy."""


class Mine:
    """Long when the index is under `low`, flat when it is back above 50."""

    name = "NAME"

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.closes = Window(10 * parameters.rsi_bars)  # it smooths: after ten lengths its beginning is forgotten
        self.holding = False

    @property
    def warmup_bars(self) -> int:
        return 10 * self.parameters.rsi_bars

    def decide(self, bar, position):
        self.closes.append(bar.close)
        if bar.history or not self.closes.full:
            return None
        index = float(talib.RSI(self.closes.values, timeperiod=self.parameters.rsi_bars)[-1])
        inputs = {"rsi": Decimal(repr(index)), "close": Decimal(repr(bar.close))}
        if not self.holding and index < self.parameters.low:
            self.holding = True
            return Signal(want=Want.LONG, fraction=self.parameters.position_fraction, reason="index low", inputs=inputs)
        if self.holding and index > 50:
            self.holding = False
            return Signal(want=Want.FLAT, reason="index back at the middle", inputs=inputs)
        return None

    def state(self):
        return {"holding": int(self.holding)}

    def restore(self, state):
        self.holding = bool(int(state.get("holding", 0)))


STRATEGY = StrategyKind(name="NAME", parameters=Parameters, make=Mine)
'''


def write_beginning(name: str, folder: Path) -> Path:
    """A new file for the strategy `name`; the folder is made if it is not there. Raises ConfigError."""
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"strategy {name!r}: no name for a file. Fix: small letters, digits and _, such as my_idea")
    if name in BUILT_IN:
        raise ConfigError(f"strategy {name!r}: there is one of this name. Fix: choose another")
    path = folder / f"{name}.py"
    if path.exists():
        raise ConfigError(f"{path}: is there already, and would be lost. Fix: choose another name or folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.write_text(TEXT.replace("NAME", name), encoding="utf-8")
    path.chmod(0o644)
    return path
