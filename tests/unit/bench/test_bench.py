"""Is the ruler straight? The cases name what exists, and what is expected of them is reckoned by hand here."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "bench"
SCRIPTS = sorted([*BENCH.glob("ours/*.py"), *BENCH.glob("theirs/*.py"), *BENCH.glob("*.py")])


def asked(program: str) -> str:
    """What a few lines print that import from the bench."""
    home = {"PATH": os.environ["PATH"], "HOME": str(BENCH), "PYTHONPATH": str(BENCH), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", program], env=home, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_help_names_every_case() -> None:
    """Without peers, data or a run."""
    cases = asked("from cases import CASES; print(*[case.name for case in CASES])").split()
    shown = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert set(cases) >= {"bars", "bars_vector", "ticks", "l2", "orders", "orders_durable"}
    assert all(re.search(rf"\b{case}\b", shown) for case in cases)


def test_every_script_that_a_case_names_is_there() -> None:
    """A case without its program is a promise."""
    ours = asked("from cases import CASES; print(*[case.script for case in CASES])").split()
    theirs = asked("from cases import PEERS; print(*[peer.script for peer in PEERS.values()])").split()

    assert all((BENCH / "ours" / name).exists() for name in ours)
    assert all((BENCH / "theirs" / name).exists() for name in theirs)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(BENCH).as_posix())
def test_scripts_are_python_and_say_what_they_are(script: Path) -> None:
    """The peers' side runs in other environments, so that nothing here imports it."""
    assert ast.get_docstring(ast.parse(script.read_text(encoding="utf8")))


def test_no_registry_is_named() -> None:
    """pip's own settings decide where packages come from."""
    assert "://" not in (BENCH / "peers").read_text(encoding="utf8")


def test_the_reckoning_by_hand() -> None:
    """Short at 100, long at 110, valued at 120: 0.1 and then 0.2 are traded, half a tick beside the close."""
    found = asked(
        "import numpy as np; from expected import reckon\n"
        "print(reckon(np.array([0, -1, 1, 1]), np.array([90.0, 100.0, 110.0, 120.0]), 0.5))"
    )

    sold, bought = 0.1 * 99.5, 0.2 * 110.5
    fees = (sold + bought) * 0.0005
    want = {"orders": 2, "orders_apart": 3, "position": 0.1, "profit": round(sold - bought + 0.1 * 120, 4)}
    assert ast.literal_eval(found) == {
        **want,
        "fees": round(fees, 4),
        "profit_net": round(want["profit"] - fees, 4),
    }
