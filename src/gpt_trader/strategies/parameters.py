"""Which numbers does a strategy take, and where may they lie? Declared once, as a model with types, ranges and units.

A parameter that bears the name of a setting of the section `strategy`, such as `position_fraction`, is that setting;
every other stands in `strategy.parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.config.names import allowed_range, nearest, plain
from gpt_trader.config.risk import Amount, Setting, StrictModel
from gpt_trader.core.errors import ConfigError, Number

__all__ = ["Parameter", "Search", "StrategyParameters", "declared", "parameters_from", "setting_of"]

P = TypeVar("P", bound="StrategyParameters")


@dataclass(frozen=True)
class Search:
    """Where an optimiser looks for a number unless it is told otherwise; both ends count."""

    low: Number
    high: Number
    step: Number | None = None
    """Distance of two candidates; None where any number between will do."""

    @property
    def text(self) -> str:
        return f"{self.low} to {self.high}" + (f" by {self.step}" if self.step is not None else "")


class StrategyParameters(StrictModel):
    """What every strategy is given. A strategy's own model adds its own numbers, each with a unit and a meaning:

    entry_bars: Annotated[int, Setting("bars", "breakout"), Search(20, 200, 10)] = Field(default=55, ge=2, le=10_000)
    """

    position_fraction: Annotated[Amount, Setting("share of equity", "every strategy")] = Field(
        default=Decimal("0.05"), gt=0, le=10
    )
    """Notional that an entry asks for."""
    allow_shorts: Annotated[bool, Setting("yes/no", "every strategy")] = False
    """Whether it may want to be short."""
    entry_tactic: Annotated[str, Setting("tactic", "every strategy")] = "market"
    """Placement of its entries."""


@dataclass(frozen=True)
class Parameter:
    """One declared number, for tables and searches."""

    name: str
    setting: str
    """Path of the setting that holds it."""
    kind: type
    unit: str
    default: Any
    allowed: str
    """Range in words; empty where there is none."""
    search: Search | None
    """None where the strategy proposes nothing."""
    meaning: str

    @property
    def default_text(self) -> str:
        return str(plain(self.default))


def setting_of(name: str) -> str:
    """Path of the setting that holds a parameter."""
    return f"strategy.{name}" if name in StrategyConfig.model_fields else f"strategy.parameters.{name}"


def declared(model: type[StrategyParameters]) -> Iterator[Parameter]:
    """The parameters of a strategy, its own first. Raises ConfigError for one that says no unit."""
    shared = StrategyParameters.model_fields.keys()
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] in shared):
        by_type = {type(item): item for item in field.metadata}
        setting = by_type.get(Setting)
        if setting is None or field.is_required():
            raise ConfigError(
                f"{model.__qualname__}.{name}: a parameter needs a unit and a default. "
                f'Fix: {name}: Annotated[int, Setting("bars", "name of the strategy")] = Field(default=...)'
            )
        yield Parameter(
            name=name,
            setting=setting_of(name),
            kind=field.annotation if isinstance(field.annotation, type) else object,
            unit=setting.unit,
            default=field.get_default(call_default_factory=True),
            allowed=allowed_range(field),
            search=by_type.get(Search),
            meaning=" ".join((field.description or "").split()),
        )


def parameters_from(model: type[P], config: StrategyConfig, strategy: str) -> P:
    """What the configuration says of a strategy's parameters, checked. Raises ConfigError naming every fault."""
    unknown = [name for name in config.parameters if setting_of(name) != f"strategy.parameters.{name}"]
    if unknown:
        raise ConfigError(
            f"strategy.parameters.{unknown[0]} = {config.parameters[unknown[0]]!r}: this number has a setting of its "
            f"own. Fix: set strategy.{unknown[0]}"
        )
    own = {name: value for name, value in config if name in model.model_fields}
    try:
        return model.model_validate({**own, **config.parameters})
    except ValidationError as error:
        raise ConfigError("\n".join(_told(detail, model, strategy) for detail in error.errors())) from error


def _told(detail: Any, model: type[StrategyParameters], strategy: str) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    place = setting_of(name) if name else "strategy.parameters"
    if detail["type"] == "extra_forbidden":
        names = sorted(model.model_fields)
        close = nearest(name, names)
        hint = f"did you mean {close}?" if close else f"it takes {', '.join(names)}"
        return f"{place} = {detail['input']!r}: {strategy} has no such parameter. Fix: {hint}"
    said = str(detail["msg"]).removeprefix("Value error, ")
    field = model.model_fields.get(name)
    allowed = allowed_range(field) if field is not None else ""
    value = f" = {detail['input']!r}" if name else ""
    return f"{place}{value}: {said}. Fix: {f'a value {allowed}' if allowed else 'see `gpt-trader strategy list`'}"
