"""When is it sent? Turns events into messages in a thread of its own; what fails here is told, and stops nothing.

Beside it the dead man's switch: as long as the bot answers, somebody else's URL is asked for now and then. When that
ends, whatever the reason, somebody else notices.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import requests

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.events import Event
from gpt_trader.ops.alerts.channels import Channel
from gpt_trader.ops.alerts.messages import Alert, Severity, alert_of
from gpt_trader.ops.alerts.routing import Router

__all__ = ["Heartbeat", "Notifier"]

DAY_NS: Final = 86_400 * NS
COMPLAIN_NS: Final = 3600 * NS
"""At most once in this time a channel that fails is told of."""


class Notifier:
    """Runs in one thread. `complain` may be called from it."""

    def __init__(
        self,
        *,
        run: str,
        channels: Mapping[Severity, Sequence[Channel]],
        router: Router,
        clock: Clock,
        complain: Callable[[str], None],
        daily_at: dt.time | None,
        daily: Callable[[], str],
    ) -> None:
        """`daily` makes the text of the report; `daily_at` is a time of the UTC day, None never."""
        self._run = run
        self._channels = channels
        self._router = router
        self._clock = clock
        self._complain = complain
        self._complained_ns: dict[str, int] = {}
        self._daily = daily
        self._daily_due_ns = None if daily_at is None else next_time_ns(daily_at, clock.now_ns())

    def on_event(self, event: Event) -> None:
        """Tell, or hold back."""
        alert = alert_of(event, self._run)
        if alert is not None and (sent := self._router.offer(alert, self._clock.now_ns())) is not None:
            self._send(sent)

    def tick(self) -> None:
        """What is due by time alone."""
        now_ns = self._clock.now_ns()
        for alert in self._router.due(now_ns):
            self._send(alert)
        if self._daily_due_ns is not None and now_ns >= self._daily_due_ns:
            self._daily_due_ns += DAY_NS
            title = f"daily report: {self._run}"
            self._send(Alert(severity=Severity.WARNING, key="daily", title=title, text=self._daily(), at_ns=now_ns))

    def _send(self, alert: Alert) -> None:
        for channel in self._channels[alert.severity]:
            problem = channel.send(alert)
            if problem:
                self._failed(channel.name, problem)

    def _failed(self, name: str, problem: str) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._complained_ns.get(name, -COMPLAIN_NS) >= COMPLAIN_NS:
            self._complained_ns[name] = now_ns
            self._complain(f"{name}: {problem}")


class Heartbeat:
    """The dead man's switch. `alive` asks the bot itself."""

    def __init__(
        self, url: str, *, timeout_seconds: float, alive: Callable[[], bool], complain: Callable[[str], None]
    ) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._alive = alive
        self._complain = complain
        self._failing = False

    def beat(self) -> None:
        """Ask for the URL if the bot is alive; silence is the alarm."""
        if not self._alive():
            return
        problem = ""
        try:
            answer = requests.get(self._url, timeout=self._timeout_seconds, allow_redirects=False)
            problem = "" if answer.ok else f"answered {answer.status_code}"
        except requests.RequestException as error:
            problem = type(error).__name__  # its text holds the address
        if problem and not self._failing:
            self._complain(f"heartbeat: {problem}")
        self._failing = bool(problem)


def next_time_ns(at: dt.time, now_ns: int) -> int:
    """The next such time of the UTC day."""
    today_ns = now_ns // DAY_NS * DAY_NS + (at.hour * 3600 + at.minute * 60) * NS
    return today_ns if today_ns > now_ns else today_ns + DAY_NS
