"""What pytest calls. pytest imports this module in every run, so it imports nothing of ours until a test needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["MISSED", "pytest_addoption", "pytest_collection_modifyitems", "pytest_terminal_summary"]

MISSED = "odradek: never reached"
"""The name of the property with the goals that no run of a test has reached."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for tests with @simulate."""
    group = parser.getgroup("odradek", "simulated worlds (@odradek.simulation.simulate)")
    group.addoption("--odradek-seeds", type=int, metavar="N", help="run each test with N seeds")
    group.addoption("--odradek-seed", type=int, metavar="SEED", help="run each test with this seed alone")
    group.addoption(
        "--odradek-replay",
        metavar="TOKEN",
        help="repeat this run of a test, and no other test; with --pdb, stop one step before its failure",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only the tests that a token may belong to."""
    token = config.getoption("odradek_replay")
    if token:
        name = _target_of(token)
        others = [item for item in items if not _may_belong(name, getattr(item, "function", None))]
        if others:
            items[:] = [item for item in items if item not in others]
            config.hook.pytest_deselected(items=others)


def _target_of(token: str) -> str:
    import pytest

    from odradek_simulation.choices.token import Token
    from odradek_simulation.errors import InvalidToken

    try:
        return Token.parse(token).name
    except InvalidToken as error:
        raise pytest.UsageError(f"--odradek-replay: {error}") from error


def _may_belong(name: str, test: Callable[..., object] | None) -> bool:
    """Return whether the token of a target of this name may come from a test: it names the test, or none."""
    from odradek_simulation.choices.token import name_of
    from odradek_simulation.world.target import options_of

    return test is not None and options_of(test) is not None and name in ("", name_of(test))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the goals that no run of a test has reached."""
    for report in terminalreporter.getreports("passed"):
        for name, goals in report.user_properties:
            if name == MISSED:
                terminalreporter.write_line(f"{report.nodeid} never reached: {goals}", red=True)
