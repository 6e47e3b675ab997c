"""Which pages are made from the code? Writes them again; `make docs` runs this, and a test compares."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from gpt_trader.bot.invariants.table import INVARIANTS
from gpt_trader.config.flags import FLAGS, as_text
from gpt_trader.config.names import known_settings, plain
from gpt_trader.core import events as events_module
from gpt_trader.core.errors import Refusal
from gpt_trader.core.events import SCHEMA_VERSION
from gpt_trader.core.values import TimeInForce
from gpt_trader.execution.advanced.broker_adapter import TIMES_IN_FORCE
from gpt_trader.ops.metrics.table import METRICS, STAGES
from gpt_trader.placement.order_states import MEANING, RANK
from gpt_trader.placement.order_states import table as states_table
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


def events() -> str:
    """Every event type with its publisher, meaning and fields, in the order of the code."""
    source = Path(events_module.__file__).read_text(encoding="utf8")
    declared = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    base, kinds = declared[0], declared[1:]
    intro = (
        f"Everything a run has written down, schema version {SCHEMA_VERSION}. `gpt-trader events show RUN --json` "
        "prints them. An event is stored as JSON with its type under `type`; money, prices and quantities are decimal "
        "text, times are integer nanoseconds since 1970 UTC, a field that has its default is left out. A store keeps "
        "the schema version of each row, and what older versions wrote is read as today's."
    )
    made = "Generated from `gpt_trader.core.events` by `make docs`; do not edit."
    parts = ["# Events", "", intro, "", made, "", f"{_sentence(base)} Every event has:", "", *_fields(base)]
    for kind in kinds:
        parts += ["", f"## {kind.name}", "", _sentence(kind)]
        fields = list(_fields(kind))
        if len(fields) > len(HEAD):
            parts += ["", *fields]
    return "\n".join(parts) + "\n"


HEAD = ("| Field | Type | Default | Meaning |", "|---|---|---|---|")


def _sentence(kind: ast.ClassDef) -> str:
    return " ".join((ast.get_docstring(kind) or "").split())


def _fields(kind: ast.ClassDef) -> Iterator[str]:
    """A row for each field; the text below a field is its meaning."""
    yield from HEAD
    for field, after in zip(kind.body, [*kind.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign):
            continue
        default = "required" if field.value is None else f"`{ast.unparse(field.value)}`"
        shape = ast.unparse(field.annotation).replace("|", "or")
        yield f"| `{ast.unparse(field.target)}` | {shape} | {default} | {_text_of(after)} |"


def _text_of(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split()).replace("|", "\\|")
    return ""


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
SymbolPaused), so they survive a restart, like the highest equity (EquityPeaked) and the entries of the \
last minute. *Pause symbol* refuses entries of one symbol; exits and stops go \
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


def orders() -> str:
    """The state machine of every order, and which times in force make sense."""
    states = "".join(
        f"| `{state}` | {RANK[state]} | {MEANING[state]} | {quoted(after)} |\n"
        for state, after in states_table().items()
    )
    types = "".join(
        f"| `{kind}` | {quoted([each for each in TimeInForce if each in allowed])} |\n"
        for kind, allowed in TIMES_IN_FORCE.items()
    )
    return (
        "# Orders\n\n"
        "What is told of an order by stream, poll, reply or restart is compared with what is known. A word of higher "
        "rank is taken, any other is old news; so status never goes back, in whatever order the words arrive. Fills "
        "are trades and no words: they apply in any state, each (order, trade id) once. `REJECTED` and `FAILED` mean "
        "never placed; when the venue shows such an order after all it is taken back in and told as OrderSightedLate."
        "\n\n"
        "Generated from `gpt_trader.placement.order_states` and `gpt_trader.execution.advanced.broker_adapter` by "
        "`make docs`; do not edit.\n\n"
        f"## States\n\n| State | Rank | Meaning | May be followed by |\n|---|---|---|---|\n{states}\n"
        "## Times in force\n\n"
        "Of these a venue offers what its adapter states. What it does not offer is refused by name, never "
        f"downgraded.\n\n| Order type | Times in force |\n|---|---|\n{types}"
    )


FLAGS_INTRODUCTION = """\
# Flags

A flag changes how we trade, never whether it is watched or written down. Each is a yes/no setting that is declared \
once, with a decision record, an owner and a day by which it is confirmed or removed; a flag without an accepted \
record or past its day fails a test and `gpt-trader adr check`.

```sh
gpt-trader flags list                              # every flag as a run would begin with it
gpt-trader flags show enable_market_impact_guard   # and everybody who said something of it
```

```text
gpt-trader flags list --run NAME                   # as a running bot has them: value, source, since, who, why
gpt-trader flags set enable_market_impact_guard false --reason TEXT
gpt-trader flags unset enable_market_impact_guard --reason TEXT
gpt-trader flags history last                      # what a run began with, and every change since
```

A flag is set like any other setting: defaults < profile < risk file < env file < environment < command line. \
`flags show` prints all of them with the time at which a file was written; the last one counts. On a running bot the \
word of a person stands above all of these, and a latch above that: [rollback.md](rollback.md).
"""


def flags() -> str:
    """Every flag with its variable, default, record, owner and review date."""
    rows = "".join(
        f"| `{flag.name}` | `{flag.env}` | {as_text(flag.default)} | [{flag.adr[:7]}](adr/{flag.adr}) | {flag.owner} | "
        f"{flag.review_by} | {flag.changes} |\n"
        for flag in FLAGS
    )
    return (
        f"{FLAGS_INTRODUCTION}\n"
        "The table is generated from `gpt_trader.config.flags:FLAGS` by `make docs`; do not edit.\n\n"
        "## All flags\n\n"
        f"| Flag | Variable | Default | Record | Owner | Review by | Changes |\n|---|---|---|---|---|---|---|\n{rows}"
    )


def quoted(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "-"


INVARIANTS_INTRODUCTION = """\
# Invariants

What must always be true of the house, by number. The running bot hears every event and looks at itself every ten \
seconds after something has happened; what it finds broken is told as the event InvariantBroken, once for each \
symbol, and the policy follows at once. A simulation looks after every step, and beside what the venue holds.

```sh
gpt-trader invariants          # this table
gpt-trader run --no-panel && gpt-trader invariants last   # the verdicts of a run, from its log
gpt-trader simulate --seeds 2  # days that try to break them
```

Looked at: `event` with every event; `step` between two steps, in memory; `send` when an order leaves; `venue` beside \
what the venue holds; `boot` after a restart; `test` by construction, which the named tests keep.

When broken: `record` tells it and no more; `pause` stops entries of the symbol; `reduce_only` stops all entries; \
`freeze` lets nothing leave. An operator sets the mode again (`gpt-trader mode`) once the cause is known.
"""


def invariants() -> str:
    """Every invariant with where it is looked at and what follows when it is broken."""
    rows = "".join(
        f"| {each.number} | `{each.name}` | {each.promise} | {', '.join(each.places)} | {each.policy} | "
        f"{quoted(part.strip() for part in each.kept_by.split(',') if part.strip())} |\n"
        for each in INVARIANTS
    )
    return (
        f"{INVARIANTS_INTRODUCTION}\n"
        "Generated from `gpt_trader.bot.invariants.table:INVARIANTS` by `make docs`; do not edit.\n\n"
        f"| | Name | Promise | Looked at | When broken | Tests |\n|---|---|---|---|---|---|\n{rows}"
    )


METRICS_INTRODUCTION = """\
# Metrics

A running bot serves its figures to Prometheus when it is given a port. Off by default, and on loopback only unless \
told otherwise: whoever reaches the page reads how much is held. There is no secret on it.

```sh not run: goes on until it is stopped
pip install "gpt-trader[metrics]"
GPT_TRADER_METRICS__PORT=9464 gpt-trader run --pace realtime   # then: curl http://127.0.0.1:9464/metrics
```

`metrics.host` is the address to listen on. Counting and the page are the work of threads beside the bot: the order \
path pays one append for an event, and one picture of the bot when somebody asks. When the bot does not answer within \
two seconds the page comes all the same, with `gpt_trader_loop_answers 0` and without gauges. Counters begin at zero \
with each process; what a run has counted in all its boots is in its log (`gpt-trader tca`, `report`). Amounts are in \
the account's currency, quantities in base units. Exact amounts stand in the log; figures here are rounded to floats.

`deploy/grafana/gpt-trader.json` is a dashboard, `deploy/prometheus/gpt-trader.rules.yml` are alert rules, \
`deploy/prometheus/prometheus.yml` the smallest scrape configuration: [deploy.md](deploy.md). A test holds every name \
and label in them against this table. Labels that a venue or a source chooses have at most a hundred values, then \
`other`. Alerts that need no Prometheus: [alerts.md](alerts.md).
"""


def metrics() -> str:
    """Every figure with its kind and labels, and what the stages are."""
    rows = "".join(
        f"| `{metric.name}` | {metric.kind} | {quoted(metric.labels)} | {metric.meaning} |\n" for metric in METRICS
    )
    stages = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in STAGES.items())
    return (
        f"{METRICS_INTRODUCTION}\n"
        "Generated from `gpt_trader.ops.metrics.table:METRICS` by `make docs`; do not edit.\n\n"
        f"## All figures\n\n| Name | Kind | Labels | Meaning |\n|---|---|---|---|\n{rows}\n"
        "A histogram is served as `_bucket`, `_sum` and `_count`; the library adds `_created` beside counters, and "
        "`process_` figures of memory, processor and open files.\n\n"
        f"## Stages\n\nLabel `stage` of `gpt_trader_stage_seconds`.\n\n| Stage | Is |\n|---|---|\n{stages}"
    )


CONFIGURATION_INTRODUCTION = """\
# Configuration

Every setting, with what it means, its unit, its default, and the other names by which it can be set. Sources, each \
above the one before: defaults < profile < risk file < env file < environment < command line < what a person told the \
running bot. A value that is not understood is an error; nothing falls back in silence.

```sh
gpt-trader config show --profile canary    # every value, and who set it
gpt-trader config check --profile canary   # what is wrong, or may not be meant
```

A profile is a YAML file with the sections below; a risk file is JSON with the settings of `risk`. Mappings are \
written as `BTC-PERP:10,ETH-PERP:8` in a variable.
"""


def configuration() -> str:
    """Every setting by section."""
    parts = [
        CONFIGURATION_INTRODUCTION,
        "Generated from the models of `gpt_trader.config` by `make docs`; do not edit.\n",
    ]
    section = None
    for path, known in known_settings().items():
        before, _, _ = path.rpartition(".")
        if before != section:
            section = before
            parts.append(
                f"## {section or 'The whole'}\n\n| Setting | Default | Unit | Allowed | Variable, option | Acts |"
            )
            parts.append("|---|---|---|---|---|---|")
        names = ", ".join(f"`{name}`" for name in (known.env, known.option) if name)
        default = f"`{json.dumps(plain(known.default), ensure_ascii=False)}`"
        acts = known.acts.replace("/", ".")
        parts.append(
            f"| `{path}`: {known.meaning} | {default} | {known.unit} | {known.allowed or '-'} | {names} | {acts} |"
        )
    lines = "\n".join(parts)
    return lines.replace("\n## ", "\n\n## ").replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    pages = {
        "configuration.md": configuration,
        "refusals.md": refusals,
        "events.md": events,
        "guards.md": guards,
        "orders.md": orders,
        "flags.md": flags,
        "invariants.md": invariants,
        "metrics.md": metrics,
    }
    for name, page in pages.items():
        (Path(__file__).parent / name).write_text(page(), encoding="utf8")
