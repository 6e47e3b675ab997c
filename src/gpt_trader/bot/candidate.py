"""Which engine looks on, and what is it given? Furnishes a shadow; the doors of the house stay on this side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from gpt_trader.bot.shadow import Shadow, ShadowParts
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import Clock, HeldClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.execution.deciding import DecidingParts
from gpt_trader.execution.engine import SharedParts
from gpt_trader.execution.factory import EngineChoice, EngineSelection, ExecutionEngineFactory
from gpt_trader.placement.paper import PaperDesk
from gpt_trader.placement.tactics import AllTactics, make_tactics
from gpt_trader.risk.manager import LiveRiskManager

__all__ = ["check_shadow", "furnish_shadow", "select_candidate"]

NONE: Final = "none"
ON_PAPER: Final = "paper"


def select_candidate(config: BotConfig, trading: EngineSelection) -> EngineSelection | None:
    """Who is to look on; None where nobody is, or where the candidate is the engine that trades."""
    if config.run.shadow == NONE:
        return None
    wanted = ExecutionEngineFactory.select_shadow(config.risk, EngineChoice(config.run.shadow))
    return None if wanted.features == trading.features else wanted


def check_shadow(config: BotConfig, trading: EngineSelection) -> None:
    """Raises ConfigError where the shadow would be the engine that trades."""
    if config.run.shadow != NONE and select_candidate(config, trading) is None:
        other = "live" if trading.advanced else "advanced"
        raise ConfigError(
            f"run.shadow = {config.run.shadow!r}: that engine trades, with the same features, so there would be "
            f"nothing to compare. Fix: --shadow {other}, or --shadow none"
        )


def furnish_shadow(config: BotConfig, candidate: EngineSelection, house: SharedParts) -> Shadow:
    """Made from what decides in the house, its view of the market, and paper; never from what sends."""
    held, risk, tactics = HeldClock(), LiveRiskManager(config.risk), _tactics_on_paper(config, house.clock)
    nobody = tactics(PaperDesk("", house.adapter.market, house.clock, None, 0.0))
    deciding = DecidingParts(
        config=config.risk,
        exchange=house.adapter.name,
        capabilities=house.adapter.capabilities,
        simulated=house.adapter.simulated,
        clock=held,
        risk=risk,
        edge=house.edge,
        tactics=nobody.by_name,
        resting=nobody.resting,
        slippage_multipliers=config.execution.slippage_multipliers,
    )
    decider = partial(ExecutionEngineFactory.create_decider, candidate)
    return Shadow(
        ShadowParts(
            features=candidate.features,
            features_text=_features(candidate),
            market=house.adapter.market,
            clock=house.clock,
            publish=house.bus.publish,
            held=held,
            deciding=deciding,
            decider=decider,
            tactics=tactics,
            entry_tactics={symbol: config.strategy.of(symbol).entry_tactic for symbol in config.symbols},
            book_age_seconds_max=config.risk.max_book_staleness_seconds,
        )
    )


def _tactics_on_paper(config: BotConfig, clock: Clock) -> Callable[[PaperDesk], AllTactics]:
    """Made for each desk; a function of its own, so that what it holds is just these two."""

    def tactics(desk: PaperDesk) -> AllTactics:
        return make_tactics(
            config.execution, config.risk, works=desk, takes=desk, rests=desk, clock=clock, run_tag=ON_PAPER
        )

    return tactics


def _features(selection: EngineSelection) -> str:
    named = {"dynamic sizing": selection.dynamic_sizing, "impact cap": selection.impact_guard}
    return ", ".join(name for name, is_on in named.items() if is_on)
