"""Patterns are matched with RE2: in linear time, without look-arounds and back-references, and quietly."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from odradek_domain.errors import InvalidPattern
from odradek_domain.values.topic_pattern import check_pattern, matches, pattern_problem

REFUSED = ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P<n>a)(?P=n)", "(?>a)", "a++", "(", "*a", "[", r"a\Z"]


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("orders", "orders", True),
        ("orders", "orders-1", False),
        ("orders|payments", "payments-1", False),
        ("orders-.*", "orders-1", True),
        (r"orders-\d+", "orders-x", False),
        ("(?i)ORDERS", "orders", True),
        ("", "orders", False),
        ("^orders$", "orders", True),
    ],
)
def test_the_whole_name_must_fit(pattern: str, topic: str, fits: bool) -> None:
    assert check_pattern(pattern) == pattern
    assert matches(pattern, topic) is fits


@pytest.mark.parametrize("pattern", REFUSED)
def test_patterns_that_need_backtracking_and_invalid_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match=r"that RE2 can match \(.*no look-arounds and no back-ref") as error:
        check_pattern(pattern)
    assert "\n" not in str(error.value)
    assert pattern_problem(pattern) == error.value.reason
    assert not matches(pattern, "a")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}", "(a?){50}a{50}"])
def test_a_pattern_that_makes_other_engines_backtrack_is_matched_fast(pattern: str) -> None:
    began = time.process_time()
    for _ in range(100):
        matches(pattern, "a" * 200 + "b")
    assert time.process_time() - began < 2


def test_a_pattern_is_limited_in_length_and_in_memory() -> None:
    with pytest.raises(ValueError, match="pattern must have at most 4096 characters, not 5000"):
        check_pattern("x" * 5000)
    with pytest.raises(InvalidPattern):
        check_pattern("((((x{10}){10}){10}){10}){10}")
    with pytest.raises(InvalidPattern, match="too large"):
        check_pattern(r"(\pL{900}|\pN{900})")


@pytest.mark.parametrize("pattern", [5, None, b"orders", ["orders"]])
def test_a_pattern_is_text(pattern: object) -> None:
    with pytest.raises(TypeError, match="pattern must be a str"):
        check_pattern(pattern)  # type: ignore[arg-type]  # the mistake under test


def test_a_lone_surrogate_is_refused_and_matches_nothing() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        check_pattern("\ud800")
    assert not matches("\ud800", "a")


def test_re2_is_loaded_with_the_first_pattern_and_says_nothing_on_stderr() -> None:
    program = (
        "import sys, odradek, odradek_domain.group.group\n"
        "assert 're2' not in sys.modules\n"
        "from odradek_domain.values.topic_pattern import matches\n"
        "assert not matches('(?=a)b', 'b')\n"
        "assert 're2' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
