"""Where do things lie? Profiles and risk files on one side, what a bot writes on the other.

Three variables place them and are read from the process environment only, never from an env file:
GPT_TRADER_HOME (state), GPT_TRADER_CONFIG_DIR (profiles and risk files), GPT_TRADER_ENV_FILE (the env file).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import platformdirs

from gpt_trader.core.errors import ConfigError

__all__ = ["PLACES", "config_home", "home"]

PLACES: Final[Mapping[str, str]] = {
    "GPT_TRADER_HOME": "folder of stores, runs, catalog and compiled code",
    "GPT_TRADER_CONFIG_DIR": "folder with profiles/ and risk/",
    "GPT_TRADER_ENV_FILE": "env file, as --env-file",
    "GPT_TRADER_PROFILE": "profile, as --profile",
}
"""Variables that say where to look; everything else with our prefixes is a setting."""

_HERE: Final = Path(__file__).resolve().parent


def home(env: Mapping[str, str]) -> Path:
    """Where a bot writes: GPT_TRADER_HOME, else the platform's folder for user data. Not made here."""
    chosen = env.get("GPT_TRADER_HOME")
    if chosen is None:
        return Path(platformdirs.user_data_dir("gpt-trader", appauthor=False))
    if not chosen:
        raise ConfigError("GPT_TRADER_HOME is set but empty. Fix: name a folder, or unset it.")
    return Path(chosen).expanduser().resolve()


def config_home(env: Mapping[str, str]) -> Path:
    """Where profiles and risk files lie: GPT_TRADER_CONFIG_DIR, else the checkout's `config/`, else the copy that
    was installed with the package. Raises ConfigError when the chosen folder has no `profiles/`."""
    chosen = env.get("GPT_TRADER_CONFIG_DIR")
    if chosen is not None:
        folder = Path(chosen).expanduser()
        if not chosen or not (folder / "profiles").is_dir():
            raise ConfigError(
                f"GPT_TRADER_CONFIG_DIR = {chosen!r}: no folder with a profiles/ folder in it. "
                "Fix: name such a folder, or unset it."
            )
        return folder
    checkout = _HERE.parents[2]
    in_checkout = _HERE.parents[1].name == "src" and (checkout / "pyproject.toml").is_file()
    if in_checkout and (checkout / "config" / "profiles").is_dir():
        return checkout / "config"
    return _HERE / "defaults"
