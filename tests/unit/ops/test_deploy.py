"""What lies in deploy/: is it hardened, locked, and free of addresses that are nobody's business?"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.architecture.house import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSURE_MAX = 2.0


def test_the_image_is_built_from_the_lock_in_two_stages_without_root() -> None:
    """And has no tool to change itself."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf8")
    instructions = [line for line in text.splitlines() if line and not line.startswith("#")]
    bases = [line.split()[1] for line in instructions if line.startswith("FROM")]

    assert bases == ["python:3.13-slim", "python:3.13-slim"]
    assert "--require-hashes --no-deps -r requirements.lock" in text
    assert "--no-build-isolation --no-index ." in text
    assert "pip uninstall --yes pip" in text
    last = text.rindex("FROM python")
    assert "USER 10001" in text[last:]
    assert "pip" not in text[last:]
    assert not re.search(r"https?://", text), "no index is named"


def test_what_is_copied_into_the_image_is_there() -> None:
    """Each source of a COPY exists and is let in by the ignore file."""
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf8").splitlines()
    for line in (DEPLOY / "Dockerfile").read_text(encoding="utf8").splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name.removeprefix("./")).exists(), name
                assert f"!{name.removeprefix('./')}" in let_in, name


def test_the_lock_of_the_image_has_hashes_and_no_address() -> None:
    """Every pin with at least one hash."""
    text = (DEPLOY / "requirements.lock").read_text(encoding="utf8")
    pins = re.split(r"\n(?=[a-z0-9])", text.strip())

    assert {"apprise", "prometheus-client", "psycopg"} <= {pin.partition("==")[0] for pin in pins}
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as instances of `paper`, with a program that exists on every machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which is not installed here")
    made = []
    for unit in UNITS:
        path = tmp_path / unit.name.replace("@", "@paper")
        path.write_text(
            unit.read_text(encoding="utf8").replace("/usr/local/lib/gpt-trader/.venv/bin/gpt-trader", "/bin/true")
        )
        made.append(path)
    return made


def test_systemd_understands_the_units(units: list[Path]) -> None:
    """No unknown line, no unit that is missing."""
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, timeout=120, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "gpt-trader" in line]
    assert not complaints
    assert done.returncode == 0, done.stderr


def test_the_bot_s_unit_is_hardened(units: list[Path]) -> None:
    """As systemd itself judges: below two of ten."""
    unit = next(path for path in units if "failed" not in path.name)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)
    if said is None:
        pytest.skip("this systemd-analyze judges no unit that is not loaded")
    assert float(said[1]) < EXPOSURE_MAX, done.stdout
