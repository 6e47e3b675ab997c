"""Which pages are made from the code? Writes them again; `make docs` runs this, and a test compares."""

from __future__ import annotations

from pathlib import Path

from gpt_trader.core.errors import Refusal
from gpt_trader.risk.catalogue import CATALOGUE, Entry


def refusals() -> str:
    """Every refusal code with its meaning, in the order in which the code groups them."""
    rows = "\n".join(f"| `{refusal.value}` | {refusal.meaning} |" for refusal in Refusal)
    return (
        "# Refusals\n\n"
        "Every order that is not sent is refused by name: the event OrderRefused carries the stage, one of these "
        "codes, and the numbers that were used. A code keeps its meaning for ever.\n\n"
        "Generated from `gpt_trader.core.errors:Refusal` by `make docs`; do not edit.\n\n"
        f"| Code | Meaning |\n|---|---|\n{rows}\n"
    )


GUARDS_INTRODUCTION = """\
# Rules, guards and modes

*Rules* look at one order before it is sent and refuse or shrink it, on the exposure that would result: \
position, working and unknown orders and this order, at the mark. The smallest cap wins and is named in the \
decision. Exits are only ever clamped to the position. *Guards* look at the account every \
`guards.interval_seconds`, after fills, funding, rejects and costly intents, whichever engine runs; they \
trip, act, and have a way back. `gpt-trader risk show` prints both with the values of a profile; the live \
panel shows what guards measure now.

| Mode | What may leave | Who sets it |
|---|---|---|
| `NORMAL` | everything that the rules allow | |
| `REDUCE_ONLY` | clamped closes and cancels | guards, kill switch, `reduce_only_mode`, operators |
| `CANCEL_ONLY` | cancels | operators |
| `FROZEN` | nothing | operators |

The strictest wish counts. Mode, trips and pauses are events (ModeChanged, GuardTripped, GuardCleared, \
SymbolPaused), so they survive a restart. *Pause symbol* refuses entries of one symbol; exits and stops go \
on. A trade that was not ours (a liquidation, a stranger's) pauses its symbol until somebody has looked.

A way back `calm for circuit_breaker_cooldown_minutes` begins when the rule is kept again and starts over \
when it is broken; an operator may end any trip, and a rule that still holds trips again.
"""


def guards() -> str:
    """Every rule and guard with settings, unit, action and way back."""
    return (
        f"{GUARDS_INTRODUCTION}\n"
        "The tables are generated from `gpt_trader.risk.catalogue:CATALOGUE` by `make docs`; do not edit.\n\n"
        f"## Rules\n\n{table('rule')}\n## Guards\n\n{table('guard')}"
    )


def table(kind: str) -> str:
    rows = "".join(row(entry) for entry in CATALOGUE if entry.kind == kind)
    return (
        f"| {kind.capitalize()} | Threshold | Unit | Action | Way back | Meaning |\n|---|---|---|---|---|---|\n{rows}"
    )


def row(entry: Entry) -> str:
    settings = [f"`{name}`" for name in entry.settings] + ([entry.threshold] if entry.threshold else [])
    cells = (f"`{entry.name}`", ", ".join(settings) or "-", entry.unit, entry.action, entry.way_back, entry.meaning)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    (Path(__file__).parent / "refusals.md").write_text(refusals(), encoding="utf8")
    (Path(__file__).parent / "guards.md").write_text(guards(), encoding="utf8")
