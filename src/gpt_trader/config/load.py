"""What was asked for, and who said so? Layers the sources, keeps the winner of each value, and reports all errors.

Order, the later wins: defaults, profile, risk file, env file, environment, command line, runtime control. An option
that was not given is no override. An env file is read only when named (--env-file or GPT_TRADER_ENV_FILE): a `.env`
that happens to lie in the working folder never changes a limit.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from gpt_trader.config.bot import BotConfig
from gpt_trader.config.environment import from_process, read_variables
from gpt_trader.config.explain import explain
from gpt_trader.config.files import Item, Problems, label, read_env_file, read_profile, read_risk_file
from gpt_trader.config.home import config_home
from gpt_trader.config.names import Known, known_settings, nearest, plain
from gpt_trader.config.risk import RiskConfig, StrictModel
from gpt_trader.config.sources import Layer, Layers, Source
from gpt_trader.core.errors import ConfigError, Number

__all__ = [
    "DEFAULT_PROFILE",
    "Loaded",
    "applied_settings",
    "as_stored",
    "load",
    "profile_names",
    "value_at",
    "with_settings",
    "with_values",
]

M = TypeVar("M", bound=StrictModel)

DEFAULT_PROFILE: Final = "dev_entry"
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Loaded:
    """A configuration and the source of each of its values."""

    config: BotConfig
    sources: Mapping[str, Source]
    """Winner by path, such as `risk.max_leverage`; complete."""
    given: Mapping[str, tuple[Source, ...]]
    """Everything that was said of a path, lowest layer first; a path that nobody set is missing."""
    digest: str
    """SHA-256 of the effective settings without secrets, paths, description and pace."""
    files: tuple[Path, ...]
    """What was read, in the order of the layers."""
    overruled: tuple[tuple[str, Source, Source], ...]
    """(path, who said otherwise in vain, who won), for values that a lower file set differently."""

    def given_to(self, path: str) -> tuple[Source, ...]:
        """Everybody who said something of a setting, lowest first; the default where nobody did."""
        return self.given.get(path) or (self.sources[path],)


def load(
    profile: str | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    env: Mapping[str, str],
    env_file: str | None = None,
    runtime: Mapping[str, object] | None = None,
) -> Loaded:
    """Read and check everything; raises ConfigError naming every problem with its place and fix. Writes nothing.

    `profile` is a name in config/profiles or a path ending in .yaml; None takes GPT_TRADER_PROFILE, else
    DEFAULT_PROFILE. `overrides` (command line) and `runtime` (control) map a setting's path to its value; None and
    empty tuples are options that were not given. `env` is the process environment.
    """
    problems = Problems()
    layers = Layers()
    files: list[Path] = []
    home = config_home(env)
    name = profile or env.get("GPT_TRADER_PROFILE") or DEFAULT_PROFILE
    profile_path = _profile_path(home, name)
    files.append(profile_path)
    layers.add(Layer.PROFILE, _refuse_secrets(read_profile(profile_path, problems), problems), profile_path)

    variables_file = env_file or env.get("GPT_TRADER_ENV_FILE")
    from_file: list[Item] = []
    if variables_file:
        files.append(Path(variables_file))
        variables = read_env_file(Path(variables_file), problems)
        from_file = read_variables(variables, problems, whole_file_is_ours=True)
        _refuse_open_secrets(Path(variables_file), from_file, problems)
    from_environment = read_variables(dict(from_process(env)), problems)
    from_command_line = _given_options(overrides or {})
    from_control = [Item(path, raw, "") for path, raw in (runtime or {}).items() if raw is not None]

    above = [*from_file, *from_environment, *from_command_line, *from_control]
    risk_path = _risk_path(layers, above, home, profile_path)
    if risk_path is not None:
        files.insert(1, risk_path)
        layers.add(Layer.RISK_FILE, read_risk_file(risk_path, problems), risk_path)
    layers.add(Layer.ENV_FILE, from_file, Path(variables_file) if variables_file else None)
    layers.add(Layer.ENVIRONMENT, from_environment)
    layers.add(Layer.COMMAND_LINE, from_command_line)
    layers.add(Layer.RUNTIME, from_control)

    config = _validated(layers, profile_path.stem, problems)
    if config is not None:
        _refuse_unbuilt(config, layers, problems)
    problems.raise_if_any()
    assert config is not None, "no problem and no configuration"
    return Loaded(
        config=config,
        sources={path: _source_of(known, layers, profile, env) for path, known in known_settings().items()},
        given={path: tuple(said) for path, said in layers.given.items() if not known_settings()[path].secret},
        digest=_digest(config),
        files=tuple(files),
        overruled=_overruled(layers, config),
    )


def profile_names(home: Path) -> list[str]:
    """Profiles that can be chosen by name."""
    return sorted(path.stem for path in (home / "profiles").glob("*.yaml"))


def value_at(config: BotConfig, path: str) -> Any:
    """The value of a setting by its path."""
    value: Any = config
    for part in path.split("."):
        value = dict(value)[part]
    return value


def applied_settings(config: BotConfig) -> dict[str, Number]:
    """The settings of the digest by path, as text that can be stored: what decides, without secrets and paths."""
    found: dict[str, Number] = {}
    for path, known in known_settings().items():
        if known.in_digest:
            found[path] = as_stored(value_at(config, path))
    return found


def as_stored(value: object) -> str:
    """A setting's value as text that `config.stored` reads again."""
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)


def with_values(config: BotConfig, values: Mapping[str, object]) -> BotConfig:
    """The same configuration with other values, checked together. Raises ConfigError."""
    risk, execution, run = (
        {path.removeprefix(section): value for path, value in values.items() if path.startswith(section)}
        for section in ("risk.", "execution.", "run.")
    )
    try:
        limits = RiskConfig.model_validate({**dict(config.risk), **risk})
    except ValidationError as error:
        said = "; ".join(detail["msg"] for detail in error.errors())
        raise ConfigError(f"the tighter limits alone do not go together: {said}. Fix: confirm the reload") from error
    return config.model_copy(
        update={
            "risk": limits,
            "execution": config.execution.model_copy(update=execution),
            "run": config.run.model_copy(update=run),
        }
    )


def with_settings(config: BotConfig, values: Mapping[str, object]) -> BotConfig:
    """The same configuration with other values at any paths, checked together. Raises ConfigError naming them."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *sections, leaf = path.split(".")
        target = nested
        for section in sections:
            target = target.setdefault(section, {})
        target[leaf] = value
    try:
        return _changed(config, nested)
    except ValidationError as error:
        said = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        told = ", ".join(f"{path} = {value}" for path, value in values.items())
        raise ConfigError(f"{told}: {said}") from error


def _changed(model: M, values: Mapping[str, Any]) -> M:
    """A section may hold sections and tables, which are changed and not replaced."""
    given = dict(model)
    for name, value in values.items():
        old = given.get(name)
        if isinstance(old, StrictModel) and isinstance(value, Mapping):
            given[name] = _changed(old, value)
        else:
            given[name] = {**old, **value} if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return type(model).model_validate(given)


def _profile_path(home: Path, name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = home / "profiles" / f"{name}.yaml"
    names = profile_names(home)
    if name not in names:
        close = nearest(name, names)
        hint = f"Did you mean {close}? " if close else ""
        raise ConfigError(
            f"profile {name!r}: no such profile in {label(home / 'profiles')}. "
            f"Fix: {hint}choose one of {', '.join(names)}, or name a file ending in .yaml."
        )
    return path


def _risk_path(layers: Layers, above: list[Item], home: Path, profile_path: Path) -> Path | None:
    """The risk file that counts: one named above the profile is a path of the user's, else the profile's own."""
    named = [item.raw for item in above if item.path == "risk_file"]
    if named:
        return Path(str(named[-1])) if named[-1] else None  # the models report an empty name
    winner = layers.winner("risk_file")
    if winner is None or not winner.raw:
        return None
    beside = profile_path.parent / str(winner.raw)
    return beside if beside.is_file() else home / "risk" / str(winner.raw)


def _given_options(overrides: Mapping[str, object]) -> list[Item]:
    known = known_settings()
    unknown = overrides.keys() - known.keys()
    assert not unknown, f"options for settings that do not exist: {sorted(unknown)}"
    return [Item(path, raw, known[path].option) for path, raw in overrides.items() if raw is not None and raw != ()]


def _refuse_open_secrets(path: Path, items: list[Item], problems: Problems) -> None:
    """An env file that holds a secret is its owner's alone."""
    secret = next((item for item in items if (known := known_settings().get(item.path)) and known.secret), None)
    mode = stat.S_IMODE(path.stat().st_mode) if secret is not None else 0
    if secret is not None and mode & OTHERS:
        problems.add(
            secret.path, secret.place, f"a secret in a file that others may read (mode {mode:04o})", f"chmod 600 {path}"
        )


def _refuse_secrets(items: list[Item], problems: Problems) -> list[Item]:
    for item in items:
        known = known_settings()[item.path]
        if known.secret:
            problems.add(item.path, item.place, "a secret in a profile", f"set {known.env} in the environment")
    return [item for item in items if not known_settings()[item.path].secret]


def _refuse_unbuilt(config: BotConfig, layers: Layers, problems: Problems) -> None:
    """A setting that nothing reads yet would only seem to act."""
    for path, known in known_settings().items():
        winner = layers.winner(path)
        if winner is not None and not known.built and value_at(config, path) != known.default:
            problems.add(f"{path} = {winner.raw!r}", str(winner), "not built yet, so it would not act", "leave it out")


def _source_of(known: Known, layers: Layers, profile: str | None, env: Mapping[str, str]) -> Source:
    if known.path == "profile":
        if profile:
            return Source(Layer.COMMAND_LINE, known.option, profile)
        chosen = env.get("GPT_TRADER_PROFILE")
        return Source(Layer.ENVIRONMENT, known.env, chosen) if chosen else Source(Layer.DEFAULT, "", DEFAULT_PROFILE)
    winner = layers.winner(known.path)
    if winner is None:
        return Source(Layer.DEFAULT, "", plain(known.default))
    return Source(winner.layer, winner.place, "set") if known.secret else winner


def _overruled(layers: Layers, config: BotConfig) -> tuple[tuple[str, Source, Source], ...]:
    """Files that say something else than the file above them; variables and options overrule on purpose."""
    found = []
    for path, given in layers.given.items():
        files = [source for source in given if source.layer in (Layer.PROFILE, Layer.RISK_FILE)]
        if len(files) > 1 and str(files[0].raw).lower() != str(files[1].raw).lower() and path != "risk_file":
            found.append((path, files[0], files[1]))
    return tuple(found) if config else ()


def _digest(config: BotConfig) -> str:
    settings = {path: plain(value_at(config, path)) for path, known in known_settings().items() if known.in_digest}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _validated(layers: Layers, profile: str, problems: Problems) -> BotConfig | None:
    nested: dict[str, Any] = {"profile": profile}
    for path in layers.given:
        section, _, leaf = path.rpartition(".")
        target = nested.setdefault(section, {}) if section else nested
        winner = layers.winner(path)
        assert winner is not None
        target[leaf] = winner.raw
    try:
        return BotConfig.model_validate(nested)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            explain(detail, layers, problems)
        return None
