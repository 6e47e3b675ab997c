"""Is there room to write down what is begun?"""

from __future__ import annotations

import pytest
from tests.builders import START_NS, D

from gpt_trader.config.risk import RiskConfig
from gpt_trader.risk.guard_rules import read_disk
from gpt_trader.risk.guard_values import Action, Baselines, EquityMark, GuardInput, WayBack

BASELINES = Baselines(day=EquityMark(at_ns=START_NS, equity=D(1)), rolling=EquityMark(at_ns=START_NS, equity=D(1)))


@pytest.mark.parametrize(("free", "tripped"), [("0.4", True), ("0.5", False), ("7", False)])
def test_entries_end_while_the_room_is_too_small(free: str, tripped: bool) -> None:
    """Below the threshold working entries are cancelled; they may begin again as soon as there is room."""
    figures = GuardInput(now_ns=START_NS, equity=D(1), disk_free_gb=D(free), disk_free_gb_min=D("0.5"))
    (reading,) = read_disk(figures, BASELINES, RiskConfig())
    assert (reading.tripped, reading.calm) == (tripped, not tripped)
    assert (reading.action, reading.way_back) == (Action.CANCEL_ENTRIES, WayBack.WHEN_CALM)


def test_what_cannot_be_known_is_not_read() -> None:
    """A simulation, or a log on a server elsewhere."""
    figures = GuardInput(now_ns=START_NS, equity=D(1), disk_free_gb_min=D("0.5"))
    assert list(read_disk(figures, BASELINES, RiskConfig())) == []
