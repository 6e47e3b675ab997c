"""Which tactics are there? All of them, made from the configuration, over whoever brings orders into the market.

None of them knows what stands behind that: the house's tracker and its one write door, or a desk on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpt_trader.config.bot import ExecutionConfig
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock
from gpt_trader.placement.aggressive_limit import AggressiveLimitExecutionStrategy
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.placement.closing import MarketFinish
from gpt_trader.placement.iceberg import IcebergExecutionStrategy
from gpt_trader.placement.market import MarketExecutionStrategy
from gpt_trader.placement.post_only_chase import PostOnlyChaseExecutionStrategy
from gpt_trader.placement.pricer import AggressiveLimitPricer
from gpt_trader.placement.simple_limit import RestingExecutionStrategy, SimpleLimitExecutionStrategy
from gpt_trader.placement.twap import TwapExecutionStrategy
from gpt_trader.placement.working import Rests, Tactic, Takes, Works

__all__ = ["AllTactics", "make_tactics"]


@dataclass(frozen=True, kw_only=True)
class AllTactics:
    """An engine is told which of them it may offer."""

    by_name: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    """For orders that carry their own price and time in force."""
    worked: tuple[Tactic, ...]
    """Those that go on after the pipeline has its answer."""


def make_tactics(
    execution: ExecutionConfig,
    risk: RiskConfig,
    *,
    works: Works,
    takes: Takes,
    rests: Rests,
    clock: Clock,
    run_tag: str,
) -> AllTactics:
    simple_limit = SimpleLimitExecutionStrategy(
        works=works,
        clock=clock,
        timeout_seconds=execution.simple_limit_timeout_seconds,
        offset_share=execution.simple_limit_offset_bps / 10_000,
    )
    market = MarketExecutionStrategy(
        takes=takes,
        takes_seconds=execution.fill_wait_seconds,
        fallback=simple_limit,
        run_tag=run_tag,
        entry_collar_bps=risk.market_collar_bps,
        exit_collar_bps=risk.exit_collar_bps,
    )
    several = _of_several_orders(execution, risk, works, clock)
    return AllTactics(
        by_name={tactic.name: tactic for tactic in (market, simple_limit, *several)},
        resting=RestingExecutionStrategy(rests, run_tag),
        worked=(simple_limit, *several),
    )


def _of_several_orders(
    execution: ExecutionConfig, risk: RiskConfig, works: Works, clock: Clock
) -> tuple[
    AggressiveLimitExecutionStrategy, PostOnlyChaseExecutionStrategy, TwapExecutionStrategy, IcebergExecutionStrategy
]:
    finish = MarketFinish(
        entry_collar_bps=risk.market_collar_bps,
        exit_collar_bps=risk.exit_collar_bps,
        rest_seconds=execution.simple_limit_timeout_seconds,
    )
    return (
        AggressiveLimitExecutionStrategy(
            works=works,
            clock=clock,
            pricer=AggressiveLimitPricer(),
            finish=finish,
            requotes_max=execution.aggressive_limit_requotes_max,
            timeout_seconds=execution.aggressive_limit_timeout_seconds,
        ),
        PostOnlyChaseExecutionStrategy(
            works=works,
            clock=clock,
            finish=finish,
            timeout_seconds=execution.post_only_chase_timeout_seconds,
            interval_seconds=execution.post_only_chase_interval_seconds,
            requotes_max=execution.post_only_chase_requotes_max,
            distance_max_bps=execution.post_only_chase_distance_max_bps,
        ),
        TwapExecutionStrategy(
            works=works,
            clock=clock,
            finish=finish,
            duration_seconds=execution.twap_duration_seconds,
            slices=execution.twap_slices,
            patience_share=execution.twap_patience_pct,
        ),
        IcebergExecutionStrategy(
            works=works,
            clock=clock,
            finish=finish,
            timeout_seconds=execution.iceberg_timeout_seconds,
            display_share=execution.iceberg_display_pct,
            interval_seconds=execution.iceberg_interval_seconds,
        ),
    )
