"""Is this really the account's owner? Verifies the JWT that every request of a CDP key carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import jwt

from gpt_trader.venue.wire.keys import ApiKey

__all__ = ["LEEWAY_SECONDS", "TokenVerifier", "Tokens", "Unauthorized"]

ISSUERS: Final = frozenset({"cdp", "coinbase-cloud"})
LIFE_SECONDS_MAX: Final = 120
LEEWAY_SECONDS: Final = 5
"""How far the client's clock may be off; Coinbase publishes none."""
PUBLIC_HOST: Final = "api.coinbase.com"


class Unauthorized(Exception):
    """The token does not prove who sent the request; the text says why, for the venue's owner only."""


class Tokens(Protocol):
    """Who knows whether a token is good."""

    def rest(self, authorization: str | None, method: str, path: str, host: str) -> ApiKey:
        """The key that signed this request. Raises Unauthorized."""
        ...

    def websocket(self, token: object) -> ApiKey:
        """The key behind a subscription. Raises Unauthorized."""
        ...


class TokenVerifier:
    """Knows the public keys. `now_seconds` is the wall clock, since that is what clients sign with."""

    def __init__(self, keys: Iterable[ApiKey], now_seconds: Callable[[], float]) -> None:
        self._keys: Mapping[str, ApiKey] = {key.name: key for key in keys}
        self._now_seconds = now_seconds

    def rest(self, authorization: str | None, method: str, path: str, host: str) -> ApiKey:
        """The key that signed this request. Raises Unauthorized."""
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Unauthorized("no bearer token")
        key, claims = self._verified(token.strip())
        signed = {_without_scheme(uri) for uri in _uris(claims)}
        if not signed & {f"{method} {host}{path}", f"{method} {PUBLIC_HOST}{path}"}:
            raise Unauthorized(f"uri claim {sorted(signed)} is not {method} {host}{path}")
        return key

    def websocket(self, token: object) -> ApiKey:
        """The key behind a subscription. Raises Unauthorized."""
        if not isinstance(token, str) or not token:
            raise Unauthorized("no jwt in the message")
        key, claims = self._verified(token)
        if _uris(claims):
            raise Unauthorized("a WebSocket token carries no uri claim")
        return key

    def _verified(self, token: str) -> tuple[ApiKey, Mapping[str, Any]]:
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid")))
            if key is None:
                raise Unauthorized(f"unknown key {header.get('kid')!r}")
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(str(error)) from error
        self._check_claims(key, claims)
        return key, claims

    def _check_claims(self, key: ApiKey, claims: Mapping[str, Any]) -> None:
        if claims.get("sub") != key.name:
            raise Unauthorized("sub is not the key that signed")
        if claims.get("iss") not in ISSUERS:
            raise Unauthorized(f"issuer {claims.get('iss')!r} is unknown")
        begins, ends = claims.get("nbf"), claims.get("exp")
        if not isinstance(begins, int | float) or not isinstance(ends, int | float):
            raise Unauthorized("nbf and exp are missing")
        now = self._now_seconds()
        if ends <= now - LEEWAY_SECONDS:
            raise Unauthorized(f"expired {now - ends:.0f} s ago")
        if begins > now + LEEWAY_SECONDS:
            raise Unauthorized(f"not valid for another {begins - now:.0f} s")
        if ends - begins > LIFE_SECONDS_MAX:
            raise Unauthorized(f"valid for {ends - begins:.0f} s; at most {LIFE_SECONDS_MAX}")


def _uris(claims: Mapping[str, Any]) -> list[str]:
    several = claims.get("uris")
    found = [claims.get("uri"), *(several if isinstance(several, list) else [])]
    return [uri for uri in found if isinstance(uri, str) and uri]


def _without_scheme(uri: str) -> str:
    """`GET http://host/path` as some clients sign it is `GET host/path`."""
    return uri.replace(" https://", " ", 1).replace(" http://", " ", 1)
