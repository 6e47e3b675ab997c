"""How does the first page of help come up at once? Commands are named in a table and imported when called."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group whose commands are `name -> (module:attribute, section)`; listing them imports none."""

    def __init__(self, *, table: Mapping[str, tuple[str, str]], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*self._table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command = vars(importlib.import_module(module))[attribute]
        assert isinstance(command, click.Command), f"{module}:{attribute} is no command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._table and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], list(self._table), n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(self._table)}."
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands alone: the options of a group are --help and --version, and one screen is short."""
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        sections: dict[str, list[str]] = {}
        for name, (_, section) in self._table.items():
            sections.setdefault(section, []).append(name)
        with formatter.section("Commands, each with a --help of its own"):
            formatter.write_dl([(section, ", ".join(names)) for section, names in sections.items()])
