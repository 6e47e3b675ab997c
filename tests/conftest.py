"""What does every test get? A state folder of its own kind, and an environment that nobody's shell has touched.

Tests never write to the user's data folder. Compiled code is kept under `build/`, so that it is made once and then
loaded by every later run and by both workers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
TEST_HOME: Final = ROOT / "build" / "test-home"
SETTINGS_PREFIXES: Final = ("RISK_", "COINBASE_", "CCXT_", "GPT_TRADER_")
SETTINGS: Final = ("SLIPPAGE_MULTIPLIERS", "ORDER_PREVIEW_ENABLED", "TRADING_SYMBOLS")


def pytest_configure() -> None:
    """Before any of our modules is imported: nothing of the shell's settings is left, and state goes to build/."""
    for name in [name for name in os.environ if name.startswith(SETTINGS_PREFIXES) or name in SETTINGS]:
        del os.environ[name]
    (TEST_HOME / "jit").mkdir(parents=True, exist_ok=True)
    os.environ["GPT_TRADER_HOME"] = str(TEST_HOME)


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty GPT_TRADER_HOME of this test alone, which shares the compiled code with all others."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "jit").symlink_to(TEST_HOME / "jit", target_is_directory=True)
    monkeypatch.setenv("GPT_TRADER_HOME", str(home))
    return home


@pytest.fixture
def shared_data() -> Path:
    """Recordings that lie beside the checkout; the test is skipped, by name, where they are not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recorded markets in ../shared/data, which are not beside this checkout")
    return folder
