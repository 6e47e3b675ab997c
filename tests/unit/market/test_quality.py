"""Is every flaw found where it was put, and none where there is none?"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.quality import FINDINGS, Finding, Verdict, inspect
from gpt_trader.market.quality_flaws import Limits
from gpt_trader.market.rows import BAR, CLEAR, INDEX, LEVEL, QUOTE, STATUS, TRADE
from gpt_trader.market.stream import Rows

SOUND_BOOK = ((CLEAR,), (LEVEL, 1, 0, 99, 5), (LEVEL, -1, 0, 101, 5))


def findings(rows: Rows, *, limits: Limits | None = None, chunk_rows: int = 1 << 20) -> dict[str, Finding]:
    report = inspect(ArrayStream([a_product()], rows, chunk_rows=chunk_rows), limits)
    return {finding.code: finding for finding in report.findings}


def walk(count: int, *, seed: int = 1, step: int = 3) -> list[int]:
    """Closes of a quiet random walk around 10,000 ticks."""
    moves = np.random.default_rng(seed).integers(-step, step + 1, count)
    return [int(close) for close in 10_000 + np.cumsum(moves)]


def changed(rows: Rows, at: int, **values: int) -> Rows:
    other = rows.copy()
    for name, value in values.items():
        other[name][at] = value
    return other


def a_book(*changes: tuple[int, ...], step_ns: int = NS) -> Rows:
    """A snapshot, whole at once, and what follows it a step apart."""
    rows = some_rows(*SOUND_BOOK, *changes, step_ns=step_ns)
    rows["ts"][:3] = rows["ts"][2]
    rows["recv"] = rows["ts"]
    return rows


BARS = some_bars(*walk(50))
TICKS = a_book(*((TRADE, 1, 0, 100, n + 1) for n in range(10)))


@pytest.mark.parametrize("rows", [BARS, TICKS, some_bars(*walk(3000))])
def test_sound_market_has_no_findings(rows: Rows) -> None:
    """Otherwise nobody would read them."""
    assert findings(rows) == {}


@pytest.mark.parametrize(
    ("rows", "code", "says"),
    [
        (changed(BARS, 7, ts=MINUTE_NS), "time_reversal", "2025-06-16 00:00:00.000Z after 2025-06-16 00:06:00.000Z"),
        (changed(BARS, 7, recv=MINUTE_NS), "receive_reversal", "after"),
        (changed(BARS, 7, kind=99), "unknown_row", "kind 99"),
        (changed(BARS, 7, product=1), "unknown_row", "product 1"),
        (changed(TICKS, 4, side=2), "unknown_row", "side 2"),
        (changed(BARS, 7, b=1), "bar_shape", "b = 1"),
        (changed(BARS, 7, c=0), "bad_number", "c = 0"),
        (changed(BARS, 7, e=-1), "bad_number", "e = -1"),
        (changed(TICKS, 5, b=0), "bad_number", "b = 0"),
        (changed(TICKS, 5, a=-5), "bad_number", "a = -5"),
        (some_rows((INDEX, 0, 0, 0)), "bad_number", "a = 0"),
        (some_rows((STATUS, 0, 0, 5)), "bad_number", "a = 5"),
        (changed(BARS, 7, ts=int(BARS["ts"][6])), "duplicate_bar", "two bars close at 2025-06-16 00:06"),
        (changed(BARS, 49, ts=int(BARS["ts"][49]) + NS), "uneven_bar", "61 s after 2025-06-16 00:48"),
        (some_rows((LEVEL, 1, 0, 99, 5), (LEVEL, -1, 0, 101, 5)), "no_snapshot", "2025-06-15"),
        (some_rows((QUOTE, 0, 0, 101, 1, 101, 1)), "crossed_quote", "bid 505, ask 505"),
    ],
)
def test_flaw_is_found_and_shown(rows: Rows, code: str, says: str) -> None:
    """With the case in words."""
    found = findings(rows)

    assert says in found[code].example
    assert found[code].count == 1


def test_verdict_and_meaning_come_with_the_code() -> None:
    """A code keeps its verdict."""
    found = findings(changed(BARS, 7, ts=MINUTE_NS))["time_reversal"]

    assert (found.verdict, found.meaning) == FINDINGS["time_reversal"]
    assert found.verdict is Verdict.REFUSE


def test_missing_bars_are_counted() -> None:
    """All of them, with the longest hole."""
    rows = BARS.copy()
    rows["ts"][10:] += 3 * 60 * NS
    rows["ts"][20:] += 60 * NS

    found = findings(rows)["missing_bars"]

    assert found.count == 4
    assert found.example == "the longest: 3 after 2025-06-16 00:09:00.000Z"


def test_stretch_without_volume_is_marked() -> None:
    """From its first bar, when it is long enough."""
    rows = BARS.copy()
    rows["e"][5:15] = 0

    assert findings(rows, limits=Limits(no_volume_bars=11)) == {}
    found = findings(rows, limits=Limits(no_volume_bars=10))["no_volume"]
    assert (found.count, found.first_ns) == (10, int(rows["ts"][5]))


def test_repeated_trade_is_marked() -> None:
    """Equal in time, price, quantity and side."""
    found = findings(np.concatenate([TICKS, TICKS[-1:]]))

    assert found["duplicate_trade"].count == 1


def test_silence_is_marked() -> None:
    """How long, and until when."""
    rows = TICKS.copy()
    rows["ts"][8:] += 20 * NS
    rows["recv"] = rows["ts"]

    assert findings(rows)["silence"].example.startswith("the longest: 21.0 s before 2025-06-15")
    assert findings(rows, limits=Limits(silence_seconds=30)) == {}


def test_book_that_stays_crossed_is_refused() -> None:
    """Two seconds are no moment: changes are missing."""
    rows = a_book((LEVEL, 1, 0, 101, 1), (TRADE, 1, 0, 101, 1), (LEVEL, -1, 0, 101, 0), (LEVEL, -1, 0, 102, 1))

    found = findings(rows)["crossed_book"]

    assert found.verdict is Verdict.REFUSE
    assert found.example == "the longest: 2.000000 s from 2025-06-15 15:06:43.000Z, bid 505, ask 505"


def test_book_that_is_crossed_for_a_moment_is_marked() -> None:
    """It rests crossed, but not for long."""
    rows = a_book((LEVEL, 1, 0, 101, 1), (LEVEL, -1, 0, 101, 0), (LEVEL, -1, 0, 102, 1), step_ns=NS // 10)

    assert {code: found.verdict for code, found in findings(rows).items()} == {
        "crossed_moment": Verdict.MARK,
        "empty_side": Verdict.MARK,
    }


def test_book_is_judged_when_it_rests() -> None:
    """What is put right at the same moment was never crossed."""
    rows = a_book((LEVEL, 1, 0, 101, 1), (LEVEL, -1, 0, 101, 0), (LEVEL, -1, 0, 102, 1), (TRADE, 1, 0, 102, 1))
    rows["ts"][3:6] = rows["ts"][3]

    assert findings(rows) == {}


def test_empty_side_is_marked() -> None:
    """With the longest time of it."""
    rows = a_book(
        (LEVEL, -1, 0, 101, 0),
        (TRADE, 1, 0, 101, 1),
        (TRADE, 1, 0, 101, 2),
        (LEVEL, -1, 0, 102, 1),
        (TRADE, 1, 0, 102, 1),
    )

    found = findings(rows)

    assert found["empty_side"].count == 1
    assert found["empty_side"].example == "the longest: 3.000 s from 2025-06-15 15:06:43.000Z"


def test_jump_is_marked() -> None:
    """A hundred deviations in one bar, told with its size."""
    closes = walk(500)
    closes[300:] = [close + 400 for close in closes[300:]]

    found = findings(some_bars(*closes))

    assert [*found] == ["jump"]
    assert found["jump"].count == 1
    assert "50,150 to 52,135 (+3.96%, 131 deviations) at 2025-06-16 05:00" in found["jump"].example


def test_many_outliers_do_not_hide_one_another() -> None:
    """A deviation that outliers move would grow with them; this one does not."""
    closes = walk(2000)
    shifts = np.cumsum(np.where(np.arange(2000) % 100 == 50, 500, 0)).tolist()

    found = findings(some_bars(*(close + shift for close, shift in zip(closes, shifts, strict=True))))

    assert found["jump"].count == 20


def test_price_that_comes_back_at_once_is_refused() -> None:
    """A digit too many is no trade."""
    closes = walk(500)
    closes[300] *= 10

    found = findings(some_bars(*closes))["broken_print"]

    assert found.verdict is Verdict.REFUSE
    assert re.search(r"\(\+(89|90)\d\.\d\d%", found.example)
    assert found.first_ns == MINUTE_NS + 300 * 60 * NS


def test_wick_far_outside_the_body_is_marked() -> None:
    """A high that no close ever came near."""
    rows = changed(some_bars(*walk(500)), 300, b=14_000)

    found = findings(rows)

    assert [*found] == ["spike"]


def test_jump_of_trades_is_seen_by_the_second() -> None:
    """Ticks inside a second are no returns of their own."""
    prices = walk(200)
    prices[150:] = [price + 1000 for price in prices[150:]]
    rows = some_rows(*((TRADE, 1, 0, price, n % 7 + 1) for n, price in enumerate(prices)))

    assert findings(rows)["jump"].count == 1


def test_price_between_the_steps_is_marked() -> None:
    """Nearly all on a coarse grid, one between."""
    closes = [close * 10 for close in walk(500)]
    closes[250] += 5

    found = findings(some_bars(*closes))

    assert "between steps of 50" in found["off_grid"].example
    assert found["off_grid"].first_ns == MINUTE_NS + 250 * 60 * NS


def test_a_grid_with_many_prices_between_is_no_grid() -> None:
    """Prices that lie anywhere are simply prices."""
    assert "off_grid" not in findings(some_bars(*walk(500)))


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_findings_do_not_depend_on_the_pieces(chunk_rows: int) -> None:
    """The same rows, the same report."""
    closes = [close * 10 for close in walk(3000)]
    closes[1500:] = [close + 9000 for close in closes[1500:]]
    closes[700] += 5
    closes[2048] *= 3
    rows = some_bars(*closes)
    rows["e"][1000:1100] = 0
    rows["ts"][2000:] += 600 * NS
    whole, pieces = (ArrayStream([a_product()], rows, chunk_rows=size) for size in (1 << 20, chunk_rows))

    assert inspect(pieces) == inspect(whole)
    assert {"jump", "no_volume", "missing_bars", "broken_print", "off_grid"} <= {
        each.code for each in inspect(whole).findings
    }


def test_each_product_is_judged_by_itself() -> None:
    """A flaw names its product."""
    rows = np.concatenate([some_bars(*walk(40)), some_bars(*walk(40), product=1)])
    rows = rows[np.argsort(rows["ts"], kind="stable")]
    bad = np.flatnonzero((rows["product"] == 1) & (rows["kind"] == BAR))[5]
    report = inspect(ArrayStream([a_product(), a_product(symbol="ETH-PERP")], changed(rows, int(bad), c=0)))

    assert {(each.symbol, each.code) for each in report.findings} == {("ETH-PERP", "bad_number")}


def test_report_counts_the_kinds() -> None:
    """By name."""
    report = inspect(ArrayStream([a_product()], TICKS))

    assert (report.rows, report.kinds) == (13, {"LEVEL": 2, "CLEAR": 1, "TRADE": 10})


def test_refusals_come_first() -> None:
    """What ends the matter is read first."""
    rows = BARS.copy()
    rows["ts"][10:] += 120 * NS
    report = inspect(ArrayStream([a_product()], changed(rows, 20, c=0)))

    assert [each.verdict for each in report.findings] == [Verdict.REFUSE, Verdict.MARK]
    assert [each.code for each in report.refused] == ["bad_number"]


@pytest.mark.parametrize("code", FINDINGS)
def test_finding_makes_a_sentence(code: str) -> None:
    """For the notes of everything that is made from the market."""
    verdict, _ = FINDINGS[code]
    values: dict[str, Any] = {"verdict": verdict, "symbol": "BTC-PERP", "count": 1234, "first_ns": MINUTE_NS}
    finding = Finding(code=code, example="as shown", **values)

    assert finding.sentence() == f"BTC-PERP: {code} (1,234), from 2025-06-16 00:00:00.000Z: as shown."


def test_pairs_of_builders_agree() -> None:
    """Bars of the builder are joined: each opens where the one before closed."""
    assert all(int(one["d"]) == int(other["a"]) for one, other in itertools.pairwise(BARS))


def test_every_finding_is_documented_with_its_verdict() -> None:
    """The table of docs/data.md is what people read before they trust data."""
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf8")
    told = {
        code: verdict
        for codes, verdict in re.findall(r"^\| (`[^|]+`) \| (refuse|mark) \|", page, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }

    assert told == {code: verdict.value for code, (verdict, _) in FINDINGS.items()}
