"""By which way? Channels of the notification library, one for each URL; what a URL says is a secret.

A channel is named by its service and its place in the setting, never by its address.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import apprise
from apprise import NotifyType

from gpt_trader.config.bot import AlertsConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.alerts.messages import Alert, Severity

__all__ = ["Channel", "channels_of"]

TYPES: Final = {
    Severity.INFO: NotifyType.INFO,
    Severity.WARNING: NotifyType.WARNING,
    Severity.CRITICAL: NotifyType.FAILURE,
}
WORTH_TELLING: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})
TEXT_CHARACTERS_MAX: Final = 3000
PROBLEM_CHARACTERS_MAX: Final = 300


class Channel:
    """One way to a person."""

    def __init__(self, name: str, service: apprise.NotifyBase, *, seconds: float, hide: Callable[[str], str]) -> None:
        """`seconds` is what one message may take; `hide` takes secrets out of a text."""
        self.name = name
        self._library = apprise.Apprise(services=[service])
        self._seconds = seconds
        self._hide = hide

    def send(self, alert: Alert) -> str:
        """Empty when it was taken, else why not. Takes at most the channel's time."""
        result = self._library.notify(
            body=alert.text[:TEXT_CHARACTERS_MAX] or alert.title,
            title=alert.title,
            notify_type=TYPES[alert.severity],
            timeout=self._seconds,
        )
        if result:
            return ""
        said = "; ".join(dict.fromkeys(str(entry.message) for entry in result.logs() if entry.level in WORTH_TELLING))
        return self._hide(said)[:PROBLEM_CHARACTERS_MAX] or f"not taken within {self._seconds:g} s"


def channels_of(config: AlertsConfig, hide: Callable[[str], str]) -> Mapping[Severity, Sequence[Channel]]:
    """Who hears of which severity. A level without channels of its own hears with those of `alerts.urls`; info is told
    only to its own. Raises ConfigError naming the place of a URL that the library does not understand."""
    _silence_the_library()
    everybody = _channels("urls", config.listed("urls"), config, hide)
    return {
        Severity.INFO: _channels("urls_info", config.listed("urls_info"), config, hide),
        Severity.WARNING: everybody,
        Severity.CRITICAL: _channels("urls_critical", config.listed("urls_critical"), config, hide) or everybody,
    }


def _channels(
    setting: str, urls: Sequence[str], config: AlertsConfig, hide: Callable[[str], str]
) -> tuple[Channel, ...]:
    found = []
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            raise ConfigError(
                f"alerts.{setting}: entry {number} is no address that apprise {apprise.__version__} understands "
                f"(it begins with {url.partition(':')[0][:20]!r}). Fix: docs/alerts.md has one of each kind"
            )
        name = f"{service.service_name} ({setting} {number})"
        found.append(Channel(name, service, seconds=config.timeout_seconds, hide=hide))
    return tuple(found)


def _silence_the_library() -> None:
    """What it would print may hold an address; what matters of it is in its result."""
    library = logging.getLogger("apprise")
    library.addHandler(logging.NullHandler())
    library.propagate = False
