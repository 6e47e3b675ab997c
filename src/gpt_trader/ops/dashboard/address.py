"""What does an address of the dashboard mean? `/` lists the runs, `/run/NAME/PAGE` shows one."""

from __future__ import annotations

from typing import Final

__all__ = ["PAGES", "where"]

PAGES: Final = {
    "overview": "Overview",
    "decisions": "Decisions",
    "orders": "Orders",
    "guards": "Guards",
    "costs": "Costs",
    "control": "Control",
    "events": "Events",
}
"""Every page of a run, and its title."""
LEAST_PARTS: Final = 2


def where(path: str | None) -> tuple[str | None, str]:
    """Run and page of an address."""
    parts = (path or "/").strip("/").split("/")
    if len(parts) < LEAST_PARTS or parts[0] != "run":
        return None, ""
    page = parts[2] if len(parts) > LEAST_PARTS and parts[2] in PAGES else "overview"
    return parts[1], page
