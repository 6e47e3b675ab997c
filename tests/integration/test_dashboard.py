"""Is the dashboard what a person needs? A real bot, the real command, and headless Chromium.

Long: `make test ARGS="-m long tests/integration/test_dashboard.py"`, some two minutes. Needs Chromium, or CHROMIUM that
names it. The pictures it takes lie in build/dashboard/ afterwards; those of docs/dashboard.md are made so.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

import pytest
from tests.chromium import Tab, browser, chromium
from tests.command_line import TIMEOUT_SECONDS, a_home, command, events_of, of_type, started
from tests.conftest import ROOT

from gpt_trader.ops.asking import Running, running_bots

pytestmark = pytest.mark.long

T = TypeVar("T")
PICTURES: Final = ROOT / "build" / "dashboard"
SCREENS: Final = (
    ("overview-light", 1440, 1000, False),
    ("overview-dark", 1440, 1000, True),
    ("overview-phone", 390, 844, True),
)
"""Those of the documentation: one screen each."""
LOADS_MAX: Final = 25
"""What else the machine does must not count: one of so many must be quick."""
LOAD_SECONDS_MAX: Final = 2.0
WORD_SECONDS_MAX: Final = 1.0
FLAT_SECONDS_MAX: Final = 15.0
"""Of the market tactic, with the five seconds beyond it."""


@dataclass(frozen=True)
class Cockpit:
    """A running bot and a dashboard beside it."""

    home: Path
    bot: Running
    url: str

    @property
    def page(self) -> str:
        return f"{self.url}/run/{self.bot.name}"

    def token(self, scope: str) -> str:
        return (self.home / "dashboard" / f"{scope}.token").read_text().strip()

    def commanded(self) -> list[str]:
        """The words that the bot was told, in order."""
        log = events_of(self.bot.folder / "events.sqlite")
        return [event["command"] for event in of_type(log, "OperatorCommanded")]


@pytest.fixture(scope="module")
def cockpit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cockpit]:
    """The newcomer's bot, quick and with orders that rest, and `gpt-trader dashboard`; ended whatever happens."""
    chromium()
    home = a_home(tmp_path_factory.mktemp("cockpit"))
    env = {"GPT_TRADER_HOME": str(home)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--symbols", "BTC-PERP,ETH-PERP", "--duration", "5d", "--pace", "150x", "--seed", "3", "--json")
    resting = {"GPT_TRADER_STRATEGY__ENTRY_TACTIC": "post_only_chase", "RISK_ENABLE_PROTECTIVE_STOPS": "true"}
    bot = started("run", *words, env=env | resting)
    shown = started("dashboard", "--port", str(port), env=env)
    try:
        found = _until(lambda: list(running_bots(home)), bot)
        _until(lambda: _listens(port), shown)
        yield Cockpit(home, found[0], f"http://127.0.0.1:{port}")
    finally:
        for process in (shown, bot):
            process.kill()
            process.communicate()


def _until(look: Callable[[], T], process: subprocess.Popen[str]) -> T:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (seen := look()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return seen


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def look(act: Callable[[Tab], Awaitable[None]]) -> Tab:
    """Do something in a browser of its own; whatever went wrong in the page is in what is returned."""

    async def main() -> Tab:
        async with browser() as tab:
            await tab.sized(1440, 1000)
            await act(tab)
            return tab

    return asyncio.run(main())


async def log_in(tab: Tab, cockpit: Cockpit, scope: str = "control") -> None:
    """As a person does, at the form."""
    await tab.open(f"{cockpit.page}/overview")
    await tab.until("location.pathname === '/login' && !!document.querySelector('#token')")
    await tab.type("#token", cockpit.token(scope))
    await tab.click("button")
    await tab.until("location.pathname === '/'")


async def shown(tab: Tab, cockpit: Cockpit, page: str) -> None:
    """One page, with its first content."""
    await tab.open(f"{cockpit.page}/{page}")
    await tab.until("document.querySelectorAll('main .card, main .tile').length > 0")


def test_it_loads_at_once_lives_and_asks_nobody_else(cockpit: Cockpit) -> None:
    """Under two seconds to figures and pictures; new figures come by themselves; no error, no warning, no stranger."""
    loads: list[float] = []

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit)
        while len(loads) < LOADS_MAX and min(loads, default=LOAD_SECONDS_MAX) >= LOAD_SECONDS_MAX:
            began = time.monotonic()
            await shown(tab, cockpit, "overview")
            await tab.until("document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length > 1")
            loads.append(time.monotonic() - began)
        moment = await tab.until("document.getElementById('market-time')?.innerText")
        await tab.until(f"document.getElementById('market-time').innerText > {json.dumps(moment)}")
        points = "document.querySelectorAll('.js-plotly-plot')[0].data[0].x.length"
        before = await tab.until(points)
        await tab.until(f"{points} > {before}", seconds=60)

    tab = look(act)

    assert tab.problems == []
    strangers = [url for url in tab.requests if not url.startswith((cockpit.url, "data:", "blob:", "about:"))]
    assert strangers == []
    assert min(loads) < LOAD_SECONDS_MAX, loads


def test_every_page_is_there_by_keyboard_and_by_day_and_night(cockpit: Cockpit) -> None:
    """Seven keys for seven pages; a picture of each, wide and narrow, light and dark."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit)
        await shown(tab, cockpit, "overview")
        enough = "document.querySelectorAll('.live-latest .line .up').length >= 8"
        steered = "/REDUCE_ONLY|CANCEL_ONLY|ended/.test(document.body.innerText)"  # by a test before, so nothing comes
        await tab.until(f"{enough} || {steered}", seconds=240)
        for name, width, height, dark in SCREENS:
            await tab.look(PICTURES / f"dashboard-{name}.png", width=width, height=height, dark=dark)
        for number, page in enumerate(("overview", "decisions", "orders", "guards", "costs", "control", "events"), 1):
            await tab.sized(1440, 1000)
            await tab.script("document.activeElement.blur()")
            await tab.key(str(number))
            await tab.until(f"location.pathname.endsWith('/{page}')")
            await tab.until("document.querySelectorAll('main .card').length > 0")
            for dark in (False, True):
                tone = "dark" if dark else "light"
                await tab.look(PICTURES / f"{page}-1440-{tone}.png", width=1440, height=1000, dark=dark, whole=True)
                await tab.look(PICTURES / f"{page}-390-{tone}.png", width=390, height=844, dark=dark, whole=True)
                assert await tab.script("document.documentElement.classList.contains('dark')") is dark
                assert await tab.script("document.documentElement.scrollWidth") <= 390, page
        await tab.key("?")
        await tab.until("!document.getElementById('help').hidden")
        await tab.key("Escape")
        await tab.until("document.getElementById('help').hidden")

    assert look(act).problems == []


def test_a_decision_tells_its_whole_story(cockpit: Cockpit) -> None:
    """The words of `gpt-trader explain`, one click away."""

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit)
        await shown(tab, cockpit, "decisions")
        intent = await tab.until("document.querySelector('a.why')?.title")
        await tab.click("a.why")
        await tab.until("!!document.querySelector('.why-card')")
        await tab.look(PICTURES / "dashboard-why.png", width=1440, height=1000, dark=False)
        told = await tab.text()
        told_by_command = command(
            "explain", intent, "--run", cockpit.bot.name, env={"GPT_TRADER_HOME": str(cockpit.home)}
        )
        first = told_by_command.out.splitlines()[1].strip()
        assert " ".join(first.split()) in " ".join(told.split())

    PICTURES.mkdir(parents=True, exist_ok=True)
    assert look(act).problems == []


def test_who_may_look_only_finds_no_button(cockpit: Cockpit) -> None:
    """And a forged request of such a session does nothing either."""
    before = cockpit.commanded()

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit, "read")
        await shown(tab, cockpit, "control")
        assert "You may look" in await tab.text()
        assert await tab.script("document.querySelectorAll('button.control').length") == 0

    look(act)
    assert cockpit.commanded() == before


async def say(tab: Tab, cockpit: Cockpit, word: str, typed: str = "") -> float:
    """Press a button, fill in the sheet, press again; seconds until the bot has answered."""
    await tab.sized(1440, 1000)
    await shown(tab, cockpit, "control")
    await tab.until(f"[...document.querySelectorAll('button.control strong')].some(e => e.innerText === '{word}')")
    found = (
        f"[...document.querySelectorAll('button.control')].find(e => e.querySelector('strong').innerText === '{word}')"
    )
    await tab.script(f"{found}.click()")
    await tab.until("!document.getElementById('dialog').hidden && !!document.getElementById('do')")
    await tab.type("#reason", "tried by a test")
    if typed:
        await tab.type("#typed", typed)
    await asyncio.sleep(0.5)  # what was typed is told
    began = time.monotonic()
    await tab.click("#do")
    await tab.until("document.getElementById('answer').innerText.length > 0", seconds=60)
    return time.monotonic() - began


def test_the_bot_is_steered_and_the_dangerous_words_must_be_typed(cockpit: Cockpit) -> None:
    """Reduce-only at once; kill and flatten by the run's name; out, and proven so at the venue."""
    seconds: dict[str, float] = {}

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit)
        seconds["reduce-only"] = await say(tab, cockpit, "reduce-only")
        await tab.until("document.body.innerText.includes('REDUCE_ONLY')")
        await say(tab, cockpit, "kill", "something else")
        assert "not confirmed" in await tab.script("document.getElementById('answer').innerText")
        assert "kill" not in cockpit.commanded()
        seconds["kill"] = await say(tab, cockpit, "kill", cockpit.bot.name[:12])
        assert "kill" in cockpit.commanded()
        await say(tab, cockpit, "mode NORMAL", cockpit.bot.name)
        seconds["flatten"] = await say(tab, cockpit, "flatten", cockpit.bot.name)
        said = await tab.script("document.getElementById('answer').innerText")
        assert "Done." in said, said
        await tab.look(PICTURES / "dashboard-flatten.png", width=1440, height=900, dark=False)

    PICTURES.mkdir(parents=True, exist_ok=True)
    assert look(act).problems == []
    status = cockpit.bot.tell("status")
    assert status["positions"] == {}
    assert cockpit.commanded() == ["mode", "kill", "mode", "flatten"]
    assert seconds["reduce-only"] < WORD_SECONDS_MAX, seconds
    assert seconds["kill"] < WORD_SECONDS_MAX, seconds
    assert seconds["flatten"] < FLAT_SECONDS_MAX, seconds


def test_an_ended_run_is_shown_like_a_running_one(cockpit: Cockpit) -> None:
    """From its log and its market: the same equity that the summary had."""
    done = command("run", "--duration", "4h", "--json", "--seed", "5", env={"GPT_TRADER_HOME": str(cockpit.home)})
    assert done.code == 0
    name = Path(done.summary["store"]).parent.name

    async def act(tab: Tab) -> None:
        await log_in(tab, cockpit)
        await tab.until(f"document.body.innerText.includes({json.dumps(name)})")
        await tab.open(f"{cockpit.url}/run/{name}/overview")
        equity = await tab.until("document.querySelector('.tile .value')?.innerText")
        assert re.fullmatch(r"[\d,]+\.\d\d", equity)
        assert abs(Decimal(equity.replace(",", "")) - Decimal(done.summary["equity_end"])) < 1
        await tab.until("document.querySelectorAll('.js-plotly-plot')[1].data[0].x.length > 200")

    assert look(act).problems == []
