"""Which variables speak to us, and which do so in vain? Reads environment and env files through pydantic-settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import Field, create_model
from pydantic_settings import BaseSettings, EnvSettingsSource

from gpt_trader.config.files import Item, Problems
from gpt_trader.config.home import PLACES
from gpt_trader.config.names import known_settings, nearest

__all__ = ["read_variables"]

PREFIXES: Final = ("RISK_", "GPT_TRADER_")
"""Names that begin so are ours: an unknown one is a mistake, wherever it stands."""

RETIRED: Final[Mapping[str, str]] = {
    "BROKER": "set GPT_TRADER_VENUE__KIND",
    "COINBASE_SANDBOX": "Coinbase's sandbox is static; choose a simulated profile such as dev_entry",
    "COINBASE_API_MODE": "only Advanced Trade is spoken; remove it",
    "COINBASE_ENABLE_DERIVATIVES": "perpetuals are all that is traded; remove it",
    "PERPS_PAPER": "choose the profile paper",
    "PERPS_FORCE_MOCK": "choose the profile dev_entry",
    "PERPS_POSITION_FRACTION": "set GPT_TRADER_STRATEGY__POSITION_FRACTION",
    "SPOT_FORCE_LIVE": "spot is not traded; remove it",
    "DRY_RUN": "use --dry-run or GPT_TRADER_RUN__DRY_RUN",
    "ORDER_PREVIEW_FAIL_CLOSED": "a preview that does not answer always refuses an entry; remove it",
    "MIN_ORDER_SIZE_USD": "the venue's own minimum counts; remove it",
    "MAX_ORDER_SIZE_USD": "set RISK_MAX_NOTIONAL_PER_ORDER",
    "ORDER_MAX_RETRIES": "set GPT_TRADER_EXECUTION__RETRIES_MAX",
    "DEFAULT_ORDER_TYPE": "set GPT_TRADER_STRATEGY__ENTRY_TACTIC",
    "ORDER_POST_ONLY": "post-only belongs to an order, not to the bot; remove it",
    "FEE_BPS_BY_SYMBOL": "fees are the venue's; remove it",
}
"""Variables of earlier systems whose being ignored could cost money."""


def read_variables(
    variables: Mapping[str, tuple[str, str]], problems: Problems, *, whole_file_is_ours: bool = False
) -> list[Item]:
    """Settings among variables (name to value and place); unknown names that are or should be ours are problems."""
    paths = {known.env: known.path for known in known_settings().values() if known.path != "profile"}
    given = _GivenVariables({name: value for name, (value, _) in variables.items()})()
    for name in variables.keys() - given.keys():
        _judge(name, variables[name][1], list(paths), problems, whole_file_is_ours=whole_file_is_ours)
    return [Item(paths[name], raw, variables[name][1]) for name, raw in given.items()]


class _GivenVariables(EnvSettingsSource):
    """The library's environment source over variables that are handed in instead of the process's own."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(_variable_model(), case_sensitive=True)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


@cache
def _variable_model() -> type[BaseSettings]:
    """One text field for each variable; what the text is worth is decided by the models of the configuration."""
    fields: dict[str, Any] = {
        known.path.replace(".", "__"): (str | None, Field(default=None, validation_alias=known.env))
        for known in known_settings().values()
        if known.path != "profile"
    }
    return create_model("Variables", __base__=BaseSettings, **fields)


def _judge(name: str, place: str, names: list[str], problems: Problems, *, whole_file_is_ours: bool) -> None:
    place = "environment" if place == name else place
    if name in RETIRED:
        problems.add(name, place, "is not read by this system, and ignoring it could cost money", RETIRED[name])
        return
    if name in PLACES:
        if whole_file_is_ours:
            problems.add(name, place, "says where to look, so it cannot stand in the file", "set it in the environment")
        return
    if whole_file_is_ours or name.startswith(PREFIXES):
        close = nearest(name, names)
        fix = f"did you mean {close}" if close else "remove it; `gpt-trader config show` lists every name"
        problems.add(name, place, "no such setting", fix)
        return
    others = [known for known in names if not known.startswith(PREFIXES)]
    close = nearest(name, others, cutoff=0.9)
    if close:
        problems.add(name, place, "no such setting", f"did you mean {close}")


def from_process(env: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The process environment in the form that read_variables takes."""
    return ((name, (value, name)) for name, value in env.items())
