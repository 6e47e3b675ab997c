"""Does the venue know its clients, and only them?"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from coinbase import jwt_generator
from cryptography.hazmat.primitives.asymmetric import ec

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.venue.wire.keys import KeyType, open_keys
from gpt_trader.venue.wire.tokens import TokenVerifier, Unauthorized

HOST: Final = "127.0.0.1:8443"
PATH: Final = "/api/v3/brokerage/orders"


def wall() -> float:
    return SystemClock().now_ns() / NS


def sdk_token(path: Path, uri: str | None = f"POST {HOST}{PATH}") -> str:
    key = json.loads(path.read_text())
    return str(jwt_generator.build_jwt(key["name"], key["privateKey"], uri))


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_token_of_the_sdk_is_known(tmp_path: Path, key_type: KeyType) -> None:
    """Both kinds of CDP keys, from the files that the venue writes, for REST and WebSocket."""
    keys = open_keys(tmp_path, 2, key_type)
    tokens = TokenVerifier(keys, wall)
    token = sdk_token(keys[1].path)
    assert tokens.rest(f"Bearer {token}", "POST", PATH, HOST) is keys[1]
    assert tokens.websocket(sdk_token(keys[1].path, None)) is keys[1]


def test_key_files_are_private_and_stay(tmp_path: Path) -> None:
    """Mode 0600, and a second start reads them instead of making new ones."""
    first = open_keys(tmp_path, 1, KeyType.ECDSA)
    assert stat.S_IMODE(first[0].path.stat().st_mode) == 0o600
    assert open_keys(tmp_path, 1, KeyType.ED25519)[0].name == first[0].name


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    """The message says which file, and what to do."""
    (tmp_path / "account-0.json").write_text('{"name": "x", "privateKey": "no key"}')
    with pytest.raises(ConfigError, match=r"account-0\.json.*Fix"):
        open_keys(tmp_path, 1, KeyType.ECDSA)


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [("GET", PATH, HOST), ("POST", PATH + "/preview", HOST), ("POST", PATH, "127.0.0.1:9999")],
)
def test_a_token_for_another_request_is_refused(tmp_path: Path, method: str, path: str, host: str) -> None:
    """The uri claim binds a token to method, host and path."""
    keys = open_keys(tmp_path, 1, KeyType.ECDSA)
    with pytest.raises(Unauthorized, match="uri"):
        TokenVerifier(keys, wall).rest(f"Bearer {sdk_token(keys[0].path)}", method, path, host)


@pytest.mark.parametrize("seconds", [-200.0, 200.0])
def test_time_is_judged_by_the_venues_clock(tmp_path: Path, seconds: float) -> None:
    """A token lives for two minutes, and does not begin in the future."""
    keys = open_keys(tmp_path, 1, KeyType.ECDSA)
    with pytest.raises(Unauthorized, match=r"expired|not valid"):
        TokenVerifier(keys, lambda: wall() + seconds).rest(f"Bearer {sdk_token(keys[0].path)}", "POST", PATH, HOST)


CHANGES: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "sub": lambda claims: claims.update(sub="somebody"),
    "iss": lambda claims: claims.update(iss="somebody"),
    "no exp": lambda claims: claims.pop("exp"),
    "long": lambda claims: claims.update(exp=claims["nbf"] + 3600),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_claims_that_do_not_fit_are_refused(tmp_path: Path, change: str) -> None:
    """A good signature alone is not enough."""
    keys = open_keys(tmp_path, 1, KeyType.ECDSA)
    file = json.loads(keys[0].path.read_text())
    claims = jwt.decode(sdk_token(keys[0].path), options={"verify_signature": False})
    CHANGES[change](claims)
    token = jwt.encode(claims, file["privateKey"], algorithm="ES256", headers={"kid": file["name"]})
    with pytest.raises(Unauthorized):
        TokenVerifier(keys, wall).rest(f"Bearer {token}", "POST", PATH, HOST)


def test_another_key_under_our_name_is_refused(tmp_path: Path) -> None:
    """The signature is what counts."""
    keys = open_keys(tmp_path, 1, KeyType.ECDSA)
    claims = jwt.decode(sdk_token(keys[0].path), options={"verify_signature": False})
    token = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": keys[0].name})
    with pytest.raises(Unauthorized):
        TokenVerifier(keys, wall).rest(f"Bearer {token}", "POST", PATH, HOST)


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic abc", "Bearer not.a.token"])
def test_no_token_is_no_token(tmp_path: Path, header: str | None) -> None:
    """Nothing, nonsense and other schemes are refused alike."""
    keys = open_keys(tmp_path, 1, KeyType.ECDSA)
    with pytest.raises(Unauthorized):
        TokenVerifier(keys, wall).rest(header, "POST", PATH, HOST)
