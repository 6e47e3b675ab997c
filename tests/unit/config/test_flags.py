from __future__ import annotations

import pytest

from gpt_trader.config.flags import ENGINE_FLAGS, Flag
from gpt_trader.config.names import known_settings


@pytest.mark.parametrize("flag", ENGINE_FLAGS, ids=lambda flag: flag.name)
def test_flag_is_a_setting_with_the_same_default(flag: Flag) -> None:
    """The registry and the model say the same."""
    known = known_settings()[flag.path]

    assert (flag.env, flag.default) == (known.env, known.default)


@pytest.mark.parametrize("flag", ENGINE_FLAGS, ids=lambda flag: flag.name)
def test_flag_names_what_it_changes_and_who_answers_for_it(flag: Flag) -> None:
    """A flag without an owner is never removed."""
    assert flag.owner
    assert flag.changes
    assert flag.adr.startswith("ADR-")
