"""Is the synthetic market fair, repeatable, and a market at all?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market import synthetic_kernel as kernel
from gpt_trader.market.compiled import jit
from gpt_trader.market.rows import CLEAR, FUNDING, INDEX, LEVEL, TRADE
from gpt_trader.market.stream import Rows
from gpt_trader.market.synthetic import START_NS, SyntheticMarket, fair_prices

HOUR: Final = 3600
DAY: Final = 24 * HOUR
SEEDS: Final = range(10)
Floats = NDArray[np.float64]


def a_market(*symbols: str, seed: int = 7, duration_seconds: int = HOUR, **options: Any) -> SyntheticMarket:
    return SyntheticMarket(symbols or ("BTC-PERP",), seed=seed, duration_seconds=duration_seconds, **options)


def rows_of(market: SyntheticMarket) -> Rows:
    return np.concatenate(list(market.chunks()))


@jit
def _tops(rows: Any, every_ns: Any, tops: Any, worst: Any) -> Any:
    """Best prices at each multiple of `every_ns`; `worst` counts crossed or shallow books after any row."""
    bids = np.zeros(200_000, np.int64)
    asks = np.zeros(200_000, np.int64)
    bid, ask, deep_bids, deep_asks, n = 0, 0, 0, 0, 0
    due = rows[0].ts + every_ns
    for i in range(len(rows)):
        row = rows[i]
        while row.ts > due:
            tops[n, 0], tops[n, 1] = bid, ask
            n += 1
            due += every_ns
        if row.kind != LEVEL:
            continue
        price = row.a
        if row.side > 0:
            deep_bids += (row.b > 0) - (bids[price] > 0)
            bids[price] = row.b
            bid = max(bid, price) if row.b > 0 else bid
            while deep_bids > 0 and bids[bid] == 0:
                bid -= 1
        else:
            deep_asks += (row.b > 0) - (asks[price] > 0)
            asks[price] = row.b
            ask = min(ask, price) if row.b > 0 and ask > 0 else max(ask, price) if ask == 0 else ask
            while deep_asks > 0 and asks[ask] == 0:
                ask += 1
        if i > 2 * kernel.LEVELS and (bid >= ask or deep_bids < 10 or deep_asks < 10):
            worst[0] += 1
    return n


def mids(market: SyntheticMarket, every_seconds: int = 60) -> tuple[Floats, int]:
    """Middle of the book in ticks at the end of each period, and how often the book was crossed or shallow."""
    tops = np.zeros((DAY, 2), np.int64)
    worst = np.zeros(1, np.int64)
    count = _tops(rows_of(market), every_seconds * NS, tops, worst)
    return tops[:count].mean(axis=1), int(worst[0])


def within_two_errors(results: list[float]) -> bool:
    """Is the mean over seeds indistinguishable from zero?"""
    return bool(abs(np.mean(results)) < 2 * np.std(results, ddof=1) / np.sqrt(len(results)))


# --- fair -------------------------------------------------------------------------------------------------------
def random_strategy(closes: Floats, seed: int) -> float:
    """Long, short or flat at random, for a random time: return before costs."""
    random = np.random.default_rng(seed)
    positions = np.repeat(random.integers(-1, 2, len(closes)), random.integers(1, 60, len(closes)))[: len(closes) - 1]
    return float((positions * np.diff(closes) / closes[:-1]).sum())


def crossover(closes: Floats, fast: int = 10, slow: int = 30) -> float:
    """Long above, short below: return before costs of a moving-average crossover."""
    mean = [np.convolve(closes, np.ones(n) / n, "full")[: len(closes)] for n in (fast, slow)]
    positions = np.sign(mean[0] - mean[1])[slow:-1]
    return float((positions * np.diff(closes)[slow:] / closes[slow:-1]).sum())


def test_random_strategy_earns_nothing_on_the_book() -> None:
    """Over ten seeds its mean PnL on mids, before costs, is within two standard errors of zero."""
    results = [random_strategy(mids(a_market(seed=seed, duration_seconds=DAY))[0], seed) for seed in SEEDS]

    assert within_two_errors(results)
    assert np.std(results) > 0.001


@pytest.mark.parametrize("symbol", ["BTC-PERP", "XRP-PERP"])
def test_following_the_trend_earns_nothing(symbol: str) -> None:
    """Trends exist, but each is paid for by the move that ends it: over sixty days a crossover has no edge."""
    closes = [fair_prices(symbol, seed=seed, duration_seconds=DAY)[239::240] for seed in range(100, 160)]

    assert within_two_errors([crossover(path) for path in closes])
    assert within_two_errors([-crossover(path, 3, 12) for path in closes])


def test_holding_earns_nothing() -> None:
    """The mean return of two hundred days is within three standard errors of zero: a martingale in price."""
    ends = [fair_prices("BTC-PERP", seed=seed, duration_seconds=DAY)[-1] / 60_000 - 1 for seed in range(200)]

    assert abs(np.mean(ends)) < 3 * np.std(ends) / np.sqrt(len(ends))


def test_ticks_bring_no_bias() -> None:
    """The mid of the book is above the fair price as often as below it, and never further than the spread."""
    market = a_market("SOL-PERP", duration_seconds=DAY)
    book, _ = mids(market, 1)
    fair = fair_prices("SOL-PERP", seed=7, duration_seconds=DAY)[3::4][: len(book)] / float(market.products[0].tick)
    gap = book - fair

    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    assert np.abs(gap).max() <= 0.5 + kernel.LEVELS


def world(steps: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Volatility and shocks of a long time, without the shape of the day."""
    volatility, shock = np.empty(steps), np.empty(steps)
    words = np.random.PCG64(seed).random_raw(steps)
    kernel.world_path(words, np.ones(steps), np.array([1, 0], np.int64), volatility, shock)
    return volatility, shock


def test_shocks_have_mean_zero_with_trends_and_jumps() -> None:
    """Forty days of steps: drift, its payment and the jumps cancel within three standard errors."""
    _, shock = world(40 * 345_600)

    assert abs(shock.mean()) < 3 * shock.std() / np.sqrt(len(shock))
    assert np.abs(shock).max() > kernel.JUMP_SIZE


def test_a_trend_is_paid_for_by_its_end() -> None:
    """Even who knows the hidden trend cannot expect it to go on: the ten minutes that follow have mean zero."""
    steps, state = 2400, np.array([1, 0], np.int64)
    words = np.random.PCG64(2)
    trends, moves = [], []
    for _ in range(6000):
        volatility, shock = np.empty(steps), np.empty(steps)
        trends.append(int(state[1]))
        kernel.world_path(words.random_raw(steps), np.ones(steps), state, volatility, shock)
        moves.append(shock.sum())
    followed = np.array(trends) * np.array(moves)
    followed = followed[followed != 0]

    assert len(followed) > 1000
    assert abs(followed.mean()) < 2.5 * followed.std() / np.sqrt(len(followed))


@pytest.mark.parametrize("wanted", [(0.45, 0.60), (0.9, 1.1), (2.5, 2.7)])
def test_volatility_has_three_regimes(wanted: tuple[float, float]) -> None:
    """Calm, normal and wild all occur, and calm is commoner than wild."""
    volatility, _ = world(20 * 345_600)
    low, high = wanted

    assert 0.005 < np.mean((volatility > low) & (volatility < high)) < 0.75


# --- repeatable -------------------------------------------------------------------------------------------------
def test_reading_twice_gives_the_same_rows() -> None:
    """A stream has no memory of having been read."""
    market = a_market("BTC-PERP", "ETH-PERP")

    assert rows_of(market).tobytes() == rows_of(market).tobytes()


def test_half_read_stream_starts_again() -> None:
    """Stopping in the middle does not disturb the next reader."""
    market = a_market()
    first = next(iter(market.chunks())).copy()

    assert next(iter(market.chunks())).tobytes() == first.tobytes()


def test_another_seed_is_another_market() -> None:
    """In rows and in digest."""
    one, two = a_market(seed=1), a_market(seed=2)

    assert one.digest != two.digest
    assert rows_of(one).tobytes() != rows_of(two).tobytes()


@pytest.mark.parametrize(
    "other",
    [
        lambda: a_market("ETH-PERP"),
        lambda: a_market(duration_seconds=HOUR + 1),
        lambda: a_market(start_ns=START_NS + NS),
        lambda: a_market(bar_seconds=5),
    ],
)
def test_digest_names_every_parameter(other: Callable[[], SyntheticMarket]) -> None:
    """What determines the rows or the bars is in the digest."""
    assert other().digest != a_market().digest


def test_longer_market_begins_the_same() -> None:
    """Only more of it: a run can be continued."""
    short, long = rows_of(a_market(duration_seconds=900)), rows_of(a_market(duration_seconds=HOUR))

    assert short.tobytes() == long[: len(short)].tobytes()


def test_a_product_does_not_depend_on_the_others() -> None:
    """Its rows are the same alone and in company."""
    alone, both = rows_of(a_market("ETH-PERP")), rows_of(a_market("BTC-PERP", "ETH-PERP"))
    mine = both[both["product"] == 1].copy()
    mine["product"] = 0

    assert alone.tobytes() == mine.tobytes()


SCRIPT: Final = """
import hashlib
from gpt_trader.market.synthetic import SyntheticMarket
market = SyntheticMarket(["BTC-PERP", "SOL-PERP"], seed=3, duration_seconds=300)
seen = hashlib.sha256(market.digest.encode())
for chunk in market.chunks():
    seen.update(chunk.tobytes())
print(seen.hexdigest())
"""


def test_processes_agree_whatever_their_hash_seed() -> None:
    """Two processes with different PYTHONHASHSEED make the same bytes."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


def test_set_up_step_compiles_what_is_called() -> None:
    """After it, no call has arguments of other types, so that nothing is compiled while a market runs."""
    for point in kernel.ENTRY_POINTS:
        point.function.compile(point.signature)
    rows_of(a_market("BTC-PERP", "ETH-PERP", duration_seconds=60))

    for point in kernel.ENTRY_POINTS:
        assert [point.signature] == list(point.function.signatures)


# --- a market ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("symbol", ["BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP"])
def test_book_is_never_crossed_and_ten_levels_deep(symbol: str) -> None:
    """After every single row of six hours."""
    _, bad = mids(a_market(symbol, duration_seconds=6 * HOUR))

    assert bad == 0


def test_rows_are_in_time_order_and_bounded() -> None:
    """Across products and chunks, and no chunk is large."""
    market = a_market("BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP")
    chunks = list(market.chunks())
    ts = np.concatenate([chunk["ts"] for chunk in chunks])

    assert (np.diff(ts) >= 0).all()
    assert market.start_ns == ts[0]
    assert ts[-1] <= market.end_ns
    assert max(map(len, chunks)) < 200_000


def test_opens_with_a_whole_book() -> None:
    """CLEAR, then sixteen levels a side."""
    opening = next(iter(a_market().chunks()))

    assert opening["kind"].tolist() == [CLEAR] + [LEVEL] * 2 * kernel.LEVELS


def test_trades_take_what_the_book_shows() -> None:
    """Each trade is followed by its level with what is left, on the other side of the aggressor."""
    rows = rows_of(a_market())
    at = np.flatnonzero(rows["kind"] == TRADE)
    after = rows[at + 1]

    assert len(at) > 1000
    assert (rows["b"][at] > 0).all()
    assert (after["kind"] == LEVEL).all()
    assert (after["a"] == rows["a"][at]).all()
    assert (after["side"] == -rows["side"][at]).all()


def test_sizes_of_trades_have_a_heavy_tail() -> None:
    """The largest of a day is far beyond the median."""
    rows = rows_of(a_market(duration_seconds=DAY))
    sizes = rows["b"][rows["kind"] == TRADE]

    assert sizes.max() > 30 * np.median(sizes)
    assert 0.45 < (rows["side"][rows["kind"] == TRADE] > 0).mean() < 0.55


def test_volume_follows_the_day() -> None:
    """More is traded when New York opens than in the small hours."""
    rows = rows_of(a_market(duration_seconds=DAY))
    trades = rows[rows["kind"] == TRADE]
    hours = np.bincount((trades["ts"] - START_NS) // (HOUR * NS), weights=trades["b"])

    assert hours[13:17].mean() > 1.3 * hours[3:7].mean()


def test_returns_of_minutes_have_fat_tails() -> None:
    """Excess kurtosis, and volatility that clusters."""
    closes = np.concatenate([fair_prices("BTC-PERP", seed=s, duration_seconds=DAY)[239::240] for s in SEEDS])
    returns = np.diff(np.log(closes))
    returns = returns[np.abs(returns) < 0.02]  # seams between the seeds
    size = np.abs(returns)

    assert ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2 > 4
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.1


def test_products_move_together() -> None:
    """Half an hour's returns of bitcoin and ether share most of their variance."""
    bitcoin, ether = (
        np.diff(np.log(fair_prices(symbol, seed=1, duration_seconds=2 * DAY)[:: 4 * 1800]))
        for symbol in ("BTC-PERP", "ETH-PERP")
    )

    assert 0.5 < np.corrcoef(bitcoin, ether)[0, 1] < 0.95


def test_funding_comes_on_the_hour_by_the_rule_of_the_venue() -> None:
    """0.75 x mean premium of twenty samples / 24 + 0.25 x the rate before, in 1e-12."""
    market = a_market(duration_seconds=3 * HOUR)
    rows = rows_of(market)
    funding, index = rows[rows["kind"] == FUNDING], rows[rows["kind"] == INDEX]
    book, _ = mids(market, 180)
    book = np.append(book, np.nan)[:60]  # the last sample lies at the end of the rows
    sampled = index["a"][(index["ts"] - START_NS) % (180 * NS) == 0] / (float(market.products[0].tick) * 1e8)
    premium = book[:40] / sampled[:40] - 1
    first = 0.75 * premium[:20].mean() / 24
    second = 0.75 * premium[20:40].mean() / 24 + 0.25 * first

    assert funding["ts"].tolist() == [START_NS + n * HOUR * NS for n in (1, 2, 3)]
    assert funding["a"][0] / 1e12 == pytest.approx(first, abs=2e-12)
    assert funding["a"][1] / 1e12 == pytest.approx(second, abs=2e-12)


def test_funding_changes_sign() -> None:
    """Longs pay in one hour, shorts in another."""
    rows = rows_of(a_market(duration_seconds=DAY))
    rates = rows["a"][rows["kind"] == FUNDING]

    assert len(rates) == 24
    assert rates.min() < 0 < rates.max()


def test_mark_is_left_to_the_venue() -> None:
    """Only book, trades, index and funding are told."""
    assert set(rows_of(a_market())["kind"].tolist()) == {CLEAR, LEVEL, TRADE, INDEX, FUNDING}


@pytest.mark.parametrize(
    ("symbols", "options", "says"),
    [
        ((), {}, "symbols: none given"),
        (("BTC-PERP", "BTC-PERP"), {}, "names one twice"),
        (("LUNA-PERP",), {}, "'LUNA-PERP' is not traded on the simulated venue"),
        (("BTC-PERP",), {"duration_seconds": 0}, "duration: 0 s"),
        (("BTC-PERP",), {"seed": -1}, "seed: -1"),
        (("BTC-PERP",), {"bar_seconds": 0}, "bar_seconds=0"),
        (("BTC-PERP",), {"start_ns": 1}, "start_ns=1"),
    ],
)
def test_what_cannot_be_made_is_refused(symbols: tuple[str, ...], options: dict[str, int], says: str) -> None:
    """Each setting is named with its value."""
    with pytest.raises(ConfigError, match=says):
        SyntheticMarket(symbols, **{"seed": 1, "duration_seconds": 60, **options})


def test_notes_say_that_nothing_can_be_earned() -> None:
    """A reader of results must not take luck for skill."""
    assert "before costs only luck earns" in a_market().notes[0]
