"""A browser that tests drive: headless Chromium over its own debugging protocol, with nothing between.

Found as `CHROMIUM`, else as `chromium` (or one of its other names) on the path. Everything that the page asks for, says
on its console or fails at is kept.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--force-color-profile=srgb",
)
START_SECONDS_MAX: Final = 60
WAIT_SECONDS: Final = 30.0


def chromium() -> str:
    """Its path; the test is skipped, by name, where there is none."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium: install it, or name it by CHROMIUM")
    return found


class Tab:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.problems: list[str] = []
        """Errors and warnings of the console, exceptions, and what could not be loaded."""
        self.requests: list[str] = []
        """Every address that was asked for."""
        self.statuses: dict[str, int] = {}

    async def say(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._numbers += 1
        number = self._numbers
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(
            json.dumps({"id": number, "method": method, "params": parameters, "sessionId": self._session})
        )
        return await asyncio.wait_for(self._answers[number], WAIT_SECONDS)

    def hear(self, message: dict[str, Any]) -> None:
        """What the browser says of this page."""
        if message.get("id") in self._answers:
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(RuntimeError(str(message["error"])))
            else:
                answer.set_result(message["result"])
            return
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
                words = [str(each.get("value", each.get("description"))) for each in told["args"]]
                self.problems.append(f"console {told['type']}: {' '.join(words)}")
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.problems.append(f"exception: {details.get('exception', details).get('description', details)}")
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                self.problems.append(
                    f"log {told['entry']['level']}: {told['entry']['text']} {told['entry'].get('url')}"
                )
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Network.responseReceived":
                self.statuses[told["response"]["url"]] = told["response"]["status"]
            case _:
                return

    async def open(self, url: str) -> None:
        """Go there; returns when the document has come."""
        answer = await self.say("Page.navigate", url=url)
        assert not answer.get("errorText"), answer

    async def script(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.say("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str, seconds: float = WAIT_SECONDS) -> Any:
        """The value of an expression as soon as it is a true one."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError, RuntimeError):  # the page is being changed
                if value := await self.script(expression):
                    return value
            if time.monotonic() > deadline:
                text = await self.script("document.body ? document.body.innerText : ''")
                raise AssertionError(f"never true: {expression}\n{self.problems[:5]}\n{text[:3000]}")
            await asyncio.sleep(0.05)

    async def text(self) -> str:
        """What a person reads."""
        said: str = await self.script("document.body.innerText")
        return said

    async def click(self, selector: str) -> None:
        """Once it is there."""
        await self.until(f"!!document.querySelector({json.dumps(selector)})")
        await self.script(f"document.querySelector({json.dumps(selector)}).click()")

    async def key(self, key: str) -> None:
        """One key, down and up."""
        text = {"text": key} if len(key) == 1 else {}
        await self.say("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        await self.say("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def type(self, selector: str, words: str) -> None:
        """Write into a field as a hand would."""
        await self.until(f"!!document.querySelector({json.dumps(selector)})")
        await self.script(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.say("Input.insertText", text=words)

    async def look(self, path: Path, *, width: int, height: int, dark: bool, whole: bool = False) -> None:
        """A picture of what a screen of this size shows, or of the whole page."""
        await self.sized(width, height, dark=dark)
        await asyncio.sleep(1.2)  # charts are drawn anew at the new size
        answer = await self.say("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    async def sized(self, width: int, height: int, *, dark: bool = False) -> None:
        """The screen."""
        await self.say(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.say("Emulation.setEmulatedMedia", features=features)


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Tab]:
    """An empty page of a browser of its own, with nothing kept from before."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [chromium(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = await _address(Path(folder) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
                yield_tab, listening = await _tab(socket)
                try:
                    yield yield_tab
                finally:
                    listening.cancel()
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS_MAX)


async def _address(path: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        assert process.poll() is None, "Chromium did not start"
        assert time.monotonic() < deadline, "Chromium does not listen"
        await asyncio.sleep(0.05)


async def _tab(socket: aiohttp.ClientWebSocketResponse) -> tuple[Tab, asyncio.Task[None]]:
    await socket.send_str(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
    target = (await _answer(socket, 1))["targetId"]
    attach = {"targetId": target, "flatten": True}
    await socket.send_str(json.dumps({"id": 2, "method": "Target.attachToTarget", "params": attach}))
    tab = Tab(socket, (await _answer(socket, 2))["sessionId"])

    async def listen() -> None:
        async for message in socket:
            tab.hear(json.loads(message.data))

    listening = asyncio.get_running_loop().create_task(listen())
    for domain in ("Page", "Runtime", "Network", "Log"):
        await tab.say(f"{domain}.enable")
    return tab, listening


async def _answer(socket: aiohttp.ClientWebSocketResponse, number: int) -> dict[str, Any]:
    while True:
        message = json.loads((await socket.receive()).data)
        if message.get("id") == number:
            found: dict[str, Any] = message["result"]
            return found
