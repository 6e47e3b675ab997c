"""Who is told? The store first, then the listeners; a listener that fails is reported and never stops the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event, SystemError  # noqa: A004 - the event, not the builtin
from gpt_trader.core.journal import Journal

__all__ = ["EventBus"]

LISTENER_FAILURES_MAX: Final = 20
"""After so many failures a listener is taken off the bus, and that is reported too."""

MESSAGE_CHARACTERS_MAX: Final = 500

E = TypeVar("E", bound=Event)
Listener = tuple[str, Callable[[Any], None]]
"""Name and function."""


class EventBus:
    """Publishes facts. Calls decide, events tell: nothing returns through here."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._listeners: dict[type[Event], list[Listener]] = {}
        self._watchers: list[Listener] = []
        self._told: dict[type[Event], tuple[Listener, ...]] = {}
        """Who hears of each type, in order; made when it is first published."""
        self._failures: dict[str, int] = {}
        self._untold: deque[Event] = deque()
        self._telling = False
        self.store_failed = ""
        """Why the store can no longer be written; empty while it can. Nothing may be sent once it is set."""

    def subscribe(self, kind: type[E], name: str, listener: Callable[[E], None]) -> None:
        """Call `listener` with every event of exactly this type, after it is in the journal."""
        self._listeners.setdefault(kind, []).append((name, listener))
        self._told.clear()

    def watch(self, name: str, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event of any type, after the typed listeners."""
        self._watchers.append((name, listener))
        self._told.clear()

    def publish(self, event: Event, first: Callable[[Event], None] | None = None) -> None:
        """Store the event, then tell. Raises StoreError when it cannot be stored; then nobody is told.

        `first` is the publisher's own change of state: after the journal, before the listeners, and never caught.
        """
        if self.store_failed:
            raise StoreError(self.store_failed)
        try:
            self._journal.append(event)
        except StoreError as error:
            self.store_failed = str(error)
            raise
        if first is not None:
            first(event)
        if self._telling:  # in the order of the log: it is told after everybody has heard what its publisher heard
            self._untold.append(event)
            return
        self._telling = True
        try:
            while True:
                for name, listener in self._told.get(type(event)) or self._listeners_of(type(event)):
                    try:
                        listener(event)
                    except StoreError:
                        raise
                    except Exception as error:  # noqa: BLE001 - one of the two places: a listener must not stop the order path
                        self._failed(name, event, error)
                if not self._untold:
                    return
                event = self._untold.popleft()
        finally:
            self._telling = False
            self._untold.clear()

    async def commit(self) -> None:
        """Return once all that was published is durable. Raises StoreError, and from then on refuses to publish."""
        if self.store_failed:
            raise StoreError(self.store_failed)
        try:
            await self._journal.commit()
        except StoreError as error:
            self.store_failed = str(error)
            raise

    def _listeners_of(self, kind: type[Event]) -> tuple[Listener, ...]:
        listeners = (*self._listeners.get(kind, ()), *self._watchers)
        self._told[kind] = tuple(each for each in listeners if self._failures.get(each[0], 0) < LISTENER_FAILURES_MAX)
        return self._told[kind]

    def _failed(self, name: str, event: Event, error: Exception) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._told.clear()
        action = "taken off the bus" if failures >= LISTENER_FAILURES_MAX else "reported, the others were told"
        self.report(name, f"{type(error).__name__} on {type(event).__name__}: {error}", action)

    def report(self, source: str, message: str, action: str) -> None:
        """Tell as the event SystemError that something failed, and what was done about it."""
        self.publish(
            SystemError(
                at_ns=self._clock.now_ns(), source=source, message=message[:MESSAGE_CHARACTERS_MAX], action=action
            )
        )
