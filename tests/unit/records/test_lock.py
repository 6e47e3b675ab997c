"""May somebody else put another file in the place of a store?"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import a_fill

from gpt_trader.core.errors import StoreError
from gpt_trader.records.event_store import EventStore


def opened(path: Path) -> None:
    with EventStore.open(path, "test-run", 1, durable=True) as store:
        store.append(a_fill())


@pytest.mark.parametrize("name", ["events.sqlite", "events.lock", "events.mark"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    """What it points to stays as it is."""
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / name).symlink_to(target)

    with pytest.raises(StoreError, match=f"{name}: a link"):
        opened(tmp_path / "run" / "events.sqlite")

    assert target.read_text() == "mine"


def test_a_folder_that_anybody_may_write_to_is_refused(tmp_path: Path) -> None:
    """Above the store too: whoever may rename its folder may exchange it. A folder where only owners may is fine."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(StoreError, match="anybody may write there"):
        opened(shared / "run" / "events.sqlite")

    shared.chmod(0o1777)
    opened(shared / "run" / "events.sqlite")
