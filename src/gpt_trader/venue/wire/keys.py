"""Who may trade here? One key file for each account in CDP's own format, and what each key is allowed to do."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gpt_trader.core.errors import ConfigError
from gpt_trader.venue.wire.formats import identifier

__all__ = ["ApiKey", "KeyType", "new_secret", "open_keys"]

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
FILE_MODE: Final = 0o600
FILE_BYTES_MAX: Final = 10_000


class KeyType(StrEnum):
    """How requests are signed; CDP hands out either."""

    ECDSA = "ecdsa"
    ED25519 = "ed25519"


@dataclass
class ApiKey:
    """One account's key, without its secret."""

    name: str
    account: int
    public: PublicKey
    algorithm: str
    path: Path
    can_view: bool = True
    can_trade: bool = True
    can_transfer: bool = False

    @property
    def user_id(self) -> str:
        return identifier("user", self.account)

    @property
    def portfolio_id(self) -> str:
        return identifier("portfolio", self.account)


class _KeyFile(msgspec.Struct):
    name: str
    privateKey: str  # noqa: N815 - CDP's spelling


def open_keys(folder: Path, accounts: int, key_type: KeyType) -> list[ApiKey]:
    """Keys of accounts 0 to `accounts` - 1 from `folder`; those that are missing are made, with mode 0600.

    Raises ConfigError for a folder that cannot be written and a file that holds no key.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_open_key(folder / f"account-{account}.json", account, key_type) for account in range(accounts)]
    except OSError as error:
        raise ConfigError(f"--keys {folder}: {error.strerror}. Fix: give a folder that can be written") from error


def new_secret() -> str:
    """A token that nobody can guess."""
    private = ed25519.Ed25519PrivateKey.generate()
    return hashlib.sha256(private.private_bytes_raw()).hexdigest()


def _open_key(path: Path, account: int, key_type: KeyType) -> ApiKey:
    if path.exists():
        file = _read(path)
        private = _load(file.privateKey, path)
    else:
        private, file = _make(account, key_type)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")
    algorithm = "ES256" if isinstance(private, ec.EllipticCurvePrivateKey) else "EdDSA"
    return ApiKey(name=file.name, account=account, public=private.public_key(), algorithm=algorithm, path=path)


def _make(account: int, key_type: KeyType) -> tuple[PrivateKey, _KeyFile]:
    if key_type is KeyType.ECDSA:
        curve_key = ec.generate_private_key(ec.SECP256R1())
        secret = curve_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()
        return curve_key, _KeyFile(_key_name(account, secret), secret)
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    secret = base64.b64encode(raw).decode()
    return key, _KeyFile(identifier("key", account, hashlib.sha256(raw).hexdigest()), secret)


def _key_name(account: int, secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return f"organizations/{identifier('organization')}/apiKeys/{identifier('key', account, digest)}"


def _read(path: Path) -> _KeyFile:
    try:
        return msgspec.json.decode(path.read_bytes()[:FILE_BYTES_MAX], type=_KeyFile)
    except msgspec.MsgspecError as error:
        raise _no_key(path) from error


def _load(secret: str, path: Path) -> PrivateKey:
    try:
        if not secret.lstrip().startswith("-----BEGIN"):
            return ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret, validate=True)[:32])
        key = serialization.load_pem_private_key(secret.encode(), password=None)
    except ValueError as error:
        raise _no_key(path) from error
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise _no_key(path)


def _no_key(path: Path) -> ConfigError:
    return ConfigError(f"{path.name}: holds no CDP API key. Fix: remove the file, and the venue writes a new one")
