"""Whose account is it? The port of the lease that keeps a second bot off it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Lease"]


class Lease(Protocol):
    """Held for one account from the moment it was taken. Who holds it may ask the venue for changes."""

    @property
    def account(self) -> str: ...

    @property
    def token(self) -> int:
        """Grows with every holder; what a store is fenced with."""
        ...

    @property
    def renew_seconds(self) -> float:
        """How often `renew` is to be called."""
        ...

    def left_seconds(self) -> float:
        """How long it is surely ours, whatever happens elsewhere; zero once it is lost. Costs no more than a look."""
        ...

    def renew(self) -> None:
        """Hold it for longer. Raises LeaseError once it is lost; from then on `left_seconds` is zero."""
        ...

    def release(self) -> None:
        """Give it back, so that the next one need not wait. Never raises."""
        ...
