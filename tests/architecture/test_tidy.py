"""Is the house tidy? Rules that a reader would otherwise have to remember, each with its reason."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.house import (
    ROOT,
    SRC,
    calls,
    classes,
    committed_files,
    dotted,
    full_name,
    modules,
    nodes,
    tree,
    where,
)

CLOCKS: Final = re.compile(
    r"time\.(time|time_ns|monotonic|monotonic_ns|sleep|localtime|gmtime|strftime)|asyncio\.sleep"
    r"|datetime\.(datetime\.)?(now|utcnow|today)|datetime\.date\.today"
)
RANDOMNESS: Final = re.compile(
    r"uuid\.uuid[14]|os\.urandom|secrets\.\w+|random\.(?!Random$)\w+|numpy\.random\.(?!Generator$|default_rng$|PCG64$|SeedSequence$)\w+"
)
MAY_READ_CLOCKS: Final = {"core/clock.py"}
MAY_DRAW_WITHOUT_SEED: Final = {"ops/dashboard/access.py"}
"""Tokens and sessions must be guessed by nobody; no run depends on them."""
BROAD_EXCEPT_ALLOWED: Final = {"core/bus.py", "bot/bot.py", "bot/quiet.py"}
"""Where listeners are told, and where strategies are asked: bar by bar, and many bars at once."""
MAY_PRINT: Final = ("cli/", "report/")
FORBIDDEN_CALLS: Final = re.compile(
    r"yaml\.(load|unsafe_load|full_load)(_all)?|pickle\.\w+|marshal\.\w+|shelve\.\w+|eval|exec|os\.system|os\.popen|builtins\.\w+"
)
GUESSING: Final = {"getattr", "hasattr", "setattr", "delattr"}
ENGINES: Final = {"LiveExecutionEngine", "AdvancedExecutionEngine", "ExecutionEngine"}
ENGINE_FLAGS: Final = {"enable_dynamic_position_sizing", "enable_market_impact_guard"}
VAGUE: Final = re.compile(r"(Manager|Helper|Service|Coordinator|Utils?|Base|Mixin|Processor|Orchestrator|Facade)$")
MISSION_NAMES: Final = {
    "DynamicSizingHelper",
    "GuardManager",
    "LiveRiskManager",
    "OrderManager",
    "StopTriggerManager",
}
NOT_TOLD_YET: Final[set[str]] = set()
"""Events that wait for their publisher."""
NORMALIZED_MAKERS: Final = {"execution/live/", "execution/advanced/", "execution/handlers/validation.py"}


def offenders(found: list[str], rule: str) -> None:
    assert not found, f"{rule}:\n  " + "\n  ".join(found)


def test_only_the_clock_reads_clocks() -> None:
    """What reads a clock or sleeps by itself cannot run on market time."""
    found = [
        f"{where(module, node)} {name}"
        for module, name, node in calls()
        if module not in MAY_READ_CLOCKS and CLOCKS.fullmatch(name)
    ]
    offenders(found, "inject core.clock.Clock instead")


def test_nothing_is_drawn_without_a_seed() -> None:
    """The same seed gives the same event log, so nothing may be drawn from anywhere else."""
    found = [
        f"{where(module, node)} {name}"
        for module, name, node in calls()
        if module not in MAY_DRAW_WITHOUT_SEED
        and (
            RANDOMNESS.fullmatch(name)
            or (name in {"random.Random", "numpy.random.default_rng", "numpy.random.SeedSequence"} and not node.args)
        )
    ]
    offenders(found, "draw from a seeded generator")


def test_a_broad_except_stands_in_two_places_only() -> None:
    """A swallowed error is a lost order; only the bot's loop and the bus may catch everything, and they report it.

    Tidying up and raising again catches nothing.
    """
    counted: dict[str, list[str]] = defaultdict(list)
    for module, node in nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        if not raises_again and any(kind is None or dotted(kind) in {"Exception", "BaseException"} for kind in kinds):
            counted[module].append(where(module, node))
    for module, name, call in calls():
        if name.endswith("suppress") and any(dotted(kind) in {"Exception", "BaseException"} for kind in call.args):
            counted[module].append(where(module, call))
    found = [place for module, places in counted.items() if module not in BROAD_EXCEPT_ALLOWED for place in places]
    found += [place for places in counted.values() for place in places[1:]]
    offenders(found, "name the errors that are meant")


def test_nothing_prints_but_the_face() -> None:
    """Machines read stdout of `--json`; only cli and report may write to it."""
    found = [where(m, node) for m, name, node in calls() if name == "print" and not m.startswith(MAY_PRINT)]
    offenders(found, "return the text, or publish an event")


def test_f103_nothing_executes_data() -> None:
    """Configuration, recordings and stores are data: no yaml.load, pickle or eval."""
    offenders(
        [f"{where(m, node)} {name}" for m, name, node in calls() if FORBIDDEN_CALLS.fullmatch(name)],
        "read data with a parser that cannot run it",
    )


def test_nothing_guesses_what_it_holds() -> None:
    """getattr and hasattr hide a missing type."""
    offenders(
        [f"{where(m, node)} {name}" for m, name, node in calls() if name in GUESSING],
        "give the value a type and use the attribute",
    )


def test_nobody_asks_which_engine_it_has() -> None:
    """Both engines keep one protocol; whoever asks for the class has found a hole in it."""
    found = []
    for module, name, node in calls():
        if name not in {"isinstance", "issubclass"} or len(node.args) != 2:
            continue
        mentioned = {dotted(part).rpartition(".")[2] for part in ast.walk(node.args[1])}
        if mentioned & ENGINES:
            found.append(where(module, node))
    offenders(found, "add what is missing to execution.engine.ExecutionEngine")


def event_classes() -> dict[str, ast.ClassDef]:
    """Every event type: Event in core/events.py and all that derive from it."""
    known = {"Event"}
    found: dict[str, ast.ClassDef] = {}
    for node in modules()["core/events.py"].body:
        if isinstance(node, ast.ClassDef) and any(dotted(base) in known for base in node.bases):
            known.add(node.name)
            found[node.name] = node
    return found


def makers(names: set[str]) -> dict[str, set[str]]:
    """Which modules construct values of these classes."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, name, _ in calls():
        last = name.rpartition(".")[2]
        if last in names and name.startswith("gpt_trader."):
            found[last].add(module)
    return found


def test_each_event_has_one_publisher() -> None:
    """Who wants to know why something is in the log has one file to open."""
    found = [
        f"{event}: {', '.join(sorted(places))}"
        for event, places in makers(set(event_classes())).items()
        if len(places) > 1
    ]
    offenders(found, "let one module make the event and the others call it")


def test_events_are_made_where_their_docstring_says() -> None:
    """`Publisher: bot.bot` in a docstring is a promise."""
    made = makers(set(event_classes()))
    found = []
    for name, node in event_classes().items():
        said = re.search(r"Publisher: ([a-z_]+(?:\.[a-z_]+)+)", ast.get_docstring(node) or "")
        places = made.get(name, set())
        if said and places and places != {said[1].replace(".", "/") + ".py"}:
            found.append(f"{name}: says {said[1]}, made in {', '.join(sorted(places))}")
    offenders(found, "correct the docstring or the maker")


def test_every_event_has_its_publisher() -> None:
    """A fact that nobody tells is a promise in the log's vocabulary; the few that wait for a venue are named here."""
    made = makers(set(event_classes()))
    silent = {name for name in event_classes() if not made.get(name)}
    assert silent <= NOT_TOLD_YET, "publish it, or take it out"
    unsaid = [name for name, node in event_classes().items() if "Publisher: " not in (ast.get_docstring(node) or "")]
    offenders(unsaid, "say in the docstring who publishes it")


def test_events_are_declared_in_core_only() -> None:
    """The log's vocabulary is one file."""
    names = {"Event", *event_classes()}
    found = [
        f"{where(module, node)} {node.name}"
        for module, node in classes()
        if module != "core/events.py"
        and any(full_name(module, base).removeprefix("gpt_trader.core.events.") in names for base in node.bases)
    ]
    offenders(found, "move the event to core/events.py")


def test_no_event_carries_a_float() -> None:
    """A float in the log is a number that differs between machines; money is Decimal, times are int."""
    found = [
        f"{name}.{dotted(field.target)}"
        for name, node in event_classes().items()
        for field in node.body
        if isinstance(field, ast.AnnAssign) and "float" in ast.unparse(field.annotation)
    ]
    offenders(found, "store a Decimal, an int or text")


def test_approval_is_given_in_one_place() -> None:
    """An ApprovedOrder is the proof that risk has looked; whoever else makes one forges it."""
    assert makers({"ApprovedOrder"})["ApprovedOrder"] == {"execution/handlers/risk.py"}


def test_only_validation_makes_normalized_orders() -> None:
    """A NormalizedOrderRequest is the proof of validation."""
    places = makers({"NormalizedOrderRequest"})["NormalizedOrderRequest"]
    assert places
    offenders(
        [place for place in places if not place.startswith(tuple(NORMALIZED_MAKERS))],
        "leave it to the engines' validators",
    )


def test_the_engine_flags_are_read_in_one_place() -> None:
    """What the flags mean is the factory's knowledge; a second reader would be a third engine."""
    found = []
    for module, node in nodes((ast.Attribute, ast.Name, ast.Constant, ast.keyword)):
        if module.startswith("config/") or module in {"execution/factory.py", "risk/catalogue.py"}:
            continue  # the catalogue names the setting for people, and reads nothing
        name = (
            node.attr
            if isinstance(node, ast.Attribute)
            else node.id
            if isinstance(node, ast.Name)
            else node.arg
            if isinstance(node, ast.keyword)
            else node.value
            if isinstance(node, ast.Constant)
            else None
        )
        if name in ENGINE_FLAGS:
            found.append(f"{where(module, node)} {name}")
    offenders(found, "ask execution.factory.ExecutionEngineFactory")


def test_only_the_submitter_calls_the_venue() -> None:
    """One door: whoever else sends, cancels or edits is a second owner of "was it sent?"."""
    found = [
        where(module, node)
        for module, node in nodes(ast.Call)
        if isinstance(node, ast.Call)
        and re.search(r"(^|[._])(adapter|exchange|venue)\.(send|cancel|edit)$", dotted(node.func))
        and not module.startswith(("placement/submitter.py", "exchange/", "venue/", "research/bad_days/wire.py"))
    ]
    offenders(found, "go through placement.submitter.OrderSubmitter")


def test_class_names_say_what_the_class_is() -> None:
    """Manager, Helper and their kin name nothing; the mission's own names are the exception."""
    found = [
        f"{where(module, node)} {node.name}"
        for module, node in classes()
        if VAGUE.search(node.name) and node.name not in MISSION_NAMES
    ]
    offenders(found, "name the thing")


def test_every_module_says_which_question_it_answers() -> None:
    """A module's docstring begins with a sentence."""
    found = []
    for module, syntax in modules().items():
        docstring = ast.get_docstring(syntax) or ""
        first = docstring.split("\n\n")[0].strip()
        if not re.fullmatch(r"[A-Z`].*[.?!:]", first, re.DOTALL):
            found.append(f"src/gpt_trader/{module}: {first[:60]!r}")
    offenders(found, "begin with one or more whole sentences")


def test_nothing_is_left_for_later_in_a_comment() -> None:
    """What is not built is refused by name and stands in the README, not in a comment."""
    marker = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted([*SRC.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if marker.search(line)
    ]
    offenders(found, "do it, or refuse by name")


def test_every_test_says_what_it_promises() -> None:
    """One sentence per test, so that a red test can be read without its code."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").strip()
    ]
    offenders(found, "give the test a docstring of one sentence")


def test_no_test_replaces_our_own_code() -> None:
    """The doubles are products: PaperExchange, ManualClock. A mock of our own code tests the mock."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Import) and any(item.name.startswith("unittest.mock") for item in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
    ]
    offenders(found, "use a product double")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"])
def test_f102_locks_pin_with_hashes_and_name_no_address(name: str) -> None:
    """A lock says what, proven by hash; where it comes from is the machine's business."""
    text = (ROOT / name).read_text(encoding="utf8")
    assert not re.search(r"[a-z]+://|--(extra-)?index|--find-links", text)
    pins = re.split(r"(?m)^(?=\S)", text)
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins if pin.strip())


def text_files() -> list[Path]:
    skipped = {".gz", ".zip", ".png", ".zst", ".parquet", ".ico", ".lock"}
    return [path for path in committed_files() if path.suffix not in skipped]


def test_no_path_of_a_machine_is_committed() -> None:
    """What works only on the machine where it was written does not belong here."""
    folders = "home|root|Users|work|opt|mnt"
    machine = re.compile(rf"(?<![\w.~}}/-])/({folders})/\w")
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if machine.search(line)
    ]
    offenders(found, "write the path relative to the project or to GPT_TRADER_HOME")
