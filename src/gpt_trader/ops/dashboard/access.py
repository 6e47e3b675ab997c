"""Who may look, and who may steer? Tokens, sessions, and everything that a request must show before it is answered.

There are two scopes: `read` sees everything, `control` may also steer. A token is a file of its own (0600) and is typed
into a form; it never stands in an URL. What may stand there is a code that opens one session, once, for ten minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError

__all__ = ["BODY_BYTES_MAX", "COOKIE", "Gate", "Refusal", "Scope", "Sought", "make_tokens", "security_headers"]

COOKIE: Final = "gpt_trader_session"
BODY_BYTES_MAX: Final = 65_536
TOKEN_BYTES: Final = 32
SESSIONS_MAX: Final = 64
"""Beyond it the one that was used longest ago ends."""
SESSION_SECONDS: Final = 12 * 3600
"""Without a request for so long a session ends."""
CODE_SECONDS: Final = 600
CODES_MAX: Final = 8
FAILURES_MAX: Final = 10
FAILURE_SECONDS: Final = 60
"""So many wrong tokens in so long, and nobody is let in until some are longer ago."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
OPEN_PATHS: Final = frozenset({"/login", "/assets/login.css", "/favicon.ico"})
"""What is served to nobody in particular."""


class Scope(StrEnum):
    READ = "read"
    CONTROL = "control"


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is not answered: an HTTP status and a sentence. `to_login` sends a browser to the form."""

    status: int
    said: str
    to_login: bool = False


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows of itself."""

    method: str
    path: str
    host: str
    origin: str | None = None
    fetch_site: str | None = None
    upgrade: str | None = None
    length: int = 0
    cookie: str = ""


class _Session(msgspec.Struct):
    scope: Scope
    used_ns: int


def make_tokens(folder: Path) -> dict[Scope, str]:
    """The token of each scope, made once and kept in a file of its own. Raises ConfigError where one cannot be kept, or
    where others could read it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {scope: _token(folder / f"{scope.value}.token") for scope in Scope}
    except OSError as error:
        raise ConfigError(f"tokens in {folder}: {error.strerror}. Fix: a folder that is yours") from error


def _token(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf8") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"token {path}: others can read it. Fix: chmod 600 {path}, or remove it for a new one")
    found = path.read_text(encoding="utf8").strip()
    if len(found) < TOKEN_BYTES:
        raise ConfigError(f"token {path}: shorter than {TOKEN_BYTES} characters. Fix: remove it, a new one is made")
    return found


class Gate:
    """Decides about every request before anything else sees it."""

    def __init__(
        self, tokens: Mapping[Scope, str], urls: Sequence[str], clock: Clock, *, read_only: bool = False
    ) -> None:
        """`urls` are those that browsers may use, such as `http://127.0.0.1:8720`; `read_only` lets nobody steer."""
        self._read_only = read_only
        self._tokens = {scope: token.encode() for scope, token in tokens.items()}
        self._origins = frozenset(url.rstrip("/").lower() for url in urls)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._clock = clock
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self._codes: OrderedDict[bytes, tuple[Scope, int]] = OrderedDict()
        self._failures: deque[int] = deque(maxlen=FAILURES_MAX)
        self.secure = all(origin.startswith("https:") for origin in self._origins)
        """Whether the cookie may travel over TLS only."""

    def judge(self, sought: Sought) -> Refusal | None:
        """None for a request that may be answered. Host first, so that a page of elsewhere learns nothing."""
        if sought.host.lower() not in self._hosts:
            return Refusal(421, "this is not the host that you asked for. Fix: --url with the address in your browser")
        if sought.upgrade is not None:
            return Refusal(400, "there is no websocket here")
        if sought.length > BODY_BYTES_MAX:
            return Refusal(413, f"a request has at most {BODY_BYTES_MAX} bytes")
        if sought.method not in SAFE_METHODS and not self._same_origin(sought):
            return Refusal(403, "a page of another origin may not ask for this")
        if sought.path in OPEN_PATHS or self.scope_of(sought.cookie) is not None:
            return None
        return Refusal(401, "log in first", to_login=sought.method in SAFE_METHODS)

    def _same_origin(self, sought: Sought) -> bool:
        if sought.fetch_site not in {None, "same-origin"}:
            return False
        return sought.origin is not None and sought.origin.lower() in self._origins

    def scope_of(self, cookie: str) -> Scope | None:
        """What the session of this cookie may do; None where there is none any more."""
        key, now_ns = _digest(cookie), self._clock.now_ns()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_ns - session.used_ns > SESSION_SECONDS * NS:
            del self._sessions[key]
            return None
        session.used_ns = now_ns
        self._sessions.move_to_end(key)
        return session.scope

    def log_in(self, token: str) -> str | Refusal:
        """The cookie of a new session. Every token is compared in full, whichever is right."""
        now_ns = self._clock.now_ns()
        if len(self._failures) == FAILURES_MAX and now_ns - self._failures[0] < FAILURE_SECONDS * NS:
            return Refusal(429, f"too many wrong tokens; try again in {FAILURE_SECONDS} seconds")
        said = token.strip().encode()
        right = [scope for scope, known in self._tokens.items() if hmac.compare_digest(known, said)]
        if not right:
            self._failures.append(now_ns)
            return Refusal(403, "that is neither of the tokens")
        return self._open(right[-1])

    def code(self, scope: Scope) -> str:
        """A word that opens one session, once and soon."""
        made = secrets.token_urlsafe(TOKEN_BYTES)
        self._codes[_digest(made)] = (scope, self._clock.now_ns())
        while len(self._codes) > CODES_MAX:
            self._codes.popitem(last=False)
        return made

    def redeem(self, code: str) -> str | Refusal:
        """The cookie of a new session."""
        scope, made_ns = self._codes.pop(_digest(code), (None, 0))
        if scope is None or self._clock.now_ns() - made_ns > CODE_SECONDS * NS:
            return Refusal(403, "this link was used, or is too old; give a token instead")
        return self._open(scope)

    def log_out(self, cookie: str) -> None:
        self._sessions.pop(_digest(cookie), None)

    def _open(self, scope: Scope) -> str:
        made = secrets.token_urlsafe(TOKEN_BYTES)
        granted = Scope.READ if self._read_only else scope
        self._sessions[_digest(made)] = _Session(granted, self._clock.now_ns())
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return made


def _digest(secret: str) -> bytes:
    """What is kept of a cookie or a code: nobody can use it who reads the memory of a report."""
    return hashlib.sha256(secret.encode()).digest()


def security_headers(script_hashes: Sequence[str]) -> dict[str, str]:
    """For every answer. Scripts are files of ours and the two lines that the library writes, known by their hashes;
    styles may stand in elements, since the charts put them there."""
    policy = (
        "default-src 'none'",
        f"script-src 'self' {' '.join(script_hashes)}".rstrip(),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",  # with none at all a form would not say where it comes from
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
