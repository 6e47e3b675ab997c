"""Which pages are made from the code? Writes them again; `make docs` runs this, and a test compares."""

from __future__ import annotations

from pathlib import Path

from gpt_trader.core.errors import Refusal


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


if __name__ == "__main__":
    (Path(__file__).parent / "refusals.md").write_text(refusals(), encoding="utf8")
