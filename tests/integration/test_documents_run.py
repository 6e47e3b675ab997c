"""Does what the documents tell people to type work? Every block marked `sh`, page by page, as it stands."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.house import ROOT, committed_files

BLOCK: Final = re.compile(r"^( *)```sh(?: not run: ([^\n]+))?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SHELLS: Final = re.compile(r"^ *```(?:sh|bash|shell|console|zsh)\b.*$", re.MULTILINE)
TIMEOUT_SECONDS: Final = 600


@dataclass(frozen=True)
class Script:
    """The blocks of one page, one after another: a reader types them in this order."""

    page: Path
    text: str

    @property
    def name(self) -> str:
        return self.page.relative_to(ROOT).as_posix()


def scripts() -> list[Script]:
    found = []
    for page in committed_files():
        if page.suffix == ".md":
            blocks = [text for _, reason, text in BLOCK.findall(page.read_text(encoding="utf8")) if not reason]
            if blocks:
                found.append(Script(page, "\n".join(blocks)))
    return found


@pytest.mark.long
@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.name)
@pytest.mark.usefixtures("state_home")
def test_a_page_runs_as_it_stands(script: Script, tmp_path: Path) -> None:
    """In a folder of its own that looks like a checkout, with nothing of ours in the environment.

    Minutes: `pytest -m long tests/integration/test_documents_run.py`.
    """
    for entry in ROOT.iterdir():
        if entry.name not in {".git", "build"}:
            (tmp_path / entry.name).symlink_to(entry)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    told = tmp_path / "told.txt"
    with told.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-x", "-c", script.text],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=TIMEOUT_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what a page started in the background
                os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, f"{script.name} ended with {code}:\n{told.read_text()[-6000:]}"


def test_no_shell_block_goes_by_another_name() -> None:
    """A block is run, or says why it is not; what is only the shape of a command is marked `text`."""
    odd = []
    for page in committed_files():
        if page.suffix == ".md":
            text = page.read_text(encoding="utf8")
            said = len(SHELLS.findall(text)) - len(BLOCK.findall(text))
            odd += [page.name] if said else []
    assert not odd
