"""Days that once broke a promise, shrunk to what was needed for it: they stay whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulation.planted import with_bug

from gpt_trader.core.errors import ConfigError
from gpt_trader.research.bad_days.day import DayEnd, live_through
from gpt_trader.research.bad_days.drawing import draw_day
from gpt_trader.research.bad_days.scenario import Scenario, Step, StepKind, read_scenario, write_scenario
from gpt_trader.research.bad_days.shrinking import shrink

FOLDER = Path(__file__).parent / "regressions"
KEPT = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_day_breaks_no_promise(path: Path) -> None:
    """What was mended stays mended."""
    assert live_through(read_scenario(path)).violations == ()


@pytest.mark.long
@pytest.mark.parametrize("path", [path for path in KEPT if "--" in path.stem], ids=lambda path: path.stem)
def test_a_kept_day_still_shows_its_bug(path: Path) -> None:
    """With the mend taken out again the day breaks as it did: the file is named after the planted bug.

    `pytest -m long tests/simulation/test_regressions.py`, some seconds.
    """
    with with_bug(path.stem.partition("--")[0]):
        assert live_through(read_scenario(path)).violations


def test_a_failing_day_is_shrunk() -> None:
    """Of a whole day only what is needed is left, and it breaks the same promise."""
    with with_bug("fill_counted_twice"):
        day = draw_day(0)
        broken = live_through(day).violations[0]
        small = shrink(day, broken.number, trials_max=60)

        assert live_through(small).violations[0].number == broken.number
    assert len(small.steps) <= 3
    assert len(small.wire) == 0
    assert len(small.crashes) == 0


def test_nothing_to_shrink_is_left_as_it_is() -> None:
    """A day that breaks nothing is given back."""
    day = Scenario(seed=1, minutes=2, steps=(Step(at_ms=70_000, kind=StepKind.ENTRY),))

    def sound(_: Scenario) -> DayEnd:
        return DayEnd(
            seed=1,
            violations=(),
            orders=1,
            events=1,
            boots=1,
            crashes=0,
            effects=0,
            virtual_seconds=1,
            fault_kinds=(),
            digest="",
        )

    assert shrink(day, 3, play=sound) == day


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no scenario of a bad day"),
        ('{"version": 99, "seed": 1}', "version = 99"),
        ('{"seed": "one"}', "seed"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The error names the file and what is wrong with it."""
    path = tmp_path / "day.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match=said):
        read_scenario(path)


def test_a_scenario_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field comes back."""
    day = draw_day(3)
    write_scenario(tmp_path / "day.json", day)

    assert read_scenario(tmp_path / "day.json") == day
