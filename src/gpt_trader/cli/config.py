"""What was asked for, and who said so? `gpt-trader config show` and `config check`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.config.load import Loaded

__all__ = [
    "chosen_strategy",
    "config",
    "configuration_options",
    "load_configuration",
    "loader",
    "strategy_options",
]


def configuration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which any command finds its configuration: profile, env_file, risk_file."""
    for option in (
        click.option("--risk-file", metavar="FILE", help="Limits from this JSON file instead of the profile's."),
        click.option("--env-file", metavar="FILE", help="Variables from this file; the environment stands above it."),
        click.option("--profile", metavar="NAME", help="Profile, or a file ending in .yaml [default: dev_entry]."),
    ):
        command = option(command)
    return command


def strategy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose a strategy: strategy, parameters, strategy_folder."""
    for option in (
        click.option("--strategy-folder", metavar="DIR", help="Folder with strategies of your own."),
        click.option("--parameters", metavar="NAME:VALUE,...", help="Numbers of the strategy without a setting."),
        click.option("--strategy", metavar="NAME", help="Which strategy; `gpt-trader strategy list` shows them."),
    ):
        command = option(command)
    return command


def chosen_strategy(given: Mapping[str, Any]) -> dict[str, object]:
    """What those options say, by setting."""
    return {
        "strategy.name": given["strategy"],
        "strategy.parameters": given["parameters"],
        "strategy.folder": given["strategy_folder"],
    }


def load_configuration(
    profile: str | None, env_file: str | None, risk_file: str | None, options: Mapping[str, object] | None = None
) -> Loaded:
    """Load with the process environment; `options` maps settings to values, None where not given."""
    return loader(profile, env_file, risk_file, options)()


def loader(
    profile: str | None, env_file: str | None, risk_file: str | None, options: Mapping[str, object] | None = None
) -> Callable[[], Loaded]:
    """How to load, again and again: files are read anew, environment and options stay as they are now."""
    from gpt_trader.config.load import load

    env = dict(os.environ)
    overrides = {"risk_file": risk_file, **(options or {})}
    return lambda: load(profile, overrides=overrides, env=env, env_file=env_file)


@click.group()
def config() -> None:
    """Show every setting with its source, or check them."""


@config.command()
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def show(profile: str | None, env_file: str | None, risk_file: str | None, *, as_json: bool) -> None:
    """Print every setting, its value, and who set it. Secrets are only said to be set or not."""
    loaded = load_configuration(profile, env_file, risk_file)
    click.echo(json.dumps(as_object(loaded), indent=2)) if as_json else _print_table(loaded)


@config.command()
@configuration_options
def check(profile: str | None, env_file: str | None, risk_file: str | None) -> None:
    """Read everything, say what is wrong (exit 2) or what may not be meant (exit 0). Connects to nothing."""
    from gpt_trader.config.advice import notes
    from gpt_trader.config.names import known_settings

    loaded = load_configuration(profile, env_file, risk_file)
    said = [*notes(loaded), *_engine_notes(loaded), *_unread_env_file(loaded)]
    for note in said:
        click.echo(f"note: {note}")
    engine, reason = _engine(loaded)
    click.echo(f"ok: profile {loaded.config.profile}, {len(known_settings())} settings, digest {loaded.digest[:12]}")
    click.echo(f"engine: {engine} ({reason})")


def as_object(loaded: Loaded) -> dict[str, Any]:
    """The whole configuration for machines: value and source of each setting."""
    from gpt_trader.config.load import value_at
    from gpt_trader.config.names import known_settings, plain

    settings = {}
    for path, known in known_settings().items():
        source = loaded.sources[path]
        value = plain(value_at(loaded.config, path))
        settings[path] = {
            "value": value if not known.secret or value == "set" else "not set",
            "source": str(source.layer),
            "place": source.place,
            "unit": known.unit,
            "env": known.env,
        }
    engine, reason = _engine(loaded)
    return {
        "profile": loaded.config.profile,
        "digest": loaded.digest,
        "engine": engine,
        "engine_reason": reason,
        "files": [str(path) for path in loaded.files],
        "settings": settings,
    }


def _print_table(loaded: Loaded) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = as_object(loaded)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=None)
    for name in ("setting", "value", "unit", "source"):
        table.add_column(name, overflow="fold")
    section = ""
    for path, row in shown["settings"].items():
        if path.partition(".")[0] != section and "." in path:
            section = path.partition(".")[0]
            table.add_section()
        source = f"{row['source']} {row['place']}".strip()
        style = "dim" if row["source"] == "default" else ""
        table.add_row(*(Text(text, style=style) for text in (path, _as_text(row["value"]), row["unit"], source)))
    console = console_for_people()
    console.print(table)
    console.print(Text(f"profile {shown['profile']} · digest {shown['digest'][:12]} · {shown['engine']}"))
    console.print(Text(f"chosen by {shown['engine_reason']}"))


def _as_text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}:{item}" for key, item in value.items()) or "none"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _engine(loaded: Loaded) -> tuple[str, str]:
    """Engine and reason, as the factory decides them."""
    from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory

    selection = ExecutionEngineFactory.select(loaded.config.risk, EngineChoice(loaded.config.run.engine))
    return ("AdvancedExecutionEngine" if selection.advanced else "LiveExecutionEngine"), selection.reason


def _engine_notes(loaded: Loaded) -> list[str]:
    """Settings that the chosen engine does not read."""
    from gpt_trader.config.load import value_at
    from gpt_trader.config.names import known_settings
    from gpt_trader.config.sources import Layer

    engine, _ = _engine(loaded)
    others = {"AdvancedExecutionEngine": "LiveExecutionEngine", "LiveExecutionEngine": "AdvancedExecutionEngine"}
    idle = [
        known.env
        for path, known in known_settings().items()
        if known.acts.startswith(others[engine])
        and loaded.sources[path].layer not in (Layer.DEFAULT, Layer.RISK_FILE)
        and value_at(loaded.config, path) != known.default
    ]
    if not idle:
        return []
    verb = "acts" if len(idle) == 1 else "act"
    return [f"{' and '.join(idle)} {verb} only in the {others[engine]}; the flags choose {engine}."]


def _unread_env_file(loaded: Loaded) -> list[str]:
    unread = Path(".env").is_file() and Path(".env") not in loaded.files
    return ["There is a .env here that is not read: name it with --env-file or GPT_TRADER_ENV_FILE."] if unread else []
