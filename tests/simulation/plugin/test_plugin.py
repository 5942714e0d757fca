"""The plugin of pytest, run by pytest: seeds, failures, replays, the debugger, and what it costs others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.lost_update import sell

from odradek.simulation import load_target, simulate, sweep
from odradek_simulation.plugin import runs  # imported here, since pytester forgets what the runs below import

pytest_plugins = ["pytester"]

_ = runs
SALE = """
import pytest
from support.lost_update import sell
from odradek.simulation import simulate

@simulate(seeds=20)
def test_no_sale_is_lost(system, world):
    sell(system, world)

@simulate(seeds=4, faults="none")
def test_nothing(system, world):
    world.sometimes("a refund")

def test_without_a_world():
    pass
"""


@pytest.fixture
def sale(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project with a test that fails, one that passes, and one without a world."""
    pytester.makepyfile(test_sale=SALE)
    return pytester


def failure_of(result: pytest.RunResult) -> str:
    """Return what pytest printed about a failure."""
    return result.stdout.str()


def token_in(text: str) -> str:
    """Return the token in a text."""
    return next(word for word in text.split() if word.startswith("odradek1."))


def test_a_failure_is_shrunk_and_comes_with_steps_a_picture_and_a_command(sale: pytest.Pytester) -> None:
    result = sale.runpytest_inprocess()
    result.assert_outcomes(failed=1, passed=2)
    text = failure_of(result)
    assert "handler 'Stock' failed after step" in text
    assert "nothing more can be left out" in text
    assert "In Stock, A came before B. In the nearest passing run, B came before A." in text
    assert "pytest test_sale.py::test_no_sale_is_lost --odradek-replay odradek1." in text
    page = Path(next(line for line in text.splitlines() if line.startswith("to see it:")).split()[-1])
    assert page.parent.name == "odradek"
    assert "a sale was lost" in page.read_text()


@pytest.mark.slow
def test_a_token_repeats_its_run_and_no_other_test(sale: pytest.Pytester) -> None:
    token = token_in(failure_of(sale.runpytest_inprocess()))
    result = sale.runpytest_inprocess("--odradek-replay", token)
    result.assert_outcomes(failed=1, deselected=2)
    assert "repeated from its token" in failure_of(result)
    assert token_in(failure_of(result)) == token


def test_log_lines_of_the_runs_are_not_printed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from odradek.simulation import simulate

@simulate(seeds=3, faults="none")
def test_it(system, world):
    system.actor("nothing/here").ask(1).result()

def test_log_lines_are_written_again():
    import logging
    assert not logging.getLogger("odradek").disabled
"""
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1, passed=1)
    assert "Captured log" not in failure_of(result)


@pytest.mark.parametrize(
    ("decorator", "words"),
    [("@simulate", "write @simulate() above test_it, with parentheses"), ("@simulate(seed=3)", "use --odradek-seed")],
)
def test_a_wrong_use_of_the_decorator_is_refused(decorator: str, words: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
from odradek.simulation import simulate

{decorator}
def test_it(system, world):
    pass
"""
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    assert words in failure_of(result)


def test_a_bad_token_is_refused(sale: pytest.Pytester) -> None:
    result = sale.runpytest_inprocess("--odradek-replay", "nonsense")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --odradek-replay: 'nonsense' is not a token*"])


def test_goals_that_no_run_reached_are_listed(sale: pytest.Pytester) -> None:
    sale.runpytest_inprocess().stdout.fnmatch_lines(["test_sale.py::test_nothing never reached: a refund"])


@pytest.mark.parametrize(
    ("options", "seeds"),
    [([], "0 1 2"), (["--odradek-seeds", "5"], "0 1 2 3 4"), (["--odradek-seed", "41"], "41")],
)
def test_options_choose_the_seeds(options: list[str], seeds: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_seeds="""
        from odradek.simulation import simulate

        @simulate(seeds=3)
        def test_seeds(system, world):
            with open("seeds", "a") as file:
                file.write(f"{world.seed} ")
        """
    )
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=1)
    assert sorted({*(pytester.path / "seeds").read_text().split()}, key=int) == seeds.split()


def test_fixtures_and_parameters_come_after_the_world(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_more="""
        import pytest
        from odradek.simulation import simulate

        @pytest.mark.parametrize("amount", [1, 2])
        @simulate(seeds=2)
        def test_amount(system, world, amount, tmp_path):
            assert tmp_path.is_dir()
            assert amount == 1, "too much"
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, failed=1)
    assert "pytest 'test_more.py::test_amount[2]' --odradek-replay" in failure_of(result)


def test_a_failure_that_does_not_come_again_is_reported_as_that(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_once="""
        from odradek.simulation import simulate
        runs = []

        @simulate(seeds=2)
        def test_once(system, world):
            runs.append(1)
            assert len(runs) > 1
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    assert "found by seed 0; the failure does not come again" in failure_of(result)


@pytest.mark.slow
def test_the_debugger_stops_before_the_step_that_fails(sale: pytest.Pytester) -> None:
    token = token_in(failure_of(sale.runpytest_inprocess()))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pdb", "--odradek-replay", token],
        input="p task, message\np task.actor.sold\nr\ns\ns\ns\nc\nq\n",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=sale.path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert "the next step of Stock fails" in done.stdout
    assert "(<ActorTask Stock>, ('write', " in done.stdout
    assert "-> task.receive(message)" in done.stdout
    assert "a sale was lost" in done.stdout


@pytest.mark.slow
def test_pytest_without_such_tests_imports_nothing_of_the_simulation(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_plain="""
        import sys

        def test_plain():
            open("loaded", "w").write("\\n".join(sys.modules))
        """
    )
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], timeout=60, cwd=pytester.path, check=True, capture_output=True
    )
    loaded = {*(pytester.path / "loaded").read_text().split()}
    ours = {name for name in loaded if name.partition(".")[0].startswith("odradek")}
    assert ours == {"odradek_simulation", "odradek_simulation.pytest_hooks"}
    assert not loaded & {"pykka", "msgspec", "structlog"}


@simulate(seeds=3, faults="pause")
def sale_under_pauses(system: object, world: object) -> None:
    """Sell, as a test would."""
    sell(system, world)  # type: ignore[arg-type]  # a system and a world


def test_a_test_is_a_target_for_sweeps() -> None:
    target = load_target(f"{__name__}:sale_under_pauses")
    assert target.options == {"strategy": "portfolio", "faults": "pause"}
    assert sweep(target.start, 30).failures[0].signature == "handler: Stock (AssertionError)"


def test_misuse_of_the_decorator_is_refused() -> None:
    with pytest.raises(ValueError, match="seeds must be at least 1, not 0"):
        simulate(0)
    with pytest.raises(TypeError, match="seeds must be"):
        simulate("many")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="needs a function of a system and a world"):
        simulate()(lambda: None)
