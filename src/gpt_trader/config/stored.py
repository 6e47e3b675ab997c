"""What was a run configured with? A configuration made again from the settings that its log keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from gpt_trader.config.bot import BotConfig
from gpt_trader.config.load import Loaded, value_at
from gpt_trader.config.names import known_settings, nearest, plain
from gpt_trader.config.sources import Layer, Source
from gpt_trader.core.errors import ConfigError, Number

__all__ = ["INPUTS", "config_of", "loaded_of"]

INPUTS: Final = frozenset({"run.seed", "run.duration", "run.bar_seconds", "symbols", "venue.kind", "venue.market"})
"""What a run was given to decide on; a replay with other inputs would be another run."""


def config_of(applied: Mapping[str, Number], market: str, changes: Mapping[str, str]) -> BotConfig:
    """From the values of SettingsApplied, the place of the market, and other values for some settings.

    A setting that this version has and the log has not keeps its default. Raises ConfigError for a change of what is
    no setting or an input, and for values that do not go together.
    """
    _check_changes(changes)
    known = known_settings()
    nested: dict[str, Any] = {}
    values = {path: str(value) for path, value in applied.items() if path in known}
    for path, text in {**values, **changes, "venue.market": market, "run.pace": "max"}.items():
        section, _, leaf = path.rpartition(".")
        target = nested.setdefault(section, {}) if section else nested
        target[leaf] = _read(text)
    try:
        return BotConfig.model_validate(nested)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigError(f"the run's settings with these changes do not go together: {said}") from error


def _read(text: str) -> object:
    """As `config.load.applied_settings` wrote it; what a number or a yes is worth is decided by the models."""
    return json.loads(text) if text == "null" or text.startswith(("[", "{")) else text


def _check_changes(changes: Mapping[str, str]) -> None:
    known = known_settings()
    for path, value in changes.items():
        if path not in known or known[path].secret or not known[path].in_digest:
            close = nearest(path, known)
            hint = f"did you mean {close}?" if close else "`gpt-trader config show` lists them"
            raise ConfigError(f"--set {path}={value}: no setting that decides. Fix: {hint}")
        if path in INPUTS:
            raise ConfigError(
                f"--set {path}={value}: an input of the run, so this would be another run. Fix: `gpt-trader backtest`"
            )


def loaded_of(config: BotConfig) -> Loaded:
    """As if it had been loaded; every value came from the log."""
    sources = {
        path: Source(Layer.DEFAULT, "log", "" if known.secret else plain(value_at(config, path)))
        for path, known in known_settings().items()
    }
    return Loaded(config=config, sources=sources, given={}, digest="", files=(), overruled=())
