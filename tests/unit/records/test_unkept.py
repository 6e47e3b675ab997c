"""Does a journal that keeps nothing say so?"""

from __future__ import annotations

import asyncio

from gpt_trader.core.events import BootStarted
from gpt_trader.records.unkept import UnkeptJournal


def test_events_are_counted_and_forgotten() -> None:
    """The head has a number and no digest, so nothing can be taken for a kept log."""
    journal = UnkeptJournal()

    numbers = [journal.append(BootStarted(at_ns=1, boot=1, replayed_events=0)) for _ in range(3)]
    asyncio.run(journal.commit())

    assert numbers == [1, 2, 3]
    assert (journal.head.sequence, journal.head.digest) == (3, "")
    assert list(journal.read()) == []
    assert journal.snapshots() == ()
