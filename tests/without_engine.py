"""A pytest plugin (`-p tests.without_engine`) that takes one engine out of the house before anything is imported.

To the import system the package named by WITHOUT_ENGINE does not exist, as if its folder were deleted; a copy of the
tree would only cost the compiled code, which is kept by path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

GONE = f"gpt_trader.execution.{os.environ['WITHOUT_ENGINE']}"


class Deleted(MetaPathFinder):
    """Finds nothing where the engine was, and says so."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == GONE or fullname.startswith(f"{GONE}."):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


sys.meta_path.insert(0, Deleted())
