"""Runs a test with @simulate: with each seed until one fails, which is shrunk and explained."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from odradek_simulation.choices.token import name_of
from odradek_simulation.explaining.explanation import explain
from odradek_simulation.plugin.debugging import repeat_and_stop
from odradek_simulation.pytest_hooks import MISSED
from odradek_simulation.shrinking.shrink import shrink
from odradek_simulation.world.result import Result
from odradek_simulation.world.target import Target, options_of

__all__ = ["run_test"]

_MAX_RUNS = 500  # to shrink a failure


def run_test(
    test: Callable[..., object], seeds: int, request: pytest.FixtureRequest, fixtures: dict[str, object]
) -> None:
    """Run a test with its seeds, or what the options say; fail with the first failure."""
    config = request.config
    start: Callable[..., object] = partial(test, **fixtures) if fixtures else test
    target = Target(start, name_of(start), options_of(test) or {})
    token, seed = config.getoption("odradek_replay"), config.getoption("odradek_seed")
    if token:
        stops = config.getoption("usepdb")
        result = repeat_and_stop(target, token) if stops else target.repeat(token)
        if not result.holds:
            _fail(request, target, result, "repeated from its token")
        return
    count = config.getoption("odradek_seeds") or seeds
    missed: set[str] | None = None
    with _without_log_lines():
        for number in range(count) if seed is None else (seed,):
            result = target.world(number).run(start)
            if not result.holds:
                _shrink_and_fail(request, target, result, f"found by seed {number}")
            missed = {*result.missed} if missed is None else missed & {*result.missed}
    if missed:
        request.node.user_properties.append((MISSED, ", ".join(sorted(missed))))


@contextmanager
def _without_log_lines() -> Iterator[None]:
    """Drop Odradek's log lines: faults cause many in hundreds of runs, and pytest would print all below a failure."""
    logger = logging.getLogger("odradek")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _shrink_and_fail(request: pytest.FixtureRequest, target: Target, failed: Result, how: str) -> None:
    try:
        shrunk = shrink(failed, target.again, max_runs=_MAX_RUNS)
    except ValueError as error:  # it does not come again
        pytest.fail(f"{failed.describe()}\n{how}; {error}", pytrace=False)
    _fail(request, target, shrunk.result, f"{how}; {shrunk.describe()}")


def _fail(request: pytest.FixtureRequest, target: Target, failed: Result, how: str) -> None:
    again = partial(target.again, trace=True)
    explanation = explain(again(failed.recording), again)
    folder = request.getfixturevalue("tmp_path_factory").getbasetemp() / "odradek"
    folder.mkdir(exist_ok=True)
    page = folder / f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', request.node.nodeid)}.html"
    page.write_text(explanation.html(), encoding="utf-8")
    command = f"pytest {shlex.quote(request.node.nodeid)} --odradek-replay {failed.token}"
    lines = [
        *failed.describe().splitlines()[:-1],
        how,
        "",
        *explanation.lines(),
        "",
        f"to see it:     {page}",
        f"to repeat it:  {command}",
        "to debug it:   add --pdb, which stops one step before the failure",
    ]
    pytest.fail("\n".join(lines), pytrace=False)
