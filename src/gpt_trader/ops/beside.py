"""Who stands beside a running bot? Figures and alerts, in threads of their own, where the configuration asks for them.

None of them can hold the bot up or stop it: they hear of events through a bounded queue, and ask the bot's loop for a
picture when they need one. What fails in them is told as SystemError.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.bot.steering import Steering
from gpt_trader.config.bot import BotConfig, VenueKind
from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.journal import SnapshotJournal
from gpt_trader.ops.log import hider
from gpt_trader.ops.picture import picture_of
from gpt_trader.ops.tap import ask, attended

if TYPE_CHECKING:
    from gpt_trader.ops.alerts.channels import Channel
    from gpt_trader.ops.alerts.messages import Severity
    from gpt_trader.ops.metrics.endpoint import BotMetrics

__all__ = ["Beside"]

END_SECONDS: Final = 3.0
"""How long the last alerts are waited for when the bot has ended: a stop has ten seconds in all."""
OURSELVES: Final = "from gpt_trader.cli.main import main; main()"
REPORT_SECONDS: Final = 300.0
"""How long a daily report may take, in a process of its own."""


class Beside:
    """Of one process. Made before the bot is built, since the journal is measured from its first event."""

    def __init__(self, config: BotConfig, store: Path) -> None:
        """Raises ConfigError for what is configured and cannot be: a library that is missing, a URL that is none."""
        self._config = config
        self._store = store
        self._hide = hider(config.secret_texts())
        self._metrics = _metrics(config)
        self._channels = _channels(config, self._hide)
        self._ended = False

    def journal(self, store: SnapshotJournal) -> SnapshotJournal:
        """The same, measured where figures are wanted."""
        if self._metrics is None:
            return store
        from gpt_trader.ops.metrics.measured import MeasuredJournal

        return MeasuredJournal(store, self._metrics.committed)

    @contextlib.asynccontextmanager
    async def attend(self, built: BuiltBot, steering: Steering) -> AsyncIterator[None]:
        """From before the bot starts until it has stopped. Raises ConfigError when the port cannot be had."""
        async with contextlib.AsyncExitStack() as stack:
            if self._metrics is not None:
                await self._serve_figures(self._metrics, built, steering, stack)
            self._send_alerts(built, stack)
            self._beat(built, stack)
            try:
                yield
            finally:
                self._ended = True

    async def _serve_figures(
        self, metrics: BotMetrics, built: BuiltBot, steering: Steering, stack: contextlib.AsyncExitStack
    ) -> None:
        from gpt_trader.ops.metrics.endpoint import watch_lag
        from gpt_trader.ops.metrics.gauges import Now

        bot, loop, config = built.bot, asyncio.get_running_loop(), self._config.metrics

        def look() -> Now:
            flags = {state.flag: bool(state.value) for state in steering.flags()}
            return Now(picture_of(built, self._store.parent.name), flags, dict(bot.streams))

        assert config.port is not None, "without a port there are no figures"
        hear = stack.enter_context(metrics.served(config.host, config.port, look, loop))
        bot.bus.watch("metrics", hear)
        if self._config.venue.kind is not VenueKind.SIMULATED:  # there the loop's time is the market's
            lag = loop.create_task(watch_lag(SystemClock(), metrics.lagged), name="loop lag")
            stack.callback(lag.cancel)

    def _send_alerts(self, built: BuiltBot, stack: contextlib.AsyncExitStack) -> None:
        if not any(self._channels.values()):
            return
        from gpt_trader.ops.alerts.notifier import Notifier
        from gpt_trader.ops.alerts.routing import Router

        config = self._config.alerts
        notifier = Notifier(
            run=self._store.parent.name,
            channels=self._channels,
            router=Router(repeat_seconds=config.repeat_seconds, per_hour_max=config.per_hour_max),
            clock=SystemClock(),
            complain=self._complain(built),
            daily_at=dt.time.fromisoformat(config.daily_at) if config.daily_at else None,
            daily=self._daily,
        )
        tap = stack.enter_context(attended("alerts", notifier.on_event, tick=notifier.tick, end_seconds=END_SECONDS))
        built.bot.bus.watch("alerts", tap.on_event)

    def _daily(self) -> str:
        """Read and reckoned in a process of its own: a long log would cost the bot its turn of the interpreter."""
        command = [sys.executable, "-c", OURSELVES, "daily", str(self._store.parent)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=REPORT_SECONDS, check=False)  # noqa: S603 - our own program
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"the daily report could not be made: {type(error).__name__}"
        return done.stdout if done.returncode == 0 else f"the daily report could not be made: {done.stderr.strip()}"

    def _beat(self, built: BuiltBot, stack: contextlib.AsyncExitStack) -> None:
        config = self._config.alerts
        if config.heartbeat_url is None:
            return
        from gpt_trader.ops.alerts.notifier import Heartbeat

        bot, loop = built.bot, asyncio.get_running_loop()
        heart = Heartbeat(
            config.heartbeat_url.get_secret_value(),
            timeout_seconds=config.timeout_seconds,
            alive=lambda: ask(loop, lambda: bot.caught_up and not bot.bus.store_failed) is True,
            complain=self._complain(built),
        )
        stack.enter_context(
            attended(
                "heartbeat", lambda _: None, tick=heart.beat, tick_seconds=config.heartbeat_seconds, end_seconds=1.0
            )
        )

    def _complain(self, built: BuiltBot) -> Callable[[str], None]:
        """Told in the log, from another thread; after the bot's end there is nobody to tell."""
        from gpt_trader.ops.alerts.messages import ALERTS

        loop = asyncio.get_running_loop()

        def tell(problem: str) -> None:
            if not (self._ended or built.bot.bus.store_failed):
                built.bot.bus.report(ALERTS, self._hide(problem), "trading goes on, nobody was told this way")

        def complain(problem: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, problem)

        return complain


def _metrics(config: BotConfig) -> BotMetrics | None:
    if config.metrics.port is None:
        return None
    try:
        from gpt_trader.ops.metrics.endpoint import BotMetrics
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"metrics.port = {config.metrics.port}: a library is missing ({error.name}). Fix: install the extra metrics"
        ) from error
    return BotMetrics()


def _channels(config: BotConfig, hide: Callable[[str], str]) -> Mapping[Severity, Sequence[Channel]]:
    alerts = config.alerts
    if alerts.urls is alerts.urls_critical is alerts.urls_info is None:
        return {}
    try:
        from gpt_trader.ops.alerts.channels import channels_of
    except ModuleNotFoundError as error:
        raise ConfigError(f"alerts: a library is missing ({error.name}). Fix: install the extra alerts") from error
    return channels_of(alerts, hide)
