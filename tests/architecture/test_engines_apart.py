"""Can one engine be taken out of the house without the other noticing?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_without(gone: str, *selected: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.without_engine", "-p", "no:cacheprovider", *selected],
        cwd=ROOT,
        env={**os.environ, "WITHOUT_ENGINE": gone, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("gone", "stays", "rounds"), [("advanced", "live", "live"), ("live", "advanced", "both")])
def test_without_one_engine_the_others_tests_stay_green(gone: str, stays: str, rounds: str) -> None:
    """Unit tests and contract of the engine that stays, while the other one's package does not exist."""
    units = run_without(gone, f"tests/unit/execution/{stays}")
    assert units.returncode == 0, units.stdout[-3000:] + units.stderr[-2000:]
    contract = run_without(
        gone, "tests/contract/test_execution_engine.py", "-k", f"{rounds} and not on_every_engine and not by_both"
    )
    assert contract.returncode == 0, contract.stdout[-3000:] + contract.stderr[-2000:]
    assert " passed" in contract.stdout


def test_the_engine_that_is_gone_really_is_gone() -> None:
    """Its own tests cannot even be imported, so the test above tests something."""
    result = run_without("advanced", "tests/unit/execution/advanced")
    assert result.returncode != 0
    assert "No module named 'gpt_trader.execution.advanced" in result.stdout
