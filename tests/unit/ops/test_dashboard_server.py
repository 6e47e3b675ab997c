"""What does the wire let in? The whole server over a socket: who may ask, how much, and how slowly."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from tests.house_under_test import House, a_house

from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.dashboard.access import BODY_BYTES_MAX, COOKIE, Gate, Scope
from gpt_trader.ops.dashboard.house import Runs
from gpt_trader.ops.dashboard.listening import Wanted, check_address
from gpt_trader.ops.dashboard.server import create_app, open_server

TOKENS = {Scope.READ: "r" * 43, Scope.CONTROL: "c" * 43}
PATIENCE_SECONDS = 0.5
WAIT_SECONDS = 30


class Served:
    """A dashboard that listens, and requests to it."""

    def __init__(self, port: int, gate: Gate) -> None:
        self.port = port
        self.gate = gate
        self.host = f"127.0.0.1:{port}"

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        connection.request(method, path, body, {"Host": self.host, **(headers or {})})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        return answer.status, answer.headers, said

    def session(self, scope: Scope = Scope.CONTROL) -> dict[str, str]:
        cookie = self.gate.log_in(TOKENS[scope])
        assert isinstance(cookie, str)
        return {"Cookie": f"{COOKIE}={cookie}"}

    def raw(self, text: bytes) -> socket.socket:
        """A connection on which so much was said."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)
        line.sendall(text)
        return line


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One run that was begun."""
    folder = tmp_path_factory.mktemp("home") / "runs" / "a-run"
    folder.mkdir(parents=True)
    with a_house(folder) as made:
        made.store.flush()
        yield made


@pytest.fixture(scope="module")
def served(house: House) -> Iterator[Served]:
    """The server that `gpt-trader dashboard` starts, with little patience."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clock = SystemClock()
    gate = Gate(TOKENS, check_address(Wanted(port=port)), clock)
    with Runs(house.folder.parent.parent, clock) as runs:
        server = open_server(create_app(runs, gate), "127.0.0.1", port, patience_seconds=PATIENCE_SECONDS)
        serving = threading.Thread(target=server.run, daemon=True)
        serving.start()
        yield Served(port, gate)
        server.end()
        serving.join(WAIT_SECONDS)


def test_a_page_is_served_to_who_is_logged_in(served: Served) -> None:
    """With headers that let no script of elsewhere run, and nobody frame or keep the page."""
    status, headers, said = served.ask("GET", "/run/a-run/overview", served.session())

    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    scripts = re.search("script-src ([^;]*)", policy)
    assert scripts
    assert all(source == "'self'" or source.startswith("'sha256-") for source in scripts[1].split())
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers
    assert b"https://" not in said


@pytest.mark.parametrize(
    "path", ["/", "/run/a-run/overview", "/_dash-layout", "/_dash-dependencies", "/assets/dashboard.js", "/_mcp"]
)
def test_without_a_session_there_is_nothing(served: Served, path: str) -> None:
    """Not even the names of runs; browsers are sent to the form."""
    status, _, said = served.ask("GET", path)
    assert (status, said) == (401, b"log in first\n")

    status, headers, _ = served.ask("GET", path, {"Accept": "text/html"})
    assert (status, headers["Location"]) == (302, "/login")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({}, 403),
        ({"Origin": "own", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "own", "Upgrade": "websocket", "Connection": "Upgrade"}, 400),
    ],
    ids=["host", "origin", "no origin", "cross-site", "websocket"],
)
def test_a_request_of_elsewhere_does_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    """With a cookie that is right: it is the browser that was tricked."""
    told = {name: f"http://{served.host}" if value == "own" else value for name, value in headers.items()}
    body = b'{"output": "answer.children"}'
    answer, _, _ = served.ask(
        "POST",
        "/_dash-update-component",
        {**served.session(), "Content-Type": "application/json", **told},
        body,
    )

    assert answer == status


def test_an_oversized_body_is_refused_before_it_is_read(served: Served) -> None:
    """By its length, and by its bytes where it lies about it."""
    head = (
        f"POST /_dash-update-component HTTP/1.1\r\nHost: {served.host}\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n"
    )
    with served.raw(head.encode()) as line:
        assert b" 413 " in line.recv(64)

    chunked = f"POST /login HTTP/1.1\r\nHost: {served.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served.raw(chunked.encode()) as line:
        size = BODY_BYTES_MAX + 1
        line.sendall(f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n")
        assert b" 413 " in line.recv(64)


def test_a_client_that_is_slow_is_dropped_and_others_are_served(served: Served) -> None:
    """A byte now and then keeps no connection open, and holds up nobody."""
    with served.raw(b"GET / HTTP/1.1\r\nHost: ") as line:
        assert served.ask("GET", "/login")[0] == 200
        deadline = time.monotonic() + WAIT_SECONDS
        line.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                line.sendall(b"x")
                if line.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it was never dropped")


def test_the_form_lets_in_who_knows_a_token(served: Served) -> None:
    """Into a cookie that no script can read and no other page sends."""
    form = {"Origin": f"http://{served.host}", "Content-Type": "application/x-www-form-urlencoded"}
    status, headers, said = served.ask("POST", "/login", form, b"token=wrong")
    assert (status, headers["Set-Cookie"]) == (403, None)
    assert b"neither of the tokens" in said

    status, headers, _ = served.ask("POST", "/login", form, f"token={TOKENS[Scope.READ]}".encode())
    assert status == 303
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]


def test_a_link_opens_one_session_and_leads_nowhere_else(served: Served) -> None:
    """The address may be seen by others later."""
    code = served.gate.code(Scope.CONTROL)
    status, headers, _ = served.ask("GET", f"/login?code={code}&to=https://evil.example/")
    assert (status, headers["Location"]) == (303, "/")
    assert served.ask("GET", f"/login?code={code}")[0] == 403


def test_who_is_logged_out_is_out(served: Served) -> None:
    """The cookie is worth nothing any more."""
    session = served.session()
    served.ask("POST", "/logout", {**session, "Origin": f"http://{served.host}"})

    assert served.ask("GET", "/", session)[0] == 401


def test_nothing_was_told_to_the_bot(served: Served, house: House) -> None:
    """All of that, and its log says nothing of it."""
    assert served.port
    assert "OperatorCommanded" not in {type(recorded.event).__name__ for recorded in house.store.read()}


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Wanted(port=1, bind="0.0.0.0"), "say how browsers reach it"),
        (Wanted(port=1, bind="0.0.0.0", urls=("http://bot.example.com",)), "tokens would travel in the clear"),
        (Wanted(port=1, bind="everywhere"), "no address"),
        (Wanted(port=1, urls=("bot.example.com",)), "no address of a page"),
    ],
    ids=["no url", "plain", "bind", "url"],
)
def test_an_address_that_is_not_safe_is_refused_by_name(wanted: Wanted, problem: str) -> None:
    """Loopback only, unless told otherwise, and then over TLS unless told that it may be without."""
    with pytest.raises(ConfigError, match=problem):
        check_address(wanted)
