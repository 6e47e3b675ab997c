"""How is the dashboard put on the wire? A WSGI server with a limit on everything that a client could have too much of.

It runs at a lower priority than the bot beside it, keeps no log of requests, and answers nothing before the gate has
let it through.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dash import Dash
from flask import Flask, Response, make_response, redirect, request
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.dashboard.access import (
    BODY_BYTES_MAX,
    COOKIE,
    Gate,
    Refusal,
    Scope,
    Sought,
    make_tokens,
    security_headers,
)
from gpt_trader.ops.dashboard.house import Runs
from gpt_trader.ops.dashboard.listening import Wanted, check_address
from gpt_trader.ops.dashboard.pages import add_pages
from gpt_trader.records.runs import find_run

__all__ = ["be_nice", "create_app", "open_server", "serve_runs"]

NICENESS: Final = 10
THREADS: Final = 4
CONNECTIONS_MAX: Final = 64
HEADER_BYTES_MAX: Final = 16_384
REQUEST_SECONDS_MAX: Final = 10.0
"""From the first byte of a request to its last."""
ANSWER_SECONDS_MAX: Final = 30.0
"""Without a byte that the client takes, the connection ends."""
IDLE_SECONDS_MAX: Final = 60
ASSETS: Final = Path(__file__).with_name("assets")
INDEX: Final = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""
LOGIN: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>GPT-Trader</title><link rel="stylesheet" href="/assets/login.css">
</head>
<body>
<main>
<h1><span>GPT</span>Trader</h1>
<form method="POST" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button>Log in</button>
</form>
<p class="said" role="status">{said}</p>
<p>The tokens lie beside your runs, in dashboard/read.token and dashboard/control.token. The first may look, the second
may also steer.</p>
</main>
</body>
</html>"""


def be_nice() -> None:
    """Whoever trades comes first."""
    os.nice(NICENESS)


def create_app(runs: Runs, gate: Gate) -> Dash:
    """The application, with the gate in front of everything."""
    server = Flask("gpt-trader-dashboard", static_folder=None)
    server.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    server.before_request(lambda: _guard(gate))
    _add_login(server, gate)
    app = Dash(
        "gpt-trader-dashboard",
        server=server,  # type: ignore[arg-type] # what it says of itself leaves out what its manual shows
        assets_folder=str(ASSETS),
        assets_ignore="login.css",
        index_string=INDEX,
        title="GPT-Trader",
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        enable_mcp=False,
    )
    add_pages(app, runs, lambda: gate.scope_of(request.cookies.get(COOKIE, "")))
    headers = security_headers(app.csp_hashes())

    def harden(response: Response) -> Response:
        response.headers.extend(headers)
        if not request.path.startswith("/_dash-component-suites/"):
            response.headers["Cache-Control"] = "no-store"
        return response

    server.after_request(harden)
    return app


def _guard(gate: Gate) -> Response | None:
    refusal = gate.judge(
        Sought(
            method=request.method,
            path=request.path,
            host=request.headers.get("Host", ""),
            origin=request.headers.get("Origin"),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            upgrade=request.headers.get("Upgrade"),
            length=request.content_length or 0,
            cookie=request.cookies.get(COOKIE, ""),
        )
    )
    return None if refusal is None else _refused(refusal)


def _refused(refusal: Refusal) -> Response:
    if refusal.to_login and "text/html" in request.headers.get("Accept", ""):
        return make_response(redirect("/login"))
    return make_response(refusal.said + "\n", refusal.status, {"Content-Type": "text/plain; charset=utf-8"})


def _add_login(server: Flask, gate: Gate) -> None:
    def form() -> Response:
        code = request.args.get("code", "")
        if not code:
            return make_response(LOGIN.replace("{said}", ""))
        return _entered(gate, gate.redeem(code), request.args.get("to", "/"))

    def enter() -> Response:
        return _entered(gate, gate.log_in(request.form.get("token", "")))

    def leave() -> Response:
        gate.log_out(request.cookies.get(COOKIE, ""))
        answer = make_response(redirect("/login", 303))
        answer.delete_cookie(COOKIE)
        return answer

    server.add_url_rule("/login", "form", form, methods=["GET"])
    server.add_url_rule("/login", "enter", enter, methods=["POST"])
    server.add_url_rule("/logout", "leave", leave, methods=["POST"])


def _entered(gate: Gate, cookie: str | Refusal, to: str = "/") -> Response:
    """Only to a page of a run or the list: nobody is sent elsewhere."""
    if isinstance(cookie, Refusal):
        return make_response(LOGIN.replace("{said}", cookie.said), cookie.status)
    answer = make_response(redirect(to if to.startswith("/run/") else "/", 303))
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict", secure=gate.secure)
    return answer


class PatientChannel(HTTPChannel):  # type: ignore[misc]
    """A connection whose client is given so much time for a request, and for taking its answer, and no more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.began_ns = 0
        self.sent_ns = 0
        super().__init__(*arguments, **options)

    def received(self, data: bytes) -> bool:
        """Note when a request begins."""
        if self.request is None:
            self.began_ns = SystemClock.awake_ns()
        took: bool = super().received(data)
        if self.request is None:
            self.began_ns = 0
            self.sent_ns = SystemClock.awake_ns()
        return took

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Note that the client takes what it asked for."""
        count: int = super().send(data, do_close)
        if count:
            self.sent_ns = SystemClock.awake_ns()
        return count

    def is_too_slow(self, now_ns: int, patience_ns: int) -> bool:
        if self.began_ns and now_ns - self.began_ns > patience_ns:
            return True
        return bool(self.total_outbufs_len) and now_ns - self.sent_ns > ANSWER_SECONDS_MAX * NS


class PatientServer(TcpWSGIServer):  # type: ignore[misc]
    """Drops clients that are too slow."""

    channel_class = PatientChannel
    patience_ns = round(REQUEST_SECONDS_MAX * NS)
    """For one request, from its first byte to its last."""

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        now_ns = SystemClock.awake_ns()
        for channel in list(self.active_channels.values()):
            if channel.is_too_slow(now_ns, self.patience_ns):
                channel.will_close = True  # the loop closes it when it looks next: not in the midst of a look
                with contextlib.suppress(OSError):
                    channel.socket.shutdown(socket.SHUT_RDWR)  # also where it never takes what it asked for

    def end(self) -> None:
        """Hang up on everybody and stop serving."""
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        self.close()
        self.task_dispatcher.shutdown()


def open_server(app: Dash, host: str, port: int, *, patience_seconds: float = REQUEST_SECONDS_MAX) -> PatientServer:
    """Listening, and not serving yet; `run()` serves, `close()` ends. Raises ConfigError where it cannot listen."""
    try:
        server = PatientServer(
            app.server,
            host=host,
            port=port,
            threads=THREADS,
            connection_limit=CONNECTIONS_MAX,
            channel_timeout=IDLE_SECONDS_MAX,
            cleanup_interval=1,
            max_request_body_size=BODY_BYTES_MAX,
            max_request_header_size=HEADER_BYTES_MAX,
            ident="",
        )
    except OSError as error:
        raise ConfigError(f"{host} port {port}: {error.strerror}. Fix: --port with another one") from error
    server.patience_ns = round(patience_seconds * NS)
    return server


def serve_runs(home: Path, wanted: Wanted, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises ConfigError."""
    clock, urls = SystemClock(), check_address(wanted)
    gate = Gate(make_tokens(home / "dashboard"), urls, clock, read_only=wanted.read_only)
    start = "/" if wanted.run is None else f"/run/{find_run(home, wanted.run).absolute().parent.name}/overview"
    be_nice()
    logging.getLogger("waitress").setLevel(logging.ERROR)  # how full its queue is concerns nobody
    with Runs(home, clock) as runs:
        app = create_app(runs, gate)
        server = open_server(app, wanted.bind, wanted.port)
        scope = Scope.READ if wanted.read_only else Scope.CONTROL
        say(f"Dashboard  {urls[0]}/login?code={gate.code(scope)}&to={start}")
        say(f"           this link works once, for ten minutes; then {urls[0]} with a token of {home / 'dashboard'}")
        say("           Ctrl-C ends it; bots do not notice")
        try:
            server.run()
        finally:
            server.end()
