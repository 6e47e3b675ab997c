from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.config.home import config_home
from gpt_trader.config.load import Loaded, load, profile_names, value_at
from gpt_trader.config.names import known_settings
from gpt_trader.config.sources import Layer
from gpt_trader.core.errors import ConfigError

PROFILES = profile_names(config_home({}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration folder with one profile and one risk file that disagree."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "risk").mkdir()
    (tmp_path / "profiles" / "p.yaml").write_text("risk_file: r.json\nrun:\n  seed: 1\nrisk:\n  max_leverage: 2\n")
    (tmp_path / "risk" / "r.json").write_text('{\n"max_leverage": 3\n}')
    return tmp_path


def loaded(folder: Path, env: dict[str, str] | None = None, **options: Any) -> Loaded:
    return load("p", env={"GPT_TRADER_CONFIG_DIR": str(folder), **(env or {})}, **options)


def problems(folder: Path, env: dict[str, str] | None = None, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, env, **options)
    return str(caught.value).splitlines()


def test_each_layer_stands_above_the_one_before(folder: Path) -> None:
    """defaults < profile < risk file < env file < environment < command line < runtime control."""
    env_file = folder / "e.env"
    env_file.write_text("RISK_MAX_LEVERAGE=4\n")
    (folder / "bare.yaml").write_text("run:\n  seed: 1\n")
    path = "risk.max_leverage"

    results = [
        load(str(folder / "bare.yaml"), env={"GPT_TRADER_CONFIG_DIR": str(folder)}),
        loaded(folder),
        loaded(folder, env_file=str(env_file)),
        loaded(folder, {"RISK_MAX_LEVERAGE": "6"}, env_file=str(env_file)),
        loaded(folder, {"RISK_MAX_LEVERAGE": "6"}, overrides={path: 7}),
        loaded(folder, {"RISK_MAX_LEVERAGE": "6"}, overrides={path: 7}, runtime={path: 8}),
    ]

    assert [(result.config.risk.max_leverage, result.sources[path].layer) for result in results] == [
        (5, Layer.DEFAULT),
        (3, Layer.RISK_FILE),
        (4, Layer.ENV_FILE),
        (6, Layer.ENVIRONMENT),
        (7, Layer.COMMAND_LINE),
        (8, Layer.RUNTIME),
    ]


def test_a_source_names_file_and_line(folder: Path) -> None:
    """So that a person can go and change it."""
    sources = loaded(folder).sources

    assert f"risk file {folder}/risk/r.json:2" == str(sources["risk.max_leverage"])
    assert f"profile {folder}/profiles/p.yaml:3" == str(sources["run.seed"])


def test_every_setting_has_a_source(folder: Path) -> None:
    """`config show` has no blank."""
    assert set(known_settings()) == set(loaded(folder).sources)


def test_an_option_not_given_is_no_override(folder: Path) -> None:
    """None and empty lists are how a command line says nothing."""
    result = loaded(folder, overrides={"run.seed": None, "symbols": ()})

    assert (result.config.run.seed, result.sources["run.seed"].layer) == (1, Layer.PROFILE)


def test_an_option_that_says_no_is_an_override(folder: Path) -> None:
    """False was given; only None was not."""
    result = loaded(folder, {"GPT_TRADER_RUN__DRY_RUN": "true"}, overrides={"run.dry_run": False})

    assert not result.config.run.dry_run


def test_the_env_file_may_be_named_by_a_variable(folder: Path) -> None:
    """GPT_TRADER_ENV_FILE, for services."""
    (folder / "e.env").write_text("RISK_MAX_LEVERAGE=4\n")

    assert loaded(folder, {"GPT_TRADER_ENV_FILE": str(folder / "e.env")}).config.risk.max_leverage == 4


def test_a_dotenv_that_lies_about_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that happens to be in the working folder never changes a limit."""
    (folder / ".env").write_text("RISK_MAX_LEVERAGE=9\n")
    monkeypatch.chdir(folder)

    assert loaded(folder).config.risk.max_leverage == 3


def test_risk_config_path_replaces_the_profiles_file(folder: Path) -> None:
    """What the replaced file said does not linger."""
    (folder / "other.json").write_text('{"max_exposure_pct": 0.5}')

    result = loaded(folder, {"RISK_CONFIG_PATH": str(folder / "other.json")})

    assert (2, Decimal("0.5")) == (result.config.risk.max_leverage, result.config.risk.max_exposure_pct)


def test_files_that_disagree_are_told(folder: Path) -> None:
    """A limit in a profile that its risk file overrules looks set and is not."""
    (found,) = loaded(folder).overruled

    assert (found[0], found[1].raw, found[2].raw) == ("risk.max_leverage", "2", "3")


@pytest.mark.parametrize("env", [{}, {"RISK_MAX_LEVERAGE": "3"}, {"COINBASE_API_KEY_FILE": "/elsewhere"}])
def test_digest_depends_on_effective_values_only(folder: Path, env: dict[str, str]) -> None:
    """Who said it, where files lie and which key is used make no other run."""
    assert loaded(folder).digest == loaded(folder, env).digest


def test_digest_changes_with_a_limit(folder: Path) -> None:
    """Two runs with different limits are two runs."""
    assert loaded(folder).digest != loaded(folder, {"RISK_MAX_LEVERAGE": "4"}).digest


@pytest.mark.parametrize("spelling", ["1.0", "1", "1.00"])
def test_digest_does_not_depend_on_spelling(folder: Path, spelling: str) -> None:
    """1, 1.0 and 1.00 are one limit."""
    env = {"RISK_POSITION_SIZING_MULTIPLIER": spelling}

    assert loaded(folder).digest == loaded(folder, env).digest


def test_digest_leaves_out_pace_and_market_path(folder: Path) -> None:
    """The same market watched slowly, or from another folder, is the same run."""
    options = {"run.pace": "60x", "venue.market": "/data/m.gz"}

    assert loaded(folder).digest == loaded(folder, overrides=options).digest


def test_all_problems_are_reported_at_once(folder: Path) -> None:
    """Over files, variables and options, each with its place."""
    (folder / "risk" / "r.json").write_text('{"max_leverge": 3}')

    found = problems(
        folder,
        {"RISK_MAX_LEVERAGE": "abc", "RISK_DAILY_LOSS_LIMIT": "-5", "RISK_MAX_EXPOSURE": "1"},
        overrides={"run.seed": "x"},
    )

    assert [
        "RISK_MAX_EXPOSURE (environment): no such setting. Fix: did you mean RISK_MAX_EXPOSURE_PCT.",
        f"risk.max_leverge ({folder}/risk/r.json:1): no such setting. Fix: did you mean risk.max_leverage.",
        (
            "run.seed = 'x' (command line --seed): not a whole number. "
            "Fix: set a whole number at least 0, below 9223372036854775808, such as 7 (number)."
        ),
        (
            "risk.max_leverage = 'abc' (environment RISK_MAX_LEVERAGE): not a whole number. "
            "Fix: set a whole number from 1 to 100, such as 5 (times equity)."
        ),
        (
            "risk.daily_loss_limit = '-5' (environment RISK_DAILY_LOSS_LIMIT): below the smallest allowed value 0. "
            "Fix: set a number at least 0, such as 100 (USD)."
        ),
    ] == found


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("RISK_ENABLE_MARKET_IMPACT_GUARD", "maybe", "neither yes nor no. Fix: set true or false."),
        ("RISK_MAX_EXPOSURE_PCT", "eighty", "not a number. Fix: set a number above 0, at most 10, such as 0.8"),
        ("RISK_MAX_EXPOSURE_PCT", "", "= '' (environment RISK_MAX_EXPOSURE_PCT): not a number."),
        ("RISK_DAILY_LOSS_LIMIT", "NaN", "not a finite number."),
        ("RISK_KELLY_FRACTION", "25", "above the largest allowed value 1."),
        ("RISK_MAX_STOP_DISTANCE_PCT", "2", "not below 1. Fix: set a number above 0, below 1, such as 0.02"),
        ("RISK_MAX_STOP_DISTANCE_PCT", "2", "write a share: 0.05 is 5 %."),
        ("RISK_POSITION_SIZING_METHOD", "clever", "not one of 'fixed', 'volatility', 'kelly' or 'intelligent'."),
        ("RISK_LEVERAGE_MAX_PER_SYMBOL", "BTC-PERP", "item 'BTC-PERP' is not SYMBOL:VALUE. Fix: write SYMBOL:VALUE"),
        ("RISK_LEVERAGE_MAX_PER_SYMBOL", "BTC-PERP:x", "risk.leverage_max_per_symbol[BTC-PERP] = 'x'"),
        ("SLIPPAGE_MULTIPLIERS", "BTC-PERP:0", "execution.slippage_multipliers[BTC-PERP] = '0'"),
        ("TRADING_SYMBOLS", "btc-perp", "not a symbol. Fix: write it in capitals, such as BTC-PERP."),
        ("RISK_CONFIG_PATH", "", "risk_file = '' (environment RISK_CONFIG_PATH): empty."),
        ("RISK_VOL_WARNING_THRESH", "0.9", "risk.volatility_warning_threshold from environment"),
        (
            "RISK_MAX_LEVERGE",
            "3",
            "RISK_MAX_LEVERGE (environment): no such setting. Fix: did you mean RISK_MAX_LEVERAGE.",
        ),
        ("GPT_TRADER_RISK__MAX_LEVERAGE", "3", "GPT_TRADER_RISK__MAX_LEVERAGE (environment): no such setting."),
        ("TRADING_SYMBOL", "A-B", "did you mean TRADING_SYMBOLS."),
        ("DRY_RUN", "1", "DRY_RUN (environment): is not read by this system, and ignoring it could cost money."),
        ("COINBASE_SANDBOX", "1", "COINBASE_SANDBOX (environment): is not read by this system"),
    ],
)
def test_problem_is_named_with_value_place_and_fix(folder: Path, name: str, value: str, expected: str) -> None:
    """In words that a person can act on."""
    (problem,) = problems(folder, {name: value})

    assert expected in problem


def test_environment_of_others_is_left_alone(folder: Path) -> None:
    """PATH and friends are none of our business."""
    assert loaded(folder, {"PATH": "/bin", "LANG": "C", "COINBASE_API_KEY": "of another tool"})


def test_env_file_knows_no_strangers(folder: Path) -> None:
    """A file that was named for us holds settings of ours, or a mistake."""
    (folder / "e.env").write_text("FOO=1\nGPT_TRADER_HOME=/x\n")

    first, second = sorted(problems(folder, env_file=str(folder / "e.env")))

    assert re.match(r"FOO \(.*e.env:1 FOO\): no such setting\.", first)
    assert "GPT_TRADER_HOME" in second
    assert "cannot stand in the file" in second


@pytest.mark.parametrize("path", [path for path, known in known_settings().items() if not known.built])
def test_setting_that_nothing_reads_is_refused(folder: Path, path: str) -> None:
    """Else a person would rely on it."""
    known = known_settings()[path]
    value = {"bool": "true"}.get(type(known.default).__name__, "0.03" if "pct" in path else "7")

    (problem,) = problems(folder, {known.env: value})

    assert (
        problem
        == f"{path} = '{value}' (environment {known.env}): not built yet, so it would not act. Fix: leave it out."
    )


def test_setting_that_nothing_reads_may_say_its_default(folder: Path) -> None:
    """A file may write out every field."""
    assert loaded(folder, {"RISK_ENABLE_PROTECTIVE_STOPS": "false"})


def test_secret_in_a_profile_is_refused(folder: Path) -> None:
    """Profiles are copied, committed and shown."""
    text = "credentials:\n  coinbase_api_private_key: canary-secret\n"
    (folder / "profiles" / "p.yaml").write_text(text)

    (problem,) = problems(folder)

    assert "a secret in a profile. Fix: set COINBASE_API_PRIVATE_KEY in the environment." in problem
    assert "canary-secret" not in problem


@pytest.mark.parametrize("name", ["COINBASE_API_KEY_NAME", "COINBASE_API_PRIVATE_KEY"])
def test_secret_is_in_no_error(folder: Path, name: str) -> None:
    """Half a key is an error; the half is not printed."""
    (problem,) = problems(folder, {name: "canary-secret"})

    assert "canary-secret" not in problem
    assert name in problem


def test_secret_is_in_no_source(folder: Path) -> None:
    """Sources are shown and may be stored."""
    env = {"COINBASE_API_KEY_NAME": "canary-name", "COINBASE_API_PRIVATE_KEY": "canary-key"}

    result = loaded(folder, env)

    assert "canary" not in repr(result)
    assert result.sources["credentials.coinbase_api_private_key"].raw == "set"


def test_unknown_profile_names_the_nearest() -> None:
    """And all there are."""
    with pytest.raises(ConfigError, match=r"profile 'dev_enty'.*Did you mean dev_entry\?.*canary, dev, dev_entry"):
        load("dev_enty", env={})


def test_profile_may_be_chosen_by_variable() -> None:
    """GPT_TRADER_PROFILE, for services; an option stands above it."""
    result = load(None, env={"GPT_TRADER_PROFILE": "dev"})

    assert (result.config.profile, str(result.sources["profile"])) == ("dev", "environment GPT_TRADER_PROFILE")
    assert load("canary", env={"GPT_TRADER_PROFILE": "dev"}).config.profile == "canary"


def test_without_a_word_dev_entry_is_taken() -> None:
    """Who has just cloned the project gets the place to begin."""
    assert load(env={}).config.profile == "dev_entry"


@pytest.mark.parametrize("name", PROFILES)
def test_profile_of_the_house_loads(name: str) -> None:
    """Every profile that is shipped can be loaded and says what it is."""
    result = load(name, env={})

    assert result.config.description
    assert result.overruled == ()


def test_profiles_of_the_house_are_complete() -> None:
    """The steps from looking to real money."""
    assert {"dev_entry", "dev", "paper", "observe", "canary", "prod"} == set(PROFILES)


def test_dev_entry_is_what_the_mission_says() -> None:
    """Both flags on, values of dev_dynamic.json, an embedded venue; a made-up market lasts a day."""
    config = load("dev_entry", env={}).config

    assert config.risk.enable_dynamic_position_sizing
    assert config.risk.enable_market_impact_guard
    assert (3, Decimal("0.10"), Decimal(25)) == (
        config.risk.max_leverage,
        config.risk.min_liquidation_buffer_pct,
        config.risk.max_market_impact_bps,
    )
    assert (config.venue.kind, config.venue.market, config.run.duration) == ("simulated", "synthetic", None)


@pytest.mark.parametrize("flag", ["RISK_ENABLE_MARKET_IMPACT_GUARD", "RISK_ENABLE_DYNAMIC_POSITION_SIZING"])
def test_the_environment_takes_a_flag_of_dev_entry_back(flag: str) -> None:
    """Rolling back is a variable, not a deploy."""
    result = load("dev_entry", env={flag: "false"})
    path = f"risk.{flag.removeprefix('RISK_').lower()}"

    assert value_at(result.config, path) is False
    assert f"environment {flag}" == str(result.sources[path])


@pytest.mark.parametrize(
    "content",
    [
        {"enable_market_impact_guard": True, "enable_dynamic_position_sizing": True},
        {
            "max_leverage": 3,
            "min_liquidation_buffer_pct": 0.10,
            "enable_pre_trade_liq_projection": False,
            "daily_loss_limit": 1000,
            "max_exposure_pct": 1.0,
            "max_position_pct_per_symbol": 1.0,
            "max_notional_per_symbol": {"BTC-USD": 100000},
            "slippage_guard_bps": 80,
            "max_mark_staleness_seconds": 60,
            "enable_volatility_circuit_breaker": False,
            "enable_market_impact_guard": True,
            "max_market_impact_bps": 25,
            "enable_dynamic_position_sizing": True,
            "position_sizing_method": "intelligent",
            "position_sizing_multiplier": 1.0,
        },
    ],
)
def test_dev_dynamic_of_the_mission_loads_unchanged(folder: Path, content: dict[str, Any]) -> None:
    """With the two flags alone, and with everything the original wrote into it."""
    (folder / "risk" / "r.json").write_text(json.dumps(content, indent=2))

    risk = loaded(folder).config.risk

    assert risk.enable_market_impact_guard
    assert risk.enable_dynamic_position_sizing


def test_dev_entry_of_the_mission_loads_unchanged(folder: Path) -> None:
    """The block of the documents is a whole profile."""
    text = "monitoring:\n  risk:\n    enable_dynamic_position_sizing: true\n    enable_market_impact_guard: true\n"
    (folder / "profiles" / "p.yaml").write_text(text)

    assert loaded(folder).config.risk.enable_market_impact_guard


def test_nothing_is_written(folder: Path) -> None:
    """Neither a good nor a bad configuration leaves a trace."""
    before = sorted(folder.rglob("*"))

    loaded(folder)
    problems(folder, {"RISK_MAX_LEVERAGE": "abc", "GPT_TRADER_HOME": str(folder / "home")})

    assert before == sorted(folder.rglob("*"))


FREE_TEXT = {
    "profile",
    "description",
    "risk_file",
    "venue.exchange",
    "venue.market",
    "venue.served",
    "strategy.name",
    "strategy.folder",
}
CHECKED = [path for path in known_settings() if path not in FREE_TEXT and not path.startswith("credentials.")]


@pytest.mark.parametrize("path", CHECKED)
def test_every_setting_can_be_set_by_its_variable(path: str) -> None:
    """What `config show` prints as the name of a variable is read from it: a wrong value is noticed."""
    known = known_settings()[path]

    with pytest.raises(ConfigError, match=rf"{re.escape(known.env)}"):
        load("dev_entry", env={known.env: "\u2603"})


def test_an_env_file_with_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    """What others may read is refused with the command that mends it; without a secret nobody asks."""
    path = tmp_path / "keys.env"
    path.write_text("COINBASE_API_KEY_NAME=name\nCOINBASE_API_PRIVATE_KEY=secret-of-nobody\n")
    path.chmod(0o640)

    with pytest.raises(ConfigError) as caught:
        load(env={}, env_file=str(path))
    assert f"chmod 600 {path}" in str(caught.value)
    assert "secret-of-nobody" not in str(caught.value)

    path.chmod(0o600)
    assert load(env={}, env_file=str(path)).config.credentials.coinbase_api_private_key is not None
    path.write_text("RISK_MAX_LEVERAGE=2\n")
    path.chmod(0o644)
    assert load(env={}, env_file=str(path)).config.risk.max_leverage == 2
