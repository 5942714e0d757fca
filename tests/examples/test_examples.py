"""Every example runs by itself, says what it shows, and stays short enough to read at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, place: Path) -> str:
    """Run an example with warnings as errors, in a directory it must leave empty; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-B", str(EXAMPLES / name)],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(place.iterdir()) == []
    return done.stdout


def test_a_group_continues_where_it_committed(tmp_path: Path) -> None:
    printed = run("01_produce_and_consume.py", tmp_path)
    assert "read and committed 4\n" in printed
    assert "read and committed 2\n" in printed
    places = re.findall(r"^  (orders/\d offset \d+):", printed, re.MULTILINE)
    assert len(places) == len(set(places)) == 6
    alice = re.findall(r"offset \d+: alice (.+)", printed)
    assert alice == ["a table", "1 tea", "2 teas"]


def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    printed = run("02_crash_and_recover.py", tmp_path)
    acknowledged = re.search(r"killed after at least (\d+) acknowledged", printed)
    assert acknowledged is not None
    assert int(acknowledged[1]) >= 100
    assert "the log is sound" in printed
    assert "lost: 0;" in printed
    assert "c1 polled offsets 0 to 14 and committed 10" in printed
    assert "c1 is back and gets offset 10 again" in printed


def test_replay_gives_the_live_state_of_any_moment(tmp_path: Path) -> None:
    printed = run("03_replay_and_time_travel.py", tmp_path)
    assert "live and replayed: 4 streams, equal" in printed
    assert "at position 0:   0: offsets 0 to 0, 1: offsets 0 to 0" in printed
    assert "in the middle:   0: offsets 0 to 3, 1: offsets 0 to 3" in printed
    assert "at the end:      0: offsets 1 to 5, 1: offsets 0 to 5" in printed
    assert "again, the same: True" in printed
    assert "the chain of digests holds: True" in printed


def test_two_aggregates_agree_eventually_and_not_in_between(tmp_path: Path) -> None:
    printed = run("04_two_aggregates.py", tmp_path)
    assert "shipped: tea, cake, milk, jam, jam " in printed
    lags = re.findall(r"(\d+) from position \d+", printed)
    assert lags == ["1", "2", "3", "0", "1", "0"]


def test_your_own_aggregate_is_rebuilt_from_its_stream(tmp_path: Path) -> None:
    printed = run("05_own_aggregate.py", tmp_path)
    assert "refused: alice has 700 cents, too few to take out 5000" in printed
    assert "opened with 700 cents\nmoved 200 as version 2" in printed
    assert printed.endswith("at position 0: 1000 cents\nat position 1: 700 cents\nat position 2: 900 cents\n")


def test_an_aggregate_is_tested_by_scenarios(tmp_path: Path) -> None:
    printed = run("06_testing_your_aggregate.py", tmp_path)
    assert "cents of event 1 should be 30, but is 300" in printed
    assert "Ran 3 tests" in printed
    assert printed.endswith("\nOK\n")


def test_your_own_view_continues_at_its_checkpoint(tmp_path: Path) -> None:
    printed = run("07_projections.py", tmp_path)
    assert re.findall(r"applied (\d+)", printed) == ["2", "1"]
    assert "rebuilt from 4 orders" in printed
    assert "alice spent 490 cents in 3 orders" in printed
    assert "bob spent 990 cents in 1 orders" in printed


def test_a_rule_across_aggregates_holds_and_unrelated_appends_do_not_conflict(tmp_path: Path) -> None:
    printed = run("08_dynamic_boundary.py", tmp_path)
    assert "cid is faster: not stored: " in printed
    assert "bob in art, retried: refused: no seat is left" in printed
    assert "while ann takes tai-chi: stored at position 3" in printed
    assert "ann in law: refused: two courses are enough" in printed


def test_your_own_aggregate_is_restored_from_its_snapshot(tmp_path: Path) -> None:
    printed = run("09_own_snapshots.py", tmp_path)
    assert printed.splitlines() == [
        "interval 1000: tea, milk",
        "  restored at version 1",
        "interval 1000: tea, milk, jam",
        "interval 0: tea, milk, jam",
    ]


def test_older_events_are_upcast_and_a_subscriber_follows_the_log(tmp_path: Path) -> None:
    printed = run("10_older_events_and_waiting.py", tmp_path)
    assert printed.splitlines() == [
        "0 1 Priced(name='tea', cents=120, by='?')",
        "1 1 Priced(name='milk', cents=95, by='?')",
        "2 2 Priced(name='jam', cents=310, by='ann')",
        "the log has reached position 2",
    ]


def test_committing_after_processing_loses_no_job_and_repeats_some(tmp_path: Path) -> None:
    printed = run("11_at_least_once.py", tmp_path)
    assert "did jobs 0 to 13 and died" in printed
    assert "continued at job 10," in printed
    assert "lost: 0; done twice: 4\n" in printed


def test_committing_before_processing_repeats_no_job_and_loses_some(tmp_path: Path) -> None:
    printed = run("12_at_most_once.py", tmp_path)
    assert "had committed jobs 0 to 19 and died after job 13" in printed
    assert "continued at job 20," in printed
    assert "lost: 6; done twice: 0\n" in printed


def test_a_workload_is_read_completely_also_when_members_leave_and_die(tmp_path: Path) -> None:
    printed = run("14_simulate_a_workload.py", tmp_path)
    assert printed.count("6000 messages produced and 6000 consumed") == 2
    assert printed.count("; everything holds>") == 2
    assert printed.count("  holds: ") == 14
    assert printed.count(" with 6000 messages consumed\n") == 2
    assert "  3 members joined, 0 were dismissed, 0 messages came again\n" in printed


def test_actors_that_race_for_a_seat_give_away_no_more_than_there_are(tmp_path: Path) -> None:
    printed = run("15_decide_on_other_streams.py", tmp_path)
    assert "cid in art: version 0\nof ann and bob in art: 1\n" in printed
    assert re.search("^refused: art is full: cid, (ann|bob)$", printed, re.MULTILINE)
    assert re.search(r"^ann in law: version \d$", printed, re.MULTILINE)


def test_a_world_finds_the_billing_that_loses_orders_and_not_the_other_one(tmp_path: Path) -> None:
    first, second = run("16_simulate_crashes.py", tmp_path).split("commits after it has billed:")
    assert "eventually 'every order is billed' failed after step" in first
    assert re.search(r"^  after .*(crash|kill)", first, re.MULTILINE)
    assert "failed" not in second
    assert re.search(r"^  [1-9]\d* crashes, [1-9]\d* runs in which an order was billed twice$", second, re.MULTILINE)


def test_a_policy_pays_in_what_was_paid_out_and_the_account_refuses_it_twice(tmp_path: Path) -> None:
    out, into, again, balances = run("18_transfer_by_a_policy.py", tmp_path).splitlines()
    assert out == "Paid(account='alice', cents=-30, to='bob', cause='rent')"
    assert into.startswith("led to Paid(account='bob', cents=30, to='', cause='")
    assert again == "bob is at version 0 if asked again"
    assert balances == "{'account/alice': 70, 'account/bob': 30}"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_tested(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 60
    assert source.startswith('"""')
    assert f'run("{path.name}"' in Path(__file__).read_text()


def test_each_order_is_processed_once_while_group_members_join_and_leave(tmp_path: Path) -> None:
    printed = run("13_consumer_group.py", tmp_path)
    assert "done: 400 of 400, twice: 0" in printed
    assert "generation 1: {'a': [0, 1, 2, 3]}" in printed
    assert re.search(r"generation \d: \{'a': \[\d, \d\], 'b': \[\d, \d\]\}", printed)
    assert re.search(r"generation \d: \{'a': \[\d(, \d)?\], 'b': \[.+\], 'c': \[\d\]\}", printed)


def test_the_wider_boundary_conflicts_and_the_narrower_one_is_exposed(tmp_path: Path) -> None:
    printed = run("17_where_an_aggregate_ends.py", tmp_path)
    assert "course does not keep the decision" in printed
    found = {
        name: (int(conflicts), float(exposed), float(ceiling))
        for name, conflicts, exposed, ceiling in re.findall(
            r"^(.+): (\d+) % conflicts, ([\d.]+) exposed, ceiling ([\d.]+)$", printed, re.MULTILINE
        )
    }
    assert found["one unit"][0] > found["a query each"][0] > found["course"][0]
    assert found["course"][1] > found["a query each"][1] == found["one unit"][1] == 0
    assert found["course"][2] > found["one unit"][2] == 1.0
