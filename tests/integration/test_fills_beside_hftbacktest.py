"""The same orders on the same recorded market, here and in hftbacktest; what differs is explained in docs/venue.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CAPTURE = PROJECT.parent / "shared" / "data" / "binance_usdm_btcusdt_20240808_raw.gz"
PEERS = Path(os.environ.get("GPT_TRADER_PEERS") or Path.home() / ".cache" / "gpt-trader-peers")


@pytest.mark.long
def test_fills_agree_with_hftbacktest_within_the_stated_tolerance() -> None:
    """Exit 0: at least 97 % of the orders agree in quantity and within a millisecond."""
    if not CAPTURE.exists():
        pytest.skip("needs the raw capture in ../shared/data, which is not beside this checkout")
    if not (PEERS / "venvs" / "hbt").exists():
        pytest.skip("needs hftbacktest; `bench/peers hftbacktest` installs it in an environment of its own")
    command = [sys.executable, "fills.py", str(CAPTURE)]
    ended = subprocess.run(command, cwd=PROJECT / "bench", capture_output=True, text=True, check=False, timeout=1200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
