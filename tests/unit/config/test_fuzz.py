"""Can a file of settings break the program? The loader under files and variables that nobody writes on purpose."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gpt_trader.config.bot import BotConfig
from gpt_trader.config.load import load
from gpt_trader.core.errors import ConfigError

QUICK, BATCH = 12, 25
FUZZ_SECONDS: Final = 60.0
"""So long the long test goes on; a machine may do as much as it can in that time."""
ODD: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["NaN", "1e999999999", "-0", "0x10", "\x00", "1,5", "${HOME}", "!!python/object:os.system", "&a [*a]"]
    ),
)
SECTIONS: Final = st.sampled_from([*BotConfig.model_fields, "symbols", "risc", "Risk", ""])
FIELDS: Final = st.sampled_from(
    [name for field in ("risk", "venue", "run", "records", "strategy") for name in BotConfig().model_dump()[field]]
    + ["max_levrage", ""]
)
DOCUMENTS: Final = st.dictionaries(
    SECTIONS, st.one_of(ODD, st.lists(ODD, max_size=3), st.dictionaries(FIELDS, ODD, max_size=4)), max_size=4
)
TEXTS: Final = st.one_of(
    DOCUMENTS.map(lambda document: yaml.safe_dump(document, allow_unicode=True)),
    DOCUMENTS.map(json.dumps),
    st.text(max_size=80),
)
VARIABLES: Final = st.dictionaries(
    st.sampled_from(["RISK_MAX_LEVERAGE", "RISK_CONFIG_PATH", "GPT_TRADER_RUN__SEED", "GPT_TRADER_VENUE__KIND"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
    max_size=2,
)


def fuzz(folder: Path, count: int) -> None:
    """`count` profiles, env files and environments."""
    profile, env_file = folder / "odd.yaml", folder / "env"

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(TEXTS, st.text(max_size=40), VARIABLES)
    def any_files(text: str, variables: str, environment: dict[str, Any]) -> None:
        profile.write_bytes(text.encode(errors="surrogatepass"))
        env_file.write_bytes(variables.encode(errors="surrogatepass"))
        env_file.chmod(0o600)
        try:
            loaded = load(str(profile), env=environment, env_file=str(env_file))
        except ConfigError:
            return
        assert isinstance(loaded.config, BotConfig)

    any_files()


def test_no_file_of_settings_breaks_the_loader(tmp_path: Path) -> None:
    """The answer is a configuration, or an error of ours that says what is wrong."""
    fuzz(tmp_path, QUICK)


@pytest.mark.parametrize("name", ["\\ud800", "a\\u0000b"])
def test_a_risk_file_that_no_file_can_be_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    """Found by fuzzing: halves of characters and zero bytes in the name."""
    profile = tmp_path / "odd.yaml"
    profile.write_text(f'{{"risk_file": "{name}"}}')

    with pytest.raises(ConfigError, match="no name that a file can have"):
        load(str(profile), env={}, env_file=None)


@pytest.mark.long
def test_a_minute_of_odd_files_breaks_no_loader(tmp_path: Path) -> None:
    """FUZZ_SECONDS of them: `pytest -m long tests/unit/config/test_fuzz.py`."""
    until = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < until:
        fuzz(tmp_path, BATCH)
