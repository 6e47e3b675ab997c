"""A web server on loopback that takes everything and keeps it; one that hangs answers when it is told to."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator

WAIT_SECONDS = 20.0


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything and keeps it."""

    got: list[tuple[str, str]]
    hangs: threading.Event

    def _take(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.got.append((self.path, self.rfile.read(length).decode()))
        self.hangs.wait(WAIT_SECONDS)
        body = b'{"ok": true, "result": {"message_id": 1}}' if "/bot" in self.path else b"ok"
        with contextlib.suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET = do_PUT = _take  # noqa: N815 - the library calls these

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Got:
    """What a local receiver was sent."""

    def __init__(self, port: int, got: list[tuple[str, str]]) -> None:
        self.port = port
        self.got = got

    def until(self, there: Callable[[str, str], bool]) -> tuple[str, str]:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (found := [each for each in self.got if there(*each)]):
            assert time.monotonic() < deadline, self.got
            time.sleep(0.02)
        return found[0]


@contextlib.contextmanager
def receiver(*, hangs: bool = False) -> Iterator[Got]:
    """An HTTP server on loopback; one that hangs answers when the block ends."""
    free = threading.Event()
    if not hangs:
        free.set()
    got: list[tuple[str, str]] = []
    handler = type("Handler", (Receiver,), {"got": got, "hangs": free})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Got(server.server_port, got)
    finally:
        free.set()
        server.shutdown()
        server.server_close()
        thread.join()
