"""Are the decision records in order? The findings of `gpt-trader adr check` over this checkout, record by record.

That each kind of fault would be found is shown by tests/unit/ops/test_decision_records.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from tests.architecture.house import ROOT

from gpt_trader.ops.decision_records import Finding, Record, check_records, read_records

RECORDS = read_records(ROOT)


@cache
def findings() -> tuple[Finding, ...]:
    return check_records(ROOT, datetime.now(tz=UTC).date())


def test_there_are_records() -> None:
    """An empty folder would make every other test here pass."""
    assert len(RECORDS) > 20


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.number)
def test_a_record_is_in_order(record: Record) -> None:
    """Form, dates, length, links, successors, and what enforces it."""
    assert [str(finding) for finding in findings() if finding.place == record.path.name] == []


def test_index_and_flags_are_in_order() -> None:
    """Every record stands in the index once, and every flag has an accepted record and a review to come."""
    names = {record.path.name for record in RECORDS}
    assert [str(finding) for finding in findings() if finding.place not in names] == []
