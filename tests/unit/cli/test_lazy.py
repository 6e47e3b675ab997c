from __future__ import annotations

import sys

import click
import pytest

from gpt_trader.cli.lazy import LazyGroup

TABLE = {"first": ("gpt_trader.cli.config:config", "Some"), "broken": ("gpt_trader.cli.none:x", "Other")}


def test_listing_imports_no_command() -> None:
    """A command whose module cannot be imported does not break the help of the others."""
    group = LazyGroup(table=TABLE, name="probe")

    text = group.get_help(click.Context(group))

    assert "Some   first" in text
    assert "gpt_trader.cli.none" not in sys.modules


def test_calling_imports_the_command() -> None:
    """By module and attribute."""
    group = LazyGroup(table=TABLE, name="probe")

    command = group.get_command(click.Context(group), "first")

    assert command is not None
    assert command.name == "config"


def test_broken_table_is_a_defect() -> None:
    """A wrong module name is ours to mend, so it is not hidden."""
    group = LazyGroup(table=TABLE, name="probe")

    with pytest.raises(ModuleNotFoundError):
        group.get_command(click.Context(group), "broken")
