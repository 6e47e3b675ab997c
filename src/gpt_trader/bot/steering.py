"""Which flags and limits hold now, and who said so? Changes them, and with them the engine, on a running bot.

A change of engine is one assignment: the factory builds the other engine from the shared parts, and whoever asks the
bot for its engine from then on gets the new one. Orders, tactics, stops and guards belong to the house and go on.
Everything is built before anything is changed; what cannot be built leaves all as it was, and says why.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.bot.candidate import check_shadow, furnish_shadow, select_candidate
from gpt_trader.bot.rollout.share import Rollout
from gpt_trader.bot.shadow import Shadow
from gpt_trader.config.bot import BotConfig
from gpt_trader.config.flags import ENGINE_FLAGS, FLAGS, SHADOW, Flag, FlagValue, as_text, find_flag, parse_value
from gpt_trader.config.load import Loaded, as_stored, value_at, with_values
from gpt_trader.config.names import plain
from gpt_trader.config.sources import Layer, Source
from gpt_trader.config.tightness import Change, changed_settings, judge
from gpt_trader.core.errors import ConfigError, GptTraderError, Number
from gpt_trader.core.events import (
    EngineSwapFailed,
    EngineSwapped,
    Event,
    FlagCleared,
    FlagSet,
    LimitsChanged,
)
from gpt_trader.execution.engine import ExecutionEngine, SharedParts
from gpt_trader.execution.factory import EngineChoice, EngineSelection, ExecutionEngineFactory

__all__ = ["LATCH", "RUNTIME", "FlagState", "Reloaded", "Steering"]

RUNTIME: Final = Layer.RUNTIME.value
LATCH: Final = "latch"
FILES: Final = (Layer.PROFILE, Layer.RISK_FILE, Layer.ENV_FILE)
"""What can change while the bot runs; environment and command line are those of its start."""
BUILD_ERRORS: Final = (
    GptTraderError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a fault in an engine's furnishing raises."""
MARKET: Final = "market"
IN_FLIGHT_MAX: Final = 500
"""Orders that EngineSwapped names; a bot with more of them has other worries."""
CANCEL_PENDING: Final = "CANCEL_PENDING"


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above the configuration of one flag."""

    value: FlagValue
    source: str
    at_ns: int
    beneath: str
    who: str
    reason: str


class FlagState(msgspec.Struct, frozen=True, kw_only=True):
    """A flag as it is now."""

    flag: str
    value: FlagValue
    source: str
    since_ns: int | None
    """When the word was given or the file written; None for the environment, options and defaults of the start."""
    who: str = ""
    reason: str = ""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload did."""

    changed: Mapping[str, Number]
    """Settings that hold anew, by path."""
    held_back: Mapping[str, Number]
    """Settings that are not surely tighter, and wait for a confirmation."""
    engine: str


class Steering:
    """One for a running bot. `load` reads the configuration again, with the environment and options of the start."""

    def __init__(self, built: BuiltBot, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        self._built = built
        self._bot = built.bot
        self._load = load
        self._files = loaded
        """What configuration says without any word of ours, as last read."""
        self._config = loaded.config
        self._words: dict[str, Word] = {}
        self.rollout = Rollout(built, self)

    # --- questions ------------------------------------------------------------------------------------------------
    @property
    def config(self) -> BotConfig:
        """What holds now."""
        return self._config

    def flags(self) -> Iterator[FlagState]:
        """Every flag with its value and who said so."""
        for flag in FLAGS:
            word, value = self._words.get(flag.name), _held(self._config, flag)
            if word is not None:
                yield FlagState(
                    flag=flag.name,
                    value=value,
                    source=word.source,
                    since_ns=word.at_ns,
                    who=word.who,
                    reason=word.reason,
                )
            else:
                source = self._files.sources[flag.path]
                yield FlagState(flag=flag.name, value=value, source=str(source), since_ns=source.since_ns)

    # --- flags ----------------------------------------------------------------------------------------------------
    def set_flag(self, name: str, *, value: FlagValue, who: str, reason: str, latch: bool = False) -> None:
        """Give a flag a value above every file, variable and option, over restarts, until `unset_flag` or a file that
        says something new of it. A latch is ended by `unset_flag` only. Raises ConfigError and changes nothing when
        the value would not take effect."""
        flag = find_flag(name)
        held = self._words.get(flag.name)
        if held is not None and held.source == LATCH and not latch:
            raise ConfigError(
                f"{flag.name} is latched {as_text(held.value)} by {held.who}: {held.reason}. "
                f"Fix: `gpt-trader flags unset {flag.name}` first"
            )
        word = Word(
            value=value,
            source=LATCH if latch else RUNTIME,
            at_ns=self._bot.clock.now_ns(),
            beneath=_beneath(self._files, flag),
            who=who,
            reason=reason,
        )
        self._adopt({**self._words, flag.name: word}, self._files, who, reason, wanted={flag: (value, f"{who}")})

    def set_flags(self, values: Mapping[str, bool], *, who: str, reason: str) -> None:
        """The same for several at once, and one change of engine. Raises ConfigError and changes nothing."""
        self.check_flags(values)
        self._adopt(
            {**self._words, **self._new_words(values, RUNTIME, who, reason)},
            self._files,
            who,
            reason,
            wanted={find_flag(name): (value, who) for name, value in values.items()},
        )

    def check_flags(self, values: Mapping[str, bool]) -> None:
        """Raises ConfigError when these values would not take effect: latched, overridden, or at odds with a limit."""
        for name, value in values.items():
            held = self._words.get(name)
            if held is not None and held.source == LATCH and held.value is not value:
                raise ConfigError(
                    f"{name} is latched {as_text(held.value)} by {held.who}: {held.reason}. "
                    f"Fix: `gpt-trader flags unset {name}` first"
                )
        config = with_values(self._config, {find_flag(name).path: value for name, value in values.items()})
        words = {**self._words, **self._new_words(values, RUNTIME, "", "")}
        wanted = {find_flag(name): (value, "") for name, value in values.items()}
        self._check_effect(self._select(config, words), config, wanted)

    def _new_words(self, values: Mapping[str, bool], source: str, who: str, reason: str) -> dict[str, Word]:
        now_ns = self._bot.clock.now_ns()
        return {
            name: Word(
                value=value,
                source=source,
                at_ns=now_ns,
                beneath=_beneath(self._files, find_flag(name)),
                who=who,
                reason=reason,
            )
            for name, value in values.items()
        }

    def unset_flag(self, name: str, *, who: str, reason: str) -> None:
        """Let the configuration decide again. Raises ConfigError when nothing stands above it."""
        flag = find_flag(name)
        if flag.name not in self._words:
            raise ConfigError(f"{flag.name}: nothing to unset; it is {self._source_of(flag)}")
        words = {name: word for name, word in self._words.items() if name != flag.name}
        self._adopt(words, self._files, who, reason, wanted={})

    def latch_engine_off(self, *, who: str, reason: str) -> None:
        """Back to the baseline and stay there, whatever any source says, restarts included."""
        self.latch_off([flag.name for flag in ENGINE_FLAGS], who=who, reason=reason)

    def latch_off(self, names: Sequence[str], *, who: str, reason: str) -> None:
        """These flags are off, whatever any source says, restarts included, until `unset_flag`."""
        latched = self._new_words(dict.fromkeys(names, False), LATCH, who, reason)
        self._adopt({**self._words, **latched}, self._files, who, reason, wanted={})

    def recall(self, events: Iterable[Event]) -> None:
        """After a restart, before the start: what was said of flags in earlier boots still holds, unless the files say
        something new since."""
        words: dict[str, Word] = {}
        for event in events:
            match event:
                case FlagSet():
                    words[event.flag] = Word(
                        value=parse_value(find_flag(event.flag), event.value),
                        source=event.source,
                        at_ns=event.at_ns,
                        beneath=event.beneath,
                        who=event.who,
                        reason=event.reason,
                    )
                case FlagCleared():
                    words.pop(event.flag, None)
                case _:
                    pass
        self._words = words
        kept = {name: word for name, word in words.items() if self._still_counts(find_flag(name), word, self._files)}
        config = with_values(self._config, {find_flag(name).path: word.value for name, word in kept.items()})
        if words:
            self._adopt(kept, self._files, "restart", "as set in an earlier boot", wanted={}, config=config)
        self.rollout.recall(self._built.recovery.rollout)

    # --- reload ---------------------------------------------------------------------------------------------------
    def reload(self, *, who: str, reason: str, confirmed: bool = False) -> Reloaded:
        """Read the files again. Raises ConfigError, with wanted, effective and winning source of each flag that did
        not become what its file says, and with each setting that needs a restart; nothing is changed then, but that
        an engine flag which a file turned off is off all the same."""
        fresh = self._load()
        words, wanted = self._words_after(fresh, who, reason)
        above = {find_flag(name).path: word.value for name, word in words.items()}
        config = with_values(fresh.config, above)
        try:
            self._check_reloadable(config)
            self._check_wanted(config, words, wanted, fresh)
        except ConfigError as error:
            self._turn_off_all_the_same(words, who, reason)
            raise ConfigError(f"reload refused, {self._bot.engine.name} trades on. {error}") from error
        config, held_back = self._tightened(config, confirmed=confirmed)
        changed = {path: _text(config, path) for path in changed_settings(self._config, config)}
        self._adopt(words, fresh, who, reason, wanted=wanted, config=config, held_back=held_back)
        return Reloaded(changed=changed, held_back=held_back, engine=self._bot.engine.name)

    def _words_after(
        self, fresh: Loaded, who: str, reason: str
    ) -> tuple[dict[str, Word], dict[Flag, tuple[FlagValue, str]]]:
        """What stands above these files, and what they newly want. A file that says something new of a flag ends the
        word of the runtime; one that newly says `false` of an engine flag wins over every other source."""
        words: dict[str, Word] = {}
        wanted: dict[Flag, tuple[FlagValue, str]] = {}
        for flag in FLAGS:
            word = self._words.get(flag.name)
            if word is not None and self._still_counts(flag, word, fresh):
                words[flag.name] = word
            source = _newly_said(self._files, fresh, flag)
            said = None if source is None else _says(flag, source)
            if source is None or said is None:
                continue
            wanted[flag] = (said, str(source))
            if flag.chooses_engine and not said and flag.name not in words:
                words[flag.name] = Word(
                    value=False,
                    source=str(source),
                    at_ns=self._bot.clock.now_ns(),
                    beneath=_beneath(fresh, flag),
                    who=who,
                    reason=reason,
                )
        return words, wanted

    @staticmethod
    def _still_counts(flag: Flag, word: Word, files: Loaded) -> bool:
        return word.source == LATCH or word.beneath == _beneath(files, flag)

    def _check_reloadable(self, config: BotConfig) -> None:
        stuck = [
            f"{path}: {_text(self._config, path)} -> {_text(config, path)}"
            for path in changed_settings(self._config, config)
            if judge(path, value_at(self._config, path), value_at(config, path)) is Change.RESTART
        ]
        if stuck:
            raise ConfigError(
                f"Only a restart changes {'; '.join(stuck)}. Fix: take it back, or stop and start the bot"
            )

    def _check_wanted(
        self, config: BotConfig, words: Mapping[str, Word], wanted: Mapping[Flag, tuple[FlagValue, str]], files: Loaded
    ) -> None:
        """A file that says one thing while another source wins is a rollback that did not happen."""
        missed = []
        for flag, (value, by) in wanted.items():
            effective = _held(config, flag)
            if effective != value:
                word = words.get(flag.name)
                winner = f"{word.source} ({word.who}: {word.reason})" if word else str(files.sources[flag.path])
                missed.append(
                    f"{flag.name}: wanted {as_text(value)} by {by}, effective {as_text(effective)} by {winner}"
                )
        if missed:
            raise ConfigError("; ".join(missed))

    def _turn_off_all_the_same(self, words: Mapping[str, Word], who: str, reason: str) -> None:
        """What turns an engine flag off is never held back by what else stands in the file."""
        offs = {
            flag.name: words[flag.name]
            for flag in ENGINE_FLAGS
            if flag.name in words and not words[flag.name].value and value_at(self._config, flag.path)
        }
        if offs:
            self._adopt({**self._words, **offs}, self._files, who, reason, wanted={})

    def _tightened(self, config: BotConfig, *, confirmed: bool) -> tuple[BotConfig, Mapping[str, Number]]:
        """`config` with only those of its changes that are surely tighter, and the others; all of them if confirmed."""
        flags = {flag.path for flag in ENGINE_FLAGS}
        loose = {
            path: _text(config, path)
            for path in changed_settings(self._config, config)
            if path not in flags
            and judge(path, value_at(self._config, path), value_at(config, path)) is not Change.TIGHTER
        }
        if confirmed or not loose:
            return config, {}
        return with_values(config, {path: value_at(self._config, path) for path in loose}), loose

    # --- what follows ---------------------------------------------------------------------------------------------
    def _adopt(
        self,
        words: Mapping[str, Word],
        files: Loaded,
        who: str,
        reason: str,
        *,
        wanted: Mapping[Flag, tuple[FlagValue, str]],
        config: BotConfig | None = None,
        held_back: Mapping[str, Number] | None = None,
    ) -> None:
        """Build what follows from these words and files, and only then let it count. Raises ConfigError."""
        if config is None:  # a word about one flag is no reload of anything else
            changed = [flag for flag in FLAGS if words.get(flag.name) != self._words.get(flag.name)]
            config = with_values(self._config, {flag.path: _value(flag, words, files) for flag in changed})
        selection = self._select(config, words)
        self._check_effect(selection, config, wanted)
        asked_anew = words.get(SHADOW.name) != self._words.get(SHADOW.name)
        engine, shadow = self._build(config, selection, who, asked_anew=asked_anew)
        self._tell_flags(words, config, who, reason)
        self._change_limits(config, who, reason, held_back or {})
        self._exchange(engine, selection, who, reason)
        self._words, self._files = dict(words), files
        self._change_shadow(shadow, who, reason)

    def _select(self, config: BotConfig, words: Mapping[str, Word]) -> EngineSelection:
        """`--engine` holds until an engine flag is turned off: what takes an engine back wins over every source."""
        off = any(flag.name in words and not words[flag.name].value for flag in ENGINE_FLAGS)
        choice = EngineChoice.FLAGS if off else EngineChoice(config.run.engine)
        return ExecutionEngineFactory.select(config.risk, choice)

    @staticmethod
    def _check_effect(
        selection: EngineSelection, config: BotConfig, wanted: Mapping[Flag, tuple[FlagValue, str]]
    ) -> None:
        for flag, (value, _) in wanted.items():
            if flag is SHADOW:
                check_shadow(config, selection)
            if flag.chooses_engine and value and not selection.advanced:
                raise ConfigError(
                    f"{flag.name} = true has no effect: --engine {config.run.engine} overrides the flags. "
                    "Fix: start without --engine"
                )

    def build(self, selection: EngineSelection) -> ExecutionEngine:
        """Another engine from the parts as they are now, for whoever tries one; raises ConfigError."""
        try:
            return _furnish(selection, self._built.parts)
        except BUILD_ERRORS as error:
            raise ConfigError(f"the engine cannot be built: {type(error).__name__}: {error}") from error

    def _build(
        self, config: BotConfig, selection: EngineSelection, who: str, *, asked_anew: bool
    ) -> tuple[ExecutionEngine, Shadow | None]:
        """The engine that trades, and who looks on; `asked_anew` is a new word about the latter."""
        parts = dataclasses.replace(
            self._built.parts,
            config=config.risk,
            preview_enabled=config.execution.order_preview_enabled,
            slippage_multipliers=config.execution.slippage_multipliers,
        )
        try:
            shadow = self._shadow_of(config, selection, parts, asked_anew=asked_anew)
            others = tuple(each for each in parts.witnesses if each is not self._bot.shadow)
            parts = dataclasses.replace(parts, witnesses=others if shadow is None else (*others, shadow))
            engine = _furnish(selection, parts)
        except BUILD_ERRORS as error:
            problem = f"{type(error).__name__}: {error}"
            self._bot.bus.publish(
                EngineSwapFailed(at_ns=self._bot.clock.now_ns(), engine=self._bot.engine.name, who=who, problem=problem)
            )
            raise ConfigError(
                f"{self._bot.engine.name} goes on, the other engine cannot be built: {problem}"
            ) from error
        self._built.parts = parts
        return engine, shadow

    def _shadow_of(
        self, config: BotConfig, selection: EngineSelection, parts: SharedParts, *, asked_anew: bool
    ) -> Shadow | None:
        """The one that looks on already stays where it is the same candidate; one that failed waits for a new word."""
        wanted, shadow = select_candidate(config, selection), self._bot.shadow
        if wanted is None:
            return None
        if shadow is not None and shadow.features == wanted.features and not (shadow.ended and asked_anew):
            return shadow
        return furnish_shadow(config, wanted, parts)

    def begin_shadow(self) -> None:
        """Let the candidate look on that the configuration names, once the bot is built."""
        if select_candidate(self._config, self._built.selection) is not None:
            self._adopt(self._words, self._files, "", "", wanted={}, config=self._config)

    def _change_shadow(self, shadow: Shadow | None, who: str, reason: str) -> None:
        """Limits reach the candidate too. It is told who asked for it, or why it ended."""
        before = self._bot.shadow
        if shadow is before:
            if shadow is not None:
                shadow.reload(self._config.risk)
            return
        self._bot.shadow = shadow
        if before is not None:
            itself = shadow is None and self._config.run.shadow != SHADOW.default
            before.end(f"{self._bot.engine.name} trades itself; {reason}" if itself else reason, who)
        if shadow is not None:
            shadow.begin(source=self._source_name(SHADOW), who=who, reason=reason)

    def _tell_flags(self, words: Mapping[str, Word], config: BotConfig, who: str, reason: str) -> None:
        now_ns = self._bot.clock.now_ns()
        for name, word in words.items():
            if self._words.get(name) != word:
                self._bot.bus.publish(
                    FlagSet(
                        at_ns=now_ns,
                        flag=name,
                        value=as_text(word.value),
                        source=word.source,
                        beneath=word.beneath,
                        who=word.who,
                        reason=word.reason,
                    )
                )
        for name in self._words.keys() - words.keys():
            value = as_text(value_at(config, find_flag(name).path))
            self._bot.bus.publish(FlagCleared(at_ns=now_ns, flag=name, value=value, who=who, reason=reason))

    def _change_limits(self, config: BotConfig, who: str, reason: str, held_back: Mapping[str, Number]) -> None:
        bot, before = self._bot, self._config
        changed = [path for path in changed_settings(before, config) if path != SHADOW.path]  # no limit, and no matter
        self._config = config  # of who trades: the guards need not look
        if not changed and not held_back:
            return
        bot.bus.publish(
            LimitsChanged(
                at_ns=bot.clock.now_ns(),
                values={path: as_stored(value_at(config, path)) for path in changed},
                was={path: as_stored(value_at(before, path)) for path in changed},
                held_back=held_back,
                who=who,
                reason=reason,
            )
        )
        self._built.parts.risk.reload(config.risk)
        self._built.figures.reload(config.risk)
        bot.settings = dataclasses.replace(bot.settings, default_fraction=config.risk.default_position_size_pct)
        bot.guards.reload(config.risk)
        bot.look_now()

    def _exchange(self, engine: ExecutionEngine, selection: EngineSelection, who: str, reason: str) -> None:
        """The assignment. Where only limits changed it is the same engine with other furniture, and no swap."""
        bot, before = self._bot, self._built.selection
        if before.features == selection.features:
            bot.engine = engine
            self._built.selection = selection
            return
        living = list(bot.orders.living())

        def assign(_: Event) -> None:
            bot.engine = engine
            self._built.selection = selection

        bot.bus.publish(
            EngineSwapped(
                at_ns=bot.clock.now_ns(),
                was=bot.engine.name,
                engine=engine.name,
                dynamic_sizing=selection.dynamic_sizing,
                impact_guard=selection.impact_guard,
                reason=f"{selection.reason}; {reason}",
                who=who,
                deciding=self._built.parts.intents.in_hallway,
                working=bot.tracker.working()[:IN_FLIGHT_MAX],
                in_flight={
                    order.client_order_id: CANCEL_PENDING if order.cancel_requested else order.state.value
                    for order in living[:IN_FLIGHT_MAX]
                },
                tactics={
                    symbol: f"{tactic} -> {MARKET}"
                    for symbol, tactic in bot.settings.entry_tactics.items()
                    if tactic not in engine.tactics
                },
            ),
            first=assign,
        )

    def _source_name(self, flag: Flag) -> str:
        return next(state.source for state in self.flags() if state.flag == flag.name)

    def _source_of(self, flag: Flag) -> str:
        return next(f"{as_text(state.value)} by {state.source}" for state in self.flags() if state.flag == flag.name)


def _furnish(selection: EngineSelection, parts: SharedParts) -> ExecutionEngine:
    if parts.preview_enabled and not parts.adapter.capabilities.preview:
        raise ConfigError(f"the venue {parts.adapter.name} has no order preview")
    return ExecutionEngineFactory.create_engine(selection, parts)


def _held(config: BotConfig, flag: Flag) -> FlagValue:
    """A flag as a configuration has it."""
    value = value_at(config, flag.path)
    return str(value) if flag.choices else bool(value)


def _value(flag: Flag, words: Mapping[str, Word], files: Loaded) -> FlagValue:
    word = words.get(flag.name)
    return _held(files.config, flag) if word is None else word.value


def _text(config: BotConfig, path: str) -> str:
    value = plain(value_at(config, path))
    return as_text(value) if isinstance(value, bool) else str(value)


def _said_by_files(loaded: Loaded, flag: Flag) -> dict[Layer, Source]:
    return {source.layer: source for source in loaded.given.get(flag.path, ()) if source.layer in FILES}


def _beneath(loaded: Loaded, flag: Flag) -> str:
    """What the files say of a flag, as text that can be compared over a restart."""
    said = _said_by_files(loaded, flag)
    return ", ".join(f"{layer.value}: {str(source.raw).lower()}" for layer, source in said.items())


def _newly_said(before: Loaded, after: Loaded, flag: Flag) -> Source | None:
    """The highest file that says something of the flag which it did not say before."""
    old, new = _said_by_files(before, flag), _said_by_files(after, flag)
    return next(
        (
            new[layer]
            for layer in reversed(FILES)
            if layer in new and (layer not in old or str(old[layer].raw).lower() != str(new[layer].raw).lower())
        ),
        None,
    )


def _says(flag: Flag, source: Source) -> FlagValue | None:
    """None where it says nothing that a flag could be; whoever reads the file refuses it."""
    try:
        return parse_value(flag, str(source.raw))
    except ConfigError:
        return None
