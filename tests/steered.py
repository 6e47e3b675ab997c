"""A configuration in files, as a running bot reads it again: what a test writes into them, the bot finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tests.house_under_test import House, a_config

from gpt_trader.bot.steering import Steering
from gpt_trader.config.load import Loaded, load

SIZING = "enable_dynamic_position_sizing"
IMPACT = "enable_market_impact_guard"


class Configuration:
    """A profile, an env file and the environment of the start."""

    def __init__(
        self,
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        engine: str = "flags",
        shadow: str = "none",
        strategy: dict[str, Any] | None = None,
        **risk: Any,
    ) -> None:
        self.env_file = folder / "env"
        self.env = env or {}
        self.engine = engine
        self.shadow = shadow
        self.strategy = strategy or {}
        self.profile = folder / "test.yaml"
        self.write_profile(**risk)
        self.write_env()

    def write_profile(self, **risk: Any) -> None:
        """The limits of `a_config`, and these."""
        given = a_config(**risk).risk.model_dump(mode="json", exclude_unset=True)
        self.profile.write_text(yaml.safe_dump({"symbols": ["BTC-PERP"], "strategy": self.strategy, "risk": given}))

    def write_env(self, **variables: object) -> None:
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))

    def load(self) -> Loaded:
        overrides = {"run.engine": self.engine, "run.shadow": self.shadow}
        return load(str(self.profile), env=self.env, env_file=str(self.env_file), overrides=overrides)

    def steering(self, house: House) -> Steering:
        return Steering(house.built, self.load(), self.load)
