"""Who is let in? Every way that a request can be wrong, and the ways in which it is right."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gpt_trader.core.clock import ManualClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.dashboard.access import BODY_BYTES_MAX, FAILURES_MAX, Gate, Refusal, Scope, Sought, make_tokens

URL = "http://127.0.0.1:8720"
TOKENS = {Scope.READ: "r" * 43, Scope.CONTROL: "c" * 43}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(10**18)


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    return Gate(TOKENS, [URL], clock)


def entered(gate: Gate, token: str) -> str:
    cookie = gate.log_in(token)
    assert isinstance(cookie, str)
    return cookie


def asked(cookie: str = "", **changed: Any) -> Sought:
    good = Sought(
        method="POST",
        path="/_dash-update-component",
        host="127.0.0.1:8720",
        origin=URL,
        fetch_site="same-origin",
        length=100,
        cookie=cookie,
    )
    return msgspec.structs.replace(good, **changed)


def test_each_token_opens_its_own_scope(gate: Gate) -> None:
    """The first may look, the second may also steer."""
    for scope, token in TOKENS.items():
        cookie = entered(gate, f" {token}\n")
        assert gate.scope_of(cookie) is scope
        assert gate.judge(asked(cookie)) is None


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"host": "evil.example:8720"}, 421),
        ({"host": ""}, 421),
        ({"host": "127.0.0.1:9999"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"fetch_site": "cross-site"}, 403),
        ({"length": BODY_BYTES_MAX + 1}, 413),
        ({"upgrade": "websocket"}, 400),
        ({"cookie": "guessed"}, 401),
        ({"cookie": ""}, 401),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_whatever_else_is_right(gate: Gate, changed: dict[str, Any], status: int) -> None:
    """With a session that may steer."""
    refusal = gate.judge(msgspec.structs.replace(asked(entered(gate, TOKENS[Scope.CONTROL])), **changed))

    assert refusal is not None
    assert refusal.status == status


def test_a_page_may_be_asked_for_without_an_origin(gate: Gate) -> None:
    """Browsers send none with a link; nothing is done by a GET."""
    cookie = entered(gate, TOKENS[Scope.READ])

    assert gate.judge(asked(cookie, method="GET", path="/", origin=None, fetch_site=None)) is None


def test_only_the_way_in_is_open_to_everybody(gate: Gate) -> None:
    """And a browser is sent there."""
    assert gate.judge(asked(method="GET", path="/login")) is None
    refusal = gate.judge(asked(method="GET", path="/run/x/overview"))
    assert refusal == Refusal(401, "log in first", to_login=True)


def test_a_link_works_once_and_not_for_long(gate: Gate, clock: ManualClock) -> None:
    """Whoever finds it in a history finds nothing."""
    code = gate.code(Scope.CONTROL)
    cookie = gate.redeem(code)
    assert isinstance(cookie, str)
    assert gate.scope_of(cookie) is Scope.CONTROL

    assert isinstance(gate.redeem(code), Refusal)
    late = gate.code(Scope.CONTROL)
    clock.advance(601)
    assert isinstance(gate.redeem(late), Refusal)


def test_guessing_is_stopped_for_everybody(gate: Gate, clock: ManualClock) -> None:
    """Also for who then guesses right, until some time has passed."""
    for _ in range(FAILURES_MAX):
        refusal = gate.log_in("wrong")
        assert isinstance(refusal, Refusal)
        assert refusal.status == 403

    stopped = gate.log_in(TOKENS[Scope.CONTROL])
    assert isinstance(stopped, Refusal)
    assert stopped.status == 429
    clock.advance(61)
    entered(gate, TOKENS[Scope.CONTROL])


def test_a_session_ends_by_itself_and_by_logging_out(gate: Gate, clock: ManualClock) -> None:
    """Twelve hours without a request."""
    idle, left = entered(gate, TOKENS[Scope.READ]), entered(gate, TOKENS[Scope.READ])
    gate.log_out(left)
    clock.advance(12 * 3600 + 1)

    assert (gate.scope_of(idle), gate.scope_of(left)) == (None, None)


def test_where_nobody_may_steer_no_token_lets_one(clock: ManualClock) -> None:
    """`--read-only`."""
    gate = Gate(TOKENS, [URL], clock, read_only=True)

    assert gate.scope_of(entered(gate, TOKENS[Scope.CONTROL])) is Scope.READ


def test_tokens_are_files_of_their_owner(tmp_path: Path) -> None:
    """Made once, 0600, two different ones; one that others can read is refused."""
    tokens = make_tokens(tmp_path / "dashboard")

    assert make_tokens(tmp_path / "dashboard") == tokens
    assert len(set(tokens.values())) == 2
    path = tmp_path / "dashboard" / "control.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        make_tokens(tmp_path / "dashboard")


def test_the_cookie_travels_over_tls_only_where_there_is_tls(clock: ManualClock) -> None:
    """On the loopback address there is none."""
    assert Gate(TOKENS, ["https://bot.example.com"], clock).secure
    assert not Gate(TOKENS, [URL], clock).secure
