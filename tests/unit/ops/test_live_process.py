"""What does a process that holds a key keep to itself?"""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import os, resource, tempfile
from gpt_trader.ops.live import keep_to_ourselves
keep_to_ourselves()
path = os.path.join(tempfile.mkdtemp(), "file")
open(path, "w").close()
print(oct(os.stat(path).st_mode & 0o777), resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def test_its_files_are_private_and_it_leaves_no_core_dump() -> None:
    """In a process of its own, since both hold for the rest of its life."""
    said = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["0o600", "0"]
