from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gpt_trader.config.flags import ENGINE_FLAGS, FLAGS, SHADOW, Flag, find_flag, overdue, parse_value
from gpt_trader.config.names import known_settings
from gpt_trader.core.errors import ConfigError


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_flag_is_a_setting_with_the_same_default(flag: Flag) -> None:
    """The registry and the model say the same."""
    known = known_settings()[flag.path]

    assert (flag.env, flag.default, flag.type) == (known.env, known.default, known.unit)


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_flag_names_what_it_changes_and_who_answers_for_it(flag: Flag) -> None:
    """A flag without an owner is never removed."""
    assert flag.owner
    assert flag.changes
    assert flag.adr.startswith("ADR-")


def test_no_flag_is_past_its_review_date() -> None:
    """A flag that nobody looks at any more is a setting that nobody dares to change."""
    assert [flag.name for flag in overdue(datetime.now(tz=UTC).date())] == []


def test_a_flag_is_overdue_after_its_day() -> None:
    """On the day itself it still counts."""
    day = FLAGS[0].review_by

    assert FLAGS[0] not in tuple(overdue(day))
    assert FLAGS[0] in tuple(overdue(date.fromordinal(day.toordinal() + 1)))


def test_every_switch_of_risk_and_execution_is_declared() -> None:
    """A yes/no setting of these sections changes how we trade, so somebody answers for it."""
    switches = {
        path
        for path, known in known_settings().items()
        if path.startswith(("risk.", "execution.")) and isinstance(known.default, bool)
    }

    assert switches == {flag.path for flag in FLAGS if not flag.choices}


def test_two_flags_choose_the_engine() -> None:
    """These are what a rollback turns off."""
    assert [flag.name for flag in ENGINE_FLAGS] == ["enable_dynamic_position_sizing", "enable_market_impact_guard"]


@pytest.mark.parametrize(
    "name", ["enable_market_impact_guard", "ENABLE_MARKET_IMPACT_GUARD", "RISK_ENABLE_MARKET_IMPACT_GUARD"]
)
def test_a_flag_is_found_by_name_or_variable(name: str) -> None:
    """People paste what they have at hand."""
    assert find_flag(name).name == "enable_market_impact_guard"


def test_an_unknown_flag_is_refused_with_the_nearest() -> None:
    """Nothing is guessed silently."""
    with pytest.raises(ConfigError, match="did you mean enable_market_impact_guard"):
        find_flag("enable_market_impact_gard")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("ON", True), ("0", False), ("no", False)])
def test_a_value_is_read_as_people_write_it(text: str, *, value: bool) -> None:
    """As everywhere in the configuration."""
    assert parse_value(FLAGS[0], text) is value


def test_a_flag_of_several_words_takes_these_only() -> None:
    """A shadow is one of three, and no other word falls back to one of them."""
    assert parse_value(SHADOW, "Advanced") == "advanced"
    with pytest.raises(ConfigError, match="one of none, live, advanced"):
        parse_value(SHADOW, "true")


def test_a_value_that_is_neither_is_refused() -> None:
    """A flag never falls back."""
    with pytest.raises(ConfigError, match="neither yes nor no"):
        parse_value(FLAGS[0], "maybe")
