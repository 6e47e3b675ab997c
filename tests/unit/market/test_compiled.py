"""When may stored machine code be used again?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gpt_trader
from gpt_trader.market.compiled import kernel_files

CALLEE = '''"""A callee in another file."""

from gpt_trader.market.compiled import jit


@jit
def factor(value: int) -> int:
    return value * {factor}
'''
CALLER = '''"""A kernel that calls it."""

from gpt_trader.market.compiled import jit
from gpt_trader.market.planted_callee import factor


@jit
def result(value: int) -> int:
    return factor(value) + 1
'''
CALL = "from gpt_trader.market.planted_caller import result; print(result(10))"


class Copy:
    """A copy of the package with a small kernel of two files, and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.source = folder / "src"
        self.package = self.source / "gpt_trader"
        shutil.copytree(Path(gpt_trader.__file__).parent, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        (self.package / "market" / "planted_caller.py").write_text(CALLER)
        self.edit(factor=2)

    def edit(self, factor: int) -> None:
        (self.package / "market" / "planted_callee.py").write_text(CALLEE.format(factor=factor))

    def run(self, code: str = CALL) -> str:
        environment = os.environ | {"PYTHONPATH": str(self.source), "GPT_TRADER_HOME": str(self.home)}
        ran = subprocess.run(
            [sys.executable, "-B", "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def stored(self) -> set[Path]:
        return set((self.home / "jit").rglob("*.nbc"))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_an_edited_callee_is_compiled_again(copy: Copy) -> None:
    """The compiler's own cache would serve the caller with the old callee inlined."""
    assert copy.run() == "21"
    copy.edit(factor=3)
    assert copy.run() == "31"


def test_an_unchanged_source_is_loaded(copy: Copy) -> None:
    """A second start compiles nothing, and going back to older sources finds their code again."""
    copy.run()
    stored = copy.stored()
    assert stored
    assert copy.run() == "21"
    assert copy.stored() == stored
    copy.edit(factor=3)
    copy.run()
    copy.edit(factor=2)
    after = copy.stored()
    assert copy.run() == "21"
    assert copy.stored() == after > stored


def test_a_home_that_cannot_be_made_is_an_error_with_a_fix(copy: Copy) -> None:
    """It names the variable instead of compiling into nowhere."""
    copy.home.write_text("a file where the folder should be")
    code = (
        "from gpt_trader.core.errors import ConfigError\n"
        "try:\n    import gpt_trader.market.planted_caller\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    assert copy.run(code).startswith("GPT_TRADER_HOME: cannot make")


def test_constants_frozen_into_machine_code_count_as_sources() -> None:
    """Rows and layout are read by the kernel; the typed face above it is not."""
    names = {path.name for path in kernel_files()}
    assert {"compiled.py", "rows.py", "layout.py", "kernel.py", "books.py", "arithmetic.py"} <= names
    assert "exchange.py" not in names
