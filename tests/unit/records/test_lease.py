"""Who may trade this account on this host?"""

from __future__ import annotations

import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from gpt_trader.core.errors import LeaseError
from gpt_trader.records.lease import HostLease

ACCOUNT = "coinbase:portfolio/1"


def test_a_second_bot_is_refused_by_name(tmp_path: Path) -> None:
    """Another process holds the account: the error says which, and that two bots do not mix."""
    code = (
        "import sys; from pathlib import Path; from gpt_trader.records.lease import HostLease\n"
        f"HostLease(Path(sys.argv[1]), {ACCOUNT!r}); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LeaseError, match=f"account {ACCOUNT}: process {holder.pid} on this host trades it already"):
            HostLease(tmp_path, ACCOUNT)
        HostLease(tmp_path, "coinbase:portfolio/2").release()
        holder.kill()
    HostLease(tmp_path, ACCOUNT).release()


def test_each_holder_has_a_higher_token(tmp_path: Path) -> None:
    """A fence must tell the one that went from the one that came."""
    tokens = []
    for _ in range(3):
        lease = HostLease(tmp_path, ACCOUNT)
        tokens.append(lease.token)
        lease.release()
    assert tokens == [1, 2, 3]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_lock_that_keeps_nobody_out_is_lost(tmp_path: Path, how: str) -> None:
    """At the very next look nothing is left of it, and renewing says why."""
    lease = HostLease(tmp_path, ACCOUNT)
    assert lease.left_seconds() == inf
    lease.renew()
    (file,) = tmp_path.iterdir()
    file.unlink()
    if how == "replaced":
        file.write_text("1 1\n")
    assert lease.left_seconds() == 0
    with pytest.raises(LeaseError, match="was removed or replaced while we held it"):
        lease.renew()
    file.write_text("1 1\n")
    assert lease.left_seconds() == 0, "lost is lost"
    lease.release()


def test_the_file_is_the_owners(tmp_path: Path) -> None:
    """And an account with odd letters does not leave the folder."""
    lease = HostLease(tmp_path / "leases", "../../etc/passwd")
    (file,) = (tmp_path / "leases").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    lease.release()
