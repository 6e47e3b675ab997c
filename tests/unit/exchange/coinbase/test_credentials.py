"""Is a key found, checked, and kept to itself?"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.coinbase.credentials import key_of

SEED = base64.b64encode(bytes(range(32))).decode()


def pem(curve: ec.EllipticCurve) -> str:
    return (
        ec.generate_private_key(curve)
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        .decode()
    )


def texts(name: str, secret: str) -> CredentialsConfig:
    return CredentialsConfig(coinbase_api_key_name=SecretStr(name), coinbase_api_private_key=SecretStr(secret))


def a_file(folder: Path, body: object, mode: int = 0o600) -> CredentialsConfig:
    path = folder / "key.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    path.chmod(mode)
    return CredentialsConfig(coinbase_api_key_file=str(path))


@pytest.mark.parametrize("secret", [SEED, pem(ec.SECP256R1()), pem(ec.SECP256R1()).replace("\n", "\\n")])
def test_both_kinds_of_key_are_taken(secret: str) -> None:
    """Ed25519 and EC, also with line ends written out as an env file has them."""
    assert key_of(texts("organizations/o/apiKeys/k", secret)).name == "organizations/o/apiKeys/k"


@pytest.mark.parametrize("field", ["name", "id"])
def test_a_file_of_cdp_is_taken(tmp_path: Path, field: str) -> None:
    """Older files have a name, newer ones an id."""
    key = key_of(a_file(tmp_path, {field: "k-1", "privateKey": SEED}))
    assert (key.name, key.secret) == ("k-1", SEED)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The fix is named."""
    with pytest.raises(ConfigError, match=r"mode 0644\)\. Fix: chmod 600"):
        key_of(a_file(tmp_path, {"name": "k", "privateKey": SEED}, mode=0o644))


@pytest.mark.parametrize("body", ["{", "[]", {"name": "k"}, {"privateKey": SEED}, {"name": "k", "privateKey": "abc"}])
def test_a_file_without_a_key_is_refused(tmp_path: Path, body: object) -> None:
    """The setting is named, the content never shown."""
    with pytest.raises(ConfigError, match="coinbase_api_key_file") as told:
        key_of(a_file(tmp_path, body))
    assert SEED not in str(told.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """With the path that was looked at."""
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        key_of(CredentialsConfig(coinbase_api_key_file=str(tmp_path / "none.json")))


@pytest.mark.parametrize("secret", ["not a key", pem(ec.SECP384R1()), "-----BEGIN EC PRIVATE KEY-----\nAAAA"])
def test_what_cannot_sign_is_refused(secret: str) -> None:
    """Before a request is made with it, and without showing it."""
    with pytest.raises(ConfigError, match="is no CDP key") as told:
        key_of(texts("k", secret))
    assert secret not in str(told.value)


def test_no_key_at_all_names_the_settings() -> None:
    """The reader learns what to set."""
    with pytest.raises(ConfigError, match="COINBASE_API_KEY_FILE"):
        key_of(CredentialsConfig())


def test_a_key_is_not_shown() -> None:
    """Whoever prints it prints the name only."""
    assert SEED not in repr(key_of(texts("k", SEED)))
