"""Who are we at Coinbase? The CDP key from configuration or from a file that only its owner may read; never shown."""

from __future__ import annotations

import base64
import binascii
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.core.errors import ConfigError

__all__ = ["ApiKey", "key_of"]

FILE_BYTES_MAX: Final = 10_000
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
ED25519_LENGTHS: Final = (32, 64)
"""Bytes of a seed, and of a seed with its public key behind it."""


@dataclass(frozen=True)
class ApiKey:
    """Name (or id) and private key, EC or Ed25519."""

    name: str
    secret: str = field(repr=False)


class _KeyFile(msgspec.Struct):
    """As downloaded from CDP; newer files have an id instead of a name."""

    privateKey: str  # noqa: N815 - CDP's name
    name: str = ""
    id: str = ""


def key_of(credentials: CredentialsConfig, served_key_file: str | None = None) -> ApiKey:
    """The key, checked to be one that can sign; that of a served venue where none is configured.

    Raises ConfigError naming the setting, never its value.
    """
    if credentials.coinbase_api_key_file is not None:
        where = f"credentials.coinbase_api_key_file: {credentials.coinbase_api_key_file}"
        key = _from_file(Path(credentials.coinbase_api_key_file).expanduser(), where)
    elif credentials.coinbase_api_key_name is not None and credentials.coinbase_api_private_key is not None:
        where = "credentials.coinbase_api_private_key"
        name = credentials.coinbase_api_key_name.get_secret_value()
        key = ApiKey(name, credentials.coinbase_api_private_key.get_secret_value().replace("\\n", "\n"))
    elif served_key_file is not None:
        where = f"venue.served: {served_key_file}"
        key = _from_file(Path(served_key_file), where)
    else:
        raise ConfigError(
            "credentials: no Coinbase key. Fix: set COINBASE_API_KEY_FILE, or COINBASE_API_KEY_NAME and "
            "COINBASE_API_PRIVATE_KEY"
        )
    if not key.name or not _can_sign(key.secret):
        raise ConfigError(f"{where}: is no CDP key, EC P-256 or Ed25519. Fix: take name and key as CDP gave them")
    return key


def _from_file(path: Path, where: str) -> ApiKey:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            written = file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}. Fix: give the key file that CDP lets you download") from error
    if mode & OTHERS:
        raise ConfigError(f"{where}: others may read it (mode {mode:04o}). Fix: chmod 600 {path}")
    try:
        found = msgspec.json.decode(written, type=_KeyFile)
    except msgspec.MsgspecError:
        raise ConfigError(f"{where}: is no key file. Fix: it is JSON with name and privateKey") from None
    return ApiKey(found.name or found.id, found.privateKey)


def _can_sign(secret: str) -> bool:
    if not secret.lstrip().startswith("-----BEGIN"):
        try:
            return len(base64.b64decode("".join(secret.split()), validate=True)) in ED25519_LENGTHS
        except (binascii.Error, ValueError):
            return False
    try:
        key = load_pem_private_key(secret.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PrivateKey)
