"""Which limits hold? `gpt-trader risk show`: every rule and guard with threshold, unit, action and way back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.config.load import Loaded

__all__ = ["risk"]


@click.group()
def risk() -> None:
    """Show the limits: what each rule and guard measures, does, and how it is taken back."""


@risk.command()
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def show(profile: str | None, env_file: str | None, risk_file: str | None, *, as_json: bool) -> None:
    """Print every pre-trade rule and every guard of a profile. Connects to nothing.

    Rules look at one order and refuse or shrink it; guards look at the account and trip. What a running bot's guards
    measure now stands in its panel and in its log.
    """
    loaded = load_configuration(profile, env_file, risk_file)
    shown = as_object(loaded)
    click.echo(json.dumps(shown, indent=2)) if as_json else _print_tables(shown)


def as_object(loaded: Loaded) -> dict[str, Any]:
    """Rules, guards, and the modes they lead to, for machines."""
    from gpt_trader.config.names import plain
    from gpt_trader.core.values import Mode
    from gpt_trader.risk.catalogue import CATALOGUE

    limits = loaded.config.risk
    idle = _idle(loaded)
    rows: dict[str, list[dict[str, Any]]] = {"rule": [], "guard": []}
    for entry in CATALOGUE:
        sources = {name: str(loaded.sources[f"risk.{name}"].layer) for name in entry.settings}
        rows[entry.kind].append(
            {
                "name": entry.name,
                "on": entry.is_on(limits) and entry.name not in idle,
                "thresholds": {name: plain(value) for name, value in entry.values(limits).items()},
                "sources": sources,
                "threshold": entry.threshold,
                "unit": entry.unit,
                "action": entry.action,
                "way_back": entry.way_back,
                "meaning": entry.meaning,
            }
        )
    return {
        "profile": loaded.config.profile,
        "digest": loaded.digest,
        "cooldown_minutes": limits.circuit_breaker_cooldown_minutes,
        "guard_interval_seconds": loaded.config.guards.interval_seconds,
        "modes": [mode.value for mode in Mode],
        "rules": rows["rule"],
        "guards": rows["guard"],
    }


def _idle(loaded: Loaded) -> set[str]:
    """What is set but cannot act: the other engine's rule, and margin windows without a calendar."""
    from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory

    config = loaded.config
    advanced = ExecutionEngineFactory.select(config.risk, EngineChoice(config.run.engine)).advanced
    idle = {"slippage_guard" if advanced else "market_impact"}
    return idle if config.venue.margin_window == "schedule" else idle | {"margin_window"}


def _print_tables(shown: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = console_for_people()
    for kind, last in (("rules", "meaning"), ("guards", "way_back")):
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"{kind.capitalize()}", title_justify="left")
        for name in (kind.removesuffix("s"), "threshold", "unit", "action", last.replace("_", " ")):
            table.add_column(name, overflow="fold")
        for row in shown[kind]:
            style = "" if row["on"] else "dim"
            cells = (row["name"], _threshold(row), row["unit"], row["action"], row[last])
            table.add_row(*(Text(cell, style=style) for cell in cells))
        console.print(table)
    console.print(
        Text(
            f"profile {shown['profile']} · guards every {shown['guard_interval_seconds']:g} s and after fills · "
            f"cooldown {shown['cooldown_minutes']} min · modes {' < '.join(shown['modes'])}"
        )
    )


def _threshold(row: dict[str, Any]) -> str:
    """Each setting with its value; `off` where it is switched off."""
    if not row["on"]:
        return "off"
    said = [f"{name}={_as_text(value)}" for name, value in row["thresholds"].items() if value not in ({}, None)]
    return ", ".join([*said, row["threshold"]] if row["threshold"] else said) or "the account's own"


def _as_text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}:{'+'.join(item) if isinstance(item, list) else item}" for name, item in value.items())
    return str(value)
