"""Calls of the public API with wrong arguments, generated from its signatures.

Each call has at least one hostile argument; the others are plausible. A call may return, as many a strange value is
allowed somewhere. It may also be refused, by an error class of `odradek.errors`, or by a TypeError, a ValueError, or a
LookupError (for a stream's type or a command that no actor knows) that a `raise` of ours made on purpose. Everything
else is a finding: another exception, one that arose inside an operation (`len(5)`), a call that takes too long, a
refused call that changed the log, a wrong argument that is called damage of the log.
"""

from __future__ import annotations

import inspect
import itertools
import linecache
import os
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import odradek
from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.errors import RequestTimedOut
from odradek_actors.runtime.promise import Promise
from odradek_events import MemoryLog
from odradek_events.errors import DamagedCommit
from odradek_events.log.subscription import Subscription
from odradek_events.schema.registry import Catalogue
from odradek_events.types import TopicDeleted

__all__ = ["Finding", "Misuse", "Report"]

PATIENCE = 60.0
"""Seconds that one call may take; a valid one may wait for 30."""
SLOW = 5.0
OURS = ("odradek", "odradek_actors", "odradek_boundaries", "odradek_domain", "odradek_events", "odradek_simulation")


class Text(str):
    def __str__(self) -> str:
        return "another text"


class Data(bytes):
    pass


class Number(int):
    pass


class Moment(datetime):
    pass


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


class Unhashable:
    __hash__ = None  # type: ignore[assignment]  # on purpose

    def __eq__(self, other: object) -> bool:
        return False


def nested(levels: int) -> list[Any]:
    """Return lists in lists."""
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


HOSTILE: list[Callable[[], Any]] = [
    *(
        lambda value=value: value  # a default is how a lambda keeps it
        for value in (
            None, True, False, -1, 0, -2, 1 << 31, 1 << 63, 1 << 70, -(1 << 70), 10**5000, 0.01, -0.5, 1e308,
            float("nan"), float("inf"), float("-inf"), 1 + 2j, "", " ", "no such", "a/b", "\ud800", "a\0b", "a\nb",
            "\x1b[31m", "x" * 300, "x" * 100_000, "earliest", "all", "..", "é", b"", b"\xff", b"x" * 100_000, (),
            ("t",), ("t", 0), ("t", 7), ("t", -1), ("t", True), ("t", 1 << 70), ("t", 0, 0), ..., NotImplemented,
            int, object, Exception("an error"), Text("t"), Data(b"d"), Number(0), frozenset(), frozenset({"t"}),
            range(3), timedelta(days=1), timedelta.max, timedelta.min, date(2026, 5, 1), datetime(2026, 5, 1),  # noqa: DTZ001
            datetime.min.replace(tzinfo=timezone(timedelta(hours=3))),
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-3))),
            Moment(2026, 5, 1, tzinfo=UTC), msgspec.UNSET, Unshowable(), Unhashable(),
        )
    ),
    list,
    dict,
    set,
    object,
    lambda: bytearray(b"d"),
    lambda: memoryview(b"d"),
    lambda: [None],
    lambda: ["t"],
    lambda: ["\ud800"],
    lambda: [("t", 0)],
    lambda: [("t", 9)],
    lambda: [("k", "v", [("h", b"1")])],
    lambda: [("k", "v", [("h", "text")])],
    lambda: [("h", None)],
    lambda: [("\ud800", b"")],
    lambda: [("t", 0, 1, 2)],
    lambda: [[]],
    lambda: {"t": 1},
    lambda: {("t", 0): 1},
    lambda: {("t", 0): 1 << 70},
    lambda: {("t", 0): (1, "x" * 5000)},
    lambda: {("t", 0): float("nan")},
    lambda: {1: 2},
    lambda: nested(5),
    lambda: nested(3000),
    lambda: iter([1, 2]),
    lambda: (number for number in range(2)),
    lambda: lambda *_: None,
    lambda: Path("no such folder/log.db"),
    lambda: Path("."),
]  # fmt: skip


class Finding(NamedTuple):
    """A call that violated a rule."""

    call: str
    what: str

    def __str__(self) -> str:
        return f"{self.call}\n    {self.what}"


class Report:
    """The outcomes of the calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.outcomes: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.sentences: dict[str, str] = {}

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        return f"{self.calls} calls: {counted}; {len(self.findings)} findings"


class Misuse:
    """A system with everything that can be misused. Works in the current folder, which should be empty."""

    def __init__(self, seed: int) -> None:
        self.report = Report()
        self._choose = random.Random(seed)
        self._numbers = itertools.count(seed)  # so that a run of few calls works on either store
        self._folder = Path.cwd()
        self._open()

    def _open(self) -> None:
        number = next(self._numbers)
        self.log: Any = odradek.SqliteLog(f"misused{number}.db", durability="off") if number % 2 else MemoryLog()
        self.system = odradek.ActorSystem.open(self.log, progress_interval=1e6, max_block_ms=100)
        self.system.create_topic("t", 2)
        self.producer = self.system.producer("p")
        self.producer.send_batch("t", ["1", "2", "3"], partition=0).result()
        self.consumer = self.system.consumer("c")
        self.consumer.subscribe(["t"])
        self.consumer.poll()
        self.member = self.system.consumer("m", "g")
        self.member.subscribe(["t"])
        self.member.wait_for_assignment()
        self.member.poll()
        self.member.commit()
        self.system.settle()
        self.targets = list(self._targets())

    def run(self, calls: int) -> Report:
        """Make the calls, and check the invariants at the end."""
        for _ in range(calls):
            name, target = self._choose.choice(self.targets)
            self._call(name, target)
            if self.system.is_closed or self.log.is_closed or self._lost():
                self.check()
                self._close()
                self._open()
        self.check()
        self._close()
        return self.report

    def check(self) -> None:
        """Note a finding unless the log is sound and the live system equals a replay."""
        if self.log.is_closed:
            return
        if not (verified := odradek.verify(self.log)).is_sound:
            self.report.findings.append(Finding("at the end", f"the log is not sound: {verified}"))
        if self.system.is_closed:
            return
        self.system.settle()
        if not (check := self.system.check_replay()).holds:
            self.report.findings.append(Finding("at the end", f"a replay gives another system: {check}"))

    def _lost(self) -> bool:
        """Say whether allowed calls have made further calls pointless: a handle is closed, or the topic deleted."""
        handles = (self.producer, self.consumer, self.member)
        return any("closed" in repr(handle) for handle in handles) or "t" not in self.system.list_topics()

    def _close(self) -> None:
        with suppress(Exception):
            self.system.close(30)
        self.log.close()

    # -- what can be called -------------------------------------------------------------------------------------------

    def _targets(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name, owner in (
            ("system", self.system),
            ("producer", self.producer),
            ("consumer", self.consumer),
            ("member", self.member),
            ("log", self.log),
            ("actor", self.system.actor("topic/t")),
            ("state", odradek.SystemState.replay(self.log)),
        ):
            for method in dir(owner):
                if not method.startswith("_") and method not in _NOT_CALLED and callable(getattr(owner, method)):
                    yield f"{name}.{method}", getattr(owner, method)
        for name in odradek.__all__:
            target = getattr(odradek, name)
            if callable(target) and name not in _NOT_CALLED:
                yield name, target
        yield "ActorSystem.open", odradek.ActorSystem.open

    # -- one call -----------------------------------------------------------------------------------------------------

    def _call(self, name: str, target: Callable[..., Any]) -> None:
        positional, keywords = self._arguments(name, target)
        before = self._head()
        errors: list[BaseException] = []
        results: list[Any] = []
        began = time.monotonic()

        def call() -> None:
            try:
                results.append(self._use(target(*positional, **keywords)))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        shown = self._shown(name, positional, keywords)
        self.report.calls += 1
        os.chdir(self._folder)
        if time.monotonic() - began > SLOW:
            self._note("slow", shown, f"took {time.monotonic() - began:.1f} s: {errors}")
        if thread.is_alive():
            self._note("hangs", shown, f"did not return in {PATIENCE:.0f} s")
            raise RuntimeError(f"{shown} hangs")
        if not errors:
            self.report.outcomes["returned"] += 1
            return
        self._judge(shown, name, errors[0], before)

    def _use(self, result: Any) -> Any:
        """Wait for a call's promise, take some items of its iterator, and close what it opened."""
        if isinstance(result, Promise):
            error = result.exception(PATIENCE / 2)
            if error is not None:
                raise error
            return None
        if isinstance(result, Subscription):
            with result:
                return result.take(0)
        if isinstance(result, ProducerHandle | ConsumerHandle):
            if result not in (self.producer, self.consumer, self.member):
                result.close()
            return None
        if isinstance(result, Iterator):
            return [next(result, None) for _ in range(3)]
        close = getattr(result, "close", None)
        if close is not None and not isinstance(result, type) and result is not self.log:
            close()
        return None

    def _arguments(self, name: str, target: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        parameters = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        hostile = self._choose.randrange(len(parameters)) if parameters else 0
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for number, parameter in enumerate(parameters):
            is_needed = parameter.default is parameter.empty
            if number == hostile or self._choose.random() < 0.15:
                value = self._hostile(name, parameter.name)
            elif not is_needed and self._choose.random() < 0.7:
                continue
            else:
                value = self._plausible(parameter.name)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[parameter.name] = value
        if name.partition(".")[2] in _MAY_WAIT_FOREVER:
            waits = _MAY_WAIT_FOREVER[name.partition(".")[2]]
            if keywords.get(waits) is None:
                keywords[waits] = 0.01
        return positional, keywords

    def _hostile(self, name: str, parameter: str) -> Any:
        value = self._choose.choice(HOSTILE)()
        if parameter in ("path", "log", "target", "source", "file", "database") and isinstance(value, str):
            return f"{value[:50]}{next(self._numbers)}" if self._choose.random() < 0.5 else value
        return value

    def _plausible(self, parameter: str) -> Any:
        number = next(self._numbers)
        choices: dict[str, Callable[[], Any]] = {
            "topic": lambda: "t",
            "name": lambda: "t",
            "names": lambda: ["t"],
            "partition": lambda: 0,
            "partitions": lambda: 1,
            "total": lambda: 3,
            "offset": lambda: 1,
            "before_offset": lambda: 0,
            "value": lambda: "v",
            "key": lambda: "k",
            "entries": lambda: ["v"],
            "topics": lambda: ["t"],
            "group": lambda: "g",
            "consumer_id": lambda: f"c{number}",
            "client_id": lambda: f"p{number}",
            "stream": lambda: "topic/t",
            "timeout": lambda: 0.01,
            "idle_timeout": lambda: 0.01,
            "max_messages": lambda: 1,
            "places": lambda: ["t"],
            "to": lambda: "earliest",
            "at": lambda: datetime.now(UTC),
            "recorded_at": lambda: datetime.now(UTC),
            "log": lambda: self.log,
            "path": lambda: self._folder / f"{number}.db",
            "target": lambda: self._folder / f"{number}.out",
            "source": lambda: self._folder / "no such file",
            "position": lambda: 0,
            "after": lambda: -1,
            "until": lambda: 0,
            "tag": lambda: "topic:t",
            "tags": lambda: ["topic:t"],
            "types": lambda: ["MessageProduced"],
            "version": lambda: 1,
            "query": lambda: odradek.Query((odradek.QueryItem(("MessageProduced",)),)),
            "items": lambda: [odradek.QueryItem(("MessageProduced",))],
            "requests": lambda: [odradek.Append(stream="s/1", events=[TopicDeleted("t", "id", datetime.now(UTC))])],
            "events": lambda: list(self.log.read(limit=3)),
            "body": lambda: "a body",
            "command": lambda: "a command",
            "message": lambda: "a message",
            "listener": RebalanceListener,
            "catalogue": Catalogue,
            "dry_run": lambda: True,
        }
        make = choices.get(parameter)
        return self._choose.choice(HOSTILE)() if make is None else make()

    # -- what became of it --------------------------------------------------------------------------------------------

    def _judge(self, shown: str, name: str, error: BaseException, before: object) -> None:
        kind = type(error)
        is_public = isinstance(error, _PUBLIC)
        self.report.outcomes[f"refused by {kind.__name__}"] += 1
        if not is_public:
            if not isinstance(error, TypeError | ValueError) and kind is not LookupError:
                self._note("wrong error", shown, _told(error))
                return
            if not _is_raised_by_us(error):
                self._note("accident", shown, _told(error))
                return
        if isinstance(error, DamagedCommit):
            self._note("called damage", shown, _told(error))
        sentence = str(error)
        self.report.sentences.setdefault(f"{name} {kind.__name__}", sentence)
        if "\n" in sentence or len(sentence) > 1000:
            self._note("no sentence", shown, f"{kind.__name__}: {sentence[:300]!r} ({len(sentence)} characters)")
        if self._head() != before and not isinstance(error, RequestTimedOut):
            self._note("changed the log", shown, _told(error))

    def _head(self) -> object:
        if not (self.system.is_closed or self.log.is_closed):
            with suppress(odradek.ActorError):
                self.system.settle(PATIENCE / 2)
        return self.log.head()

    def _note(self, what: str, shown: str, told: str) -> None:
        self.report.outcomes[f"FINDING: {what}"] += 1
        self.report.findings.append(Finding(shown, told))

    def _shown(self, name: str, positional: list[Any], keywords: dict[str, Any]) -> str:
        parts = [*map(_brief, positional), *(f"{key}={_brief(value)}" for key, value in keywords.items())]
        return f"{name}({', '.join(parts)})"


_PUBLIC = tuple(
    found
    for found in vars(odradek.errors).values()
    if isinstance(found, type) and issubclass(found, Exception) and found.__module__.partition(".")[0] in OURS
)

_NOT_CALLED = frozenset(
    {
        # what it takes from the process, not from its arguments
        *("boundaries", "configure_logging", "errors", "simulation"),
        # to be subclassed, or what calls return
        *("Aggregate", "Assignor", "EventLog", "EventSourcedActor", "GroupState", "LogStore", "Projection", "Promise"),
        *("ActorHandle", "ConsumerHandle", "ProducerHandle", "RebalanceListener"),
        # the engine's own, between handles and actors
        *("codec", "command", "forget", "growth", "query", "require_partition", "runtime", "tell", "told"),
    }
)
_MAY_WAIT_FOREVER = {"wait_for": "timeout", "messages": "idle_timeout"}
"""Calls that wait without end unless told otherwise, and the argument that tells."""


def _brief(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return ascii(text)[1:-1] if len(text) <= 80 else f"{ascii(text[:80])[1:-1]}..."


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__))


def _is_raised_by_us(error: BaseException) -> bool:
    """Say whether the innermost frame is at a `raise` in Odradek's packages."""
    frames = _frames(error)
    if not frames:
        return False
    innermost = frames[-1]
    is_ours = any(f"{os.sep}{package}{os.sep}" in innermost.filename for package in OURS)
    return is_ours and linecache.getline(innermost.filename, innermost.lineno or 0).lstrip().startswith("raise")


def _told(error: BaseException) -> str:
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in _frames(error)[-4:]]
    try:
        text = str(error)
    except Exception:
        text = "?"
    return ascii(f"{type(error).__name__}: {text[:200]}  [{' > '.join(frames)}]")
