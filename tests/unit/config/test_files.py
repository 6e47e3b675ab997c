from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_trader.config.files import Item, Problems, read_env_file, read_profile, read_risk_file
from gpt_trader.core.errors import ConfigError


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def message(problems: Problems) -> str:
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    return str(caught.value)


def test_profile_keeps_numbers_as_they_were_written(tmp_path: Path) -> None:
    """0.1 stays 0.1 and 08:00 stays a time of day, whatever YAML thinks of them."""
    path = written(tmp_path, "p.yaml", "risk:\n  max_exposure_pct: 0.10\n  daytime_start_utc: 08:00\n")
    problems = Problems()

    items = read_profile(path, problems)

    assert not problems
    assert [
        Item("risk.max_exposure_pct", "0.10", f"{path}:2"),
        Item("risk.daytime_start_utc", "08:00", f"{path}:3"),
    ] == items


def test_profile_block_of_the_mission_means_risk(tmp_path: Path) -> None:
    """`monitoring: risk:` is how the mission's dev_entry.yaml sets the flags."""
    text = "monitoring:\n  risk:\n    enable_dynamic_position_sizing: true\n    enable_market_impact_guard: true\n"
    problems = Problems()

    items = read_profile(written(tmp_path, "dev_entry.yaml", text), problems)

    assert not problems
    assert [(item.path, item.raw) for item in items] == [
        ("risk.enable_dynamic_position_sizing", True),
        ("risk.enable_market_impact_guard", True),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "strategy:\n  short_mma: 3\n",
            "strategy.short_mma ({path}:2): no such setting. Fix: did you mean strategy.short_ma.",
        ),
        ("stratgy:\n  short_ma: 3\n", "stratgy ({path}:1): no such setting. Fix: did you mean strategy."),
        ("max_leverage: 3\n", "max_leverage ({path}:1): no such setting. Fix: did you mean risk.max_leverage."),
        ("monitoring:\n  interval: 3\n", "monitoring.interval ({path}:2): no such setting."),
        ("profile: x\n", "profile ({path}:1): no such setting."),
        ("symbols: [A-B]\nsymbols: [C-D]\n", "symbols ({path}:1, {path}:2): set twice. Fix: keep one of them."),
        (
            "risk:\n  max_leverage: 3\nmonitoring:\n  risk:\n    max_leverage: 4\n",
            "risk.max_leverage ({path}:2, {path}:5): set twice.",
        ),
        ("risk: 5\n", "risk ({path}:1): a section, not a value."),
        ("- a\n", "{path}: not a table of settings."),
        ("risk: {max_leverage: [\n", "{path} ({path}:2): not YAML:"),
        ("strategy:\n  name: !!python/name:os.system x\n", "strategy.name ({path}:2): the tag"),
        ("symbols: [[A-B]]\n", "symbols ({path}:1): a list of plain values is wanted."),
        (
            "risk:\n  max_notional_per_symbol: {A-B: 1, A-B: 2}\n",
            "risk.max_notional_per_symbol ({path}:2): A-B is named twice.",
        ),
    ],
)
def test_profile_mistake_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    """Unknown keys with the nearest name, duplicates with both places, and no YAML tricks."""
    path = written(tmp_path, "p.yaml", text)
    problems = Problems()

    read_profile(path, problems)

    assert expected.format(path=path) in message(problems)


def test_empty_profile_says_nothing(tmp_path: Path) -> None:
    """Comments alone are a profile of defaults."""
    problems = Problems()

    assert read_profile(written(tmp_path, "p.yaml", "# nothing\n"), problems) == []
    assert not problems


def test_risk_file_keeps_numbers_as_they_were_written(tmp_path: Path) -> None:
    """JSON numbers do not pass through binary floating point."""
    text = '{\n "max_exposure_pct": 0.30000000000000000001,\n "max_notional_per_symbol": {"BTC-PERP": 100000}\n}'
    path = written(tmp_path, "r.json", text)
    problems = Problems()

    items = read_risk_file(path, problems)

    assert not problems
    assert [
        Item("risk.max_exposure_pct", "0.30000000000000000001", f"{path}:2"),
        Item("risk.max_notional_per_symbol", {"BTC-PERP": "100000"}, f"{path}:3"),
    ] == items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n"max_leverge": 3}', "risk.max_leverge ({path}:2): no such setting. Fix: did you mean risk.max_leverage."),
        ('{"max_leverage": 3,\n"max_leverage": 4}', "risk.max_leverage ({path}:1, {path}:2): set twice."),
        ('{"max_leverage": 3,\n}', "{path} ({path}:"),
        ("[]", "{path}: not a JSON object."),
        ("", "{path} ({path}:1): not JSON:"),
    ],
)
def test_risk_file_mistake_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    """The file, the line, and what to do."""
    path = written(tmp_path, "r.json", text)
    problems = Problems()

    read_risk_file(path, problems)

    assert expected.format(path=path) in message(problems)


def test_env_file_understands_export_quotes_and_comments(tmp_path: Path) -> None:
    """The same file may be sourced by a shell."""
    path = written(tmp_path, "e.env", '# limits\nexport RISK_MAX_LEVERAGE="4"\nTRADING_SYMBOLS=BTC-PERP # mine\n')
    problems = Problems()

    variables = read_env_file(path, problems)

    assert not problems
    assert {
        "RISK_MAX_LEVERAGE": ("4", f"{path}:2 RISK_MAX_LEVERAGE"),
        "TRADING_SYMBOLS": ("BTC-PERP", f"{path}:3 TRADING_SYMBOLS"),
    } == dict(variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RISK_MAX_LEVERAGE=3\nRISK_MAX_LEVERAGE=5\n", "RISK_MAX_LEVERAGE ({path}:2): set twice, first on line 1."),
        ("RISK_MAX_LEVERAGE\n", "{path} ({path}:1): not NAME=VALUE."),
        ("A=1\n'broken\n", "{path} ({path}:2): not NAME=VALUE."),
    ],
)
def test_env_file_mistake_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    """A line that is not understood is not skipped."""
    path = written(tmp_path, "e.env", text)
    problems = Problems()

    read_env_file(path, problems)

    assert expected.format(path=path) in message(problems)


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A limit file that cannot be read is not an empty one."""
    problems = Problems()

    read_risk_file(tmp_path / "none.json", problems)

    assert "none.json: cannot be read: No such file or directory." in message(problems)


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """With the line on which it ceases to be text."""
    path = tmp_path / "r.json"
    path.write_bytes(b"{\n\xff}")
    problems = Problems()

    read_risk_file(path, problems)

    assert f"({path}:2): not UTF-8 text." in message(problems)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.one_of(st.text(max_size=60), st.sampled_from(["[" * 5000, "{" * 5000, "? " * 2000, "&a [*a]", "!!bool x"]))
)
def test_no_text_breaks_a_reader(tmp_path: Path, text: str) -> None:
    """Whatever stands in a file, the answer is settings or named problems."""
    path = tmp_path / "fuzz"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    for read in (read_profile, read_risk_file, read_env_file):
        problems = Problems()
        read(path, problems)
        try:
            problems.raise_if_any()
        except ConfigError as error:
            assert "Fix: " in str(error)  # noqa: PT017 - both outcomes are fine
