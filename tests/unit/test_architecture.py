"""The source tree keeps its own rules: floors, banned calls, docstrings, `__all__`.

Each rule is a function from a module's syntax tree to what is wrong with it; a table of small offences shows that every
rule can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from functools import cache

import pytest
from support.source_tree import FLOORS, MODULES, PACKAGES, ROOT, imports, modules_in, nodes, out_of_reach, parsed

EVENTS = modules_in("odradek_events")
DOMAIN = modules_in("odradek_domain")
COMMANDS = modules_in("odradek.cli")
CLOCK_OWNERS = modules_in("odradek_actors.runtime")
WITHOUT_CLOCKS = sorted({*modules_in("odradek_actors"), *modules_in("odradek")} - {*COMMANDS, *CLOCK_OWNERS})
PICTURES = modules_in("odradek_pictures")
SIMULATION = modules_in("odradek_simulation")
SEEDED_RUNTIME = {
    *modules_in("odradek_simulation.runtime"),
    "odradek_simulation.sweeping.sweep",
    "odradek_simulation.world.watchdog",
}
ON_ANY_RUNTIME = sorted({*SIMULATION} - SEEDED_RUNTIME)
SEEDED = {  # by random.Random(seed) only
    "odradek_simulation.choices.strategies",
    "odradek_simulation.choices.streams",
    "odradek_simulation.faults.injector",
    "odradek_simulation.workload.mix",
}
LAB = modules_in("odradek_boundaries")
DRAWN = "odradek_boundaries.workload"
FORKED = "odradek_boundaries.study"
FOR_PYTEST = {*modules_in("odradek_events.testing"), *modules_in("odradek_simulation.plugin")}
WITHOUT_TEST_FRAMEWORK = sorted({*MODULES} - FOR_PYTEST - {"odradek_simulation.pytest_hooks"})

Rule = Callable[[ast.Module], Iterable[str]]


@cache
def imported(tree: ast.Module) -> set[str]:
    """Return the full names of imported modules, and of what is imported from them."""
    return {full for module, names in imports(tree) for full in (module, *(f"{module}.{name}" for name in names))}


def imports_any(*banned: str) -> Rule:
    """Return the rule against importing these modules or anything in them."""

    def rule(tree: ast.Module) -> Iterable[str]:
        for name in sorted(imported(tree)):
            if any(name == module or name.startswith(f"{module}.") for module in banned):
                yield f"imports {name}"

    return rule


def reads_the_clock(tree: ast.Module) -> Iterable[str]:
    """Find calls of datetime's and time's clocks; a `now()` of another object is allowed."""
    for node in nodes(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if (owner in ("datetime", "date") and node.attr in ("now", "utcnow", "today")) or (
                owner == "time" and node.attr in ("time", "time_ns")
            ):
                yield f"line {node.lineno}: {ast.unparse(node)}"
    yield from (f"imports {name}" for name in sorted(imported(tree) & {"time.time", "time.time_ns"}))


def calls_now(tree: ast.Module) -> Iterable[str]:
    """Find any call of `now`, `utcnow` or `today`: pure code takes the time as an argument."""
    for node in nodes(tree):
        if isinstance(node, ast.Call) and _called(node) in ("now", "utcnow", "today"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def uses_forbidden_powers(tree: ast.Module) -> Iterable[str]:
    """Find pickles, code from strings, Pykka's global registry, and Pykka's `ask`."""
    yield from imports_any("pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle")(tree)
    for node in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            yield f"line {node.lineno}: {node.func.id}()"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "ask":
            yield f"line {node.lineno}: {ast.unparse(node.func)}()"
        if "ActorRegistry" in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")):
            yield f"line {getattr(node, 'lineno', 0)}: ActorRegistry"


def stops_without_the_runtime(tree: ast.Module) -> Iterable[str]:
    """Find calls of `ActorRef.stop`, which makes one of Pykka's futures; an actor's own `self.stop()` is allowed."""
    for node in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "stop":
            owner = ast.unparse(node.func.value)
            if owner != "self" and owner.rpartition(".")[2] != "runtime":
                yield f"line {node.lineno}: {owner}.stop()"


def lacks_a_docstring(tree: ast.Module) -> Iterable[str]:
    """Find a module without a docstring."""
    if not ast.get_docstring(tree):
        yield "no docstring"


def has_a_wrong_all(tree: ast.Module) -> Iterable[str]:
    """Find an `__all__` that is missing or unsorted, names what is not there, or leaves out what is public."""
    listed: list[str] | None = None
    defined: set[str] = set()
    public: set[str] = set()
    for node in _top_level(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                listed = ast.literal_eval(value)
            case ast.Assign(targets=targets):
                defined.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                defined.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                public.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                defined.update(alias.asname or alias.name for alias in names)
            case _:
                pass
    if listed is None:
        if defined or public:  # a package that only has a docstring offers nothing
            yield "no __all__"
        return
    if listed != sorted(listed, key=_all_order):
        yield "__all__ is not sorted: constants, classes, functions"
    if len(set(listed)) < len(listed):
        yield "__all__ names something twice"
    yield from (f"__all__ names {name}, which is not there" for name in sorted({*listed} - public - defined))
    hidden = {name for name in public if not name.startswith("_")} - {*listed}
    yield from (f"{name} is public and not in __all__" for name in sorted(hidden))


def _top_level(tree: ast.Module) -> Iterable[ast.stmt]:
    """Yield a module's statements, and those that only type checkers run: the face imports its names lazily."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _all_order(name: str) -> tuple[int, list[int | str]]:
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


CONCURRENCY = ("time", "uuid", "secrets", "threading", "asyncio", "concurrent", "multiprocessing", "queue", "signal")
WORLD = (*CONCURRENCY, "random", "io", "os", "pathlib", "pykka", "sqlite3")
STORE_MODULES = (
    "log.memory",
    "maintenance.builder",
    "opening",
    "schema.codec",
    "snapshots",
    "sqlite",
)
STORES = tuple(f"odradek_events.{name}" for name in STORE_MODULES)

RULES: dict[str, tuple[Rule, list[str]]] = {
    "the domain touches no clock, dice, threads or files": (imports_any(*WORLD), DOMAIN),
    "the domain takes the time as an argument": (calls_now, DOMAIN),
    "the domain knows the log's port and no store": (imports_any(*STORES), DOMAIN),
    "pictures touch no clock, dice, threads or files": (imports_any(*WORLD), PICTURES),
    "actors get time, ids, randomness and waiting from the runtime": (
        imports_any(*CONCURRENCY, "random"),
        WITHOUT_CLOCKS,
    ),
    "actors read no clock": (reads_the_clock, WITHOUT_CLOCKS),
    "actors are stopped by the runtime": (stops_without_the_runtime, WITHOUT_CLOCKS),
    "a simulation gets time, waiting and clients from the runtime": (imports_any(*CONCURRENCY), ON_ANY_RUNTIME),
    "a simulation draws no ids and no randomness": (imports_any("random"), sorted({*ON_ANY_RUNTIME} - SEEDED)),
    "a simulation reads no clock": (reads_the_clock, SIMULATION),
    "the boundary lab needs no actors": (imports_any("odradek_actors", "pykka"), LAB),
    "the boundary lab draws everything from a seed": (imports_any("random", "uuid"), sorted({*LAB} - {DRAWN})),
    "the boundary lab has no threads, and forks in one place": (imports_any(*CONCURRENCY), sorted({*LAB} - {FORKED})),
    "the boundary lab reads no clock": (reads_the_clock, LAB),
    "events take the time of recording as an argument": (reads_the_clock, EVENTS),
    "events draw no ids and no randomness": (imports_any("uuid", "random", "secrets"), EVENTS),
    "no module uses forbidden powers": (uses_forbidden_powers, list(MODULES)),
    "only the suites and the plugin need a test framework": (
        imports_any("hypothesis", "pytest"),
        WITHOUT_TEST_FRAMEWORK,
    ),
    "a module says what it is": (lacks_a_docstring, list(MODULES)),
    "a module says what it offers": (has_a_wrong_all, sorted({*MODULES} - {*COMMANDS})),
}


@pytest.mark.parametrize("name", RULES)
def test_every_module_keeps_the_rule(name: str) -> None:
    rule, modules = RULES[name]
    assert modules
    assert [f"{_place(module)}: {offence}" for module in modules for offence in rule(parsed(module))] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_floor_imports_none_above_it(package: str) -> None:
    rule = imports_any(*out_of_reach(package))
    offences = [f"{_place(module)}: {each}" for module in modules_in(package) for each in rule(parsed(module))]
    assert offences == []


def test_the_events_are_at_the_bottom_and_the_face_is_on_top() -> None:
    assert (FLOORS[0], FLOORS[-1]) == (["odradek"], ["odradek_events"])
    assert out_of_reach("odradek_events") == [package for floor in FLOORS[:-1] for package in floor]


def _place(module: str) -> str:
    return MODULES[module].relative_to(ROOT).as_posix()


OFFENCES: list[tuple[Rule, str, str]] = [
    (imports_any("time"), "import time", "imports time"),
    (imports_any("time"), "from time import monotonic", "imports time"),
    (imports_any("os"), "import os.path", "imports os.path"),
    (imports_any("odradek_events.sqlite"), "from odradek_events import sqlite", "imports odradek_events.sqlite"),
    (calls_now, "def f(clock): return clock.now()", "line 1: clock.now()"),
    (calls_now, "x = datetime.utcnow()", "line 1: datetime.utcnow()"),
    (calls_now, "x = date.today()", "line 1: date.today()"),
    (reads_the_clock, "at = datetime.now(UTC)", "line 1: datetime.now"),
    (reads_the_clock, "at = datetime.datetime.now(UTC)", "line 1: datetime.datetime.now"),
    (reads_the_clock, "clock = datetime.now", "line 1: datetime.now"),
    (reads_the_clock, "at = time.time()", "line 1: time.time"),
    (reads_the_clock, "from time import time", "imports time.time"),
    (uses_forbidden_powers, "import pickle", "imports pickle"),
    (uses_forbidden_powers, "from pickle import loads", "imports pickle"),
    (uses_forbidden_powers, "eval('1')", "line 1: eval()"),
    (uses_forbidden_powers, "exec('1')", "line 1: exec()"),
    (uses_forbidden_powers, "answer = ref.ask(message)", "line 1: ref.ask()"),
    (uses_forbidden_powers, "pykka.ActorRegistry.stop_all()", "line 1: ActorRegistry"),
    (uses_forbidden_powers, "from pykka import ActorRegistry", "line 1: ActorRegistry"),
    (stops_without_the_runtime, "self._journal.stop(block=False)", "line 1: self._journal.stop()"),
    (lacks_a_docstring, "x = 1", "no docstring"),
    (has_a_wrong_all, "x = 1", "no __all__"),
    (has_a_wrong_all, "__all__ = ['b', 'a']\na = b = 1", "__all__ is not sorted: constants, classes, functions"),
    (has_a_wrong_all, "__all__ = ['a', 'a']\na = 1", "__all__ names something twice"),
    (has_a_wrong_all, "__all__ = ['a']", "__all__ names a, which is not there"),
    (has_a_wrong_all, "__all__ = []\ndef f(): ...", "f is public and not in __all__"),
]


@pytest.mark.parametrize(("rule", "source", "offence"), OFFENCES, ids=[source for _, source, _ in OFFENCES])
def test_a_rule_finds_its_offence(rule: Rule, source: str, offence: str) -> None:
    assert offence in list(rule(ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (imports_any("time", "os"), "from datetime import datetime, timedelta\nimport osmium, timeit"),
        (calls_now, "from datetime import datetime\ndef f(at: datetime): return at.isoformat()"),
        (reads_the_clock, "at = self.runtime.now()\nwait = time.monotonic()"),
        (uses_forbidden_powers, "ref.tell(message)\nliteral_eval('1')"),
        (stops_without_the_runtime, "self.stop()\nself.runtime.stop(ref)"),
        (lacks_a_docstring, "'What it is.'"),
        (has_a_wrong_all, "'A package, described.'"),
        (has_a_wrong_all, "__all__ = ['ONE', 'Two', 'three']\nfrom x import ONE, Two\ndef three(): ..."),
        (has_a_wrong_all, "__all__ = ['One']\nif TYPE_CHECKING:\n    from x import One"),
        (has_a_wrong_all, "__all__ = ['A2', 'A10']\nclass A2: ...\nclass A10: ...\nclass _B: ..."),
    ],
)
def test_a_rule_lets_the_allowed_pass(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source))) == []
