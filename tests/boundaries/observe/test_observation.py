"""What a log shows about boundaries: conversations, hops, windows and tags, which are facts; and guesses."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.observed import Moved, OrderPlaced, PaymentTaken, Recorder, StockTaken, shop

from odradek_boundaries import InvalidModel
from odradek_boundaries.observe import Hop, Merge, Observation, Pattern, TagUse, Together, Window, observe
from odradek_boundaries.observe.figures import Durations
from odradek_boundaries.observe.units import Units
from odradek_events.log import MemoryLog
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE, Catalogue
from odradek_events.sqlite.log import SqliteLog


def elsewhere(path: Path) -> SqliteLog:
    """Return the log of a shop, opened where only one of its types is registered."""
    with SqliteLog(path, durability="off") as log:
        shop(log)
    return only_stock(path)


def only_stock(path: Path) -> SqliteLog:
    """Open a log where StockTaken is the only registered type."""
    catalogue = Catalogue()
    kind = CATALOGUE.by_class(StockTaken)
    assert kind is not None
    catalogue.register(kind)
    return SqliteLog(path, codec=Codec(catalogue), read_only=True)


def hops_of(found: Observation) -> dict[tuple[str, str], int]:
    """Return the hops by the names of their units."""
    return {(found.units[hop.source].name, found.units[hop.target].name): hop.count for hop in found.hops}


def test_a_conversation_has_the_units_that_its_decisions_wrote_to() -> None:
    (pattern,) = observe(shop()).patterns

    assert pattern.kinds == ("order", "payment", "stock")
    assert pattern.several == ()
    assert (pattern.conversations, pattern.units, pattern.events) == (4, (3.0, 3), (3.0, 3))


def test_a_hop_starts_where_the_event_is_that_caused_the_decision() -> None:
    found = observe(shop(orders=1))

    assert hops_of(found) == {("order/0", "payment/0"): 1, ("order/0", "stock/all"): 1}
    assert found.patterns[0].hops == (2.0, 2)


def test_a_hop_without_a_known_cause_starts_at_the_decision_before() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1), by="c")
    record("payment/1", PaymentTaken(1), by="c", because="c")
    record("stock/all", StockTaken("ink", 1), by="c", because="unheard-of/0")

    assert hops_of(observe(record.log)) == {("order/1", "payment/1"): 1, ("payment/1", "stock/all"): 1}


def test_decisions_in_one_unit_are_no_hops_and_have_no_window() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1), by="c")
    record("order/1", OrderPlaced(1), by="c", ms=500)
    found = observe(record.log)

    assert found.hops == ()
    assert found.patterns == (Pattern(("order",), (), 1, (1.0, 1), (0.0, 0), (2.0, 2), None),)


def test_a_window_reaches_from_the_first_to_the_last_decision_of_the_conversation() -> None:
    (pattern,) = observe(shop()).patterns

    assert pattern.window == Window(30.0, 30.0, 30.0)


def test_a_window_is_not_negative_after_the_clock_was_set_back() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1), by="c", ms=50)
    record("payment/1", PaymentTaken(1), by="c", ms=10)

    assert observe(record.log).patterns[0].window == Window(0.0, 0.0, 0.0)


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=366)), min_size=1))
def test_percentiles_of_durations_are_upper_bounds_within_one_percent(durations: list[timedelta]) -> None:
    counted = Durations()
    for duration in durations:
        counted.add(duration)
    window = counted.window()
    assert window is not None
    exact = sorted(duration / timedelta(milliseconds=1) for duration in durations)

    for percent, bound in ((50, window.p50_ms), (99, window.p99_ms)):
        value = exact[max(0, -(-len(exact) * percent // 100) - 1)]
        assert value <= bound <= value * 1.01
    assert window.max_ms == exact[-1]


def test_a_decision_without_a_correlation_id_stays_unknown() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1))
    record("order/1", OrderPlaced(1), by="c")
    found = observe(record.log)

    assert (found.decisions, found.unknown, found.conversations) == (2, 1, 1)
    assert found.kinds[0].decisions == 2


def test_a_commit_with_decisions_of_several_conversations_is_split() -> None:
    record = Recorder()
    record.commit("order/1", [("a", "", [OrderPlaced(1)]), ("b", "", [OrderPlaced(1), OrderPlaced(1)])])
    record("payment/1", PaymentTaken(1), by="b", ms=5)
    found = observe(record.log)

    assert (found.commits, found.mixed_commits, found.conversations) == (2, 1, 2)
    assert {pattern.kinds: pattern.events for pattern in found.patterns} == {
        ("order",): (1.0, 1),
        ("order", "payment"): (3.0, 3),
    }


def test_a_conversation_with_several_units_of_a_kind_says_so() -> None:
    record = Recorder()
    for number in range(3):
        record(f"payment/{number}", PaymentTaken(number), by="c")
    (pattern,) = observe(record.log).patterns

    assert (pattern.kinds, pattern.several, pattern.units) == (("payment",), ("payment",), (3.0, 3))


def test_units_are_named_by_the_first_tag_that_an_event_has() -> None:
    found = observe(shop(orders=2), by=("customer", "order"))

    assert [unit.name for unit in found.units] == ["order:0", "order:1", "customer:customer-0", "customer:customer-1"]
    assert {pattern.kinds for pattern in found.patterns} == {("customer", "order")}


def test_events_without_the_tag_belong_to_the_rest() -> None:
    record = Recorder()
    record("payment/1", PaymentTaken(1), by="c")

    assert [unit.name for unit in observe(record.log, by=["customer"]).units] == ["the rest"]


def test_one_decision_in_several_units_hops_from_one_to_the_next() -> None:
    record = Recorder()
    record("shop/all", OrderPlaced(1), OrderPlaced(2), OrderPlaced(2), by="c")
    found = observe(record.log, by=("order",))

    assert hops_of(found) == {("order:1", "order:2"): 1}
    assert [(unit.name, unit.events) for unit in found.units] == [("order:2", 2), ("order:1", 1)]
    assert found.kinds[0].decisions == 1


def test_a_tag_that_no_type_has_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"has a tag 'castomer:\.\.\.'; use one of .*customer"):
        observe(shop(), by=("castomer",))


def test_only_events_of_the_given_types_count() -> None:
    found = observe(shop(), types=["observed.OrderPlaced", "observed.PaymentTaken"])

    assert (found.events, found.decisions, found.commits) == (8, 8, 8)
    assert [kind.kind for kind in found.kinds] == ["order", "payment"]


def test_tags_of_a_decision_are_counted_together() -> None:
    found = observe(shop())

    assert Together("item", "order", 4, 12, 4) in found.together
    assert Together("customer", "order", 4, 12, 4) in found.together
    assert not [pair for pair in found.together if {pair.tag, pair.other} == {"customer", "item"}]


def test_a_decision_has_one_value_of_a_tag_or_several() -> None:
    record = Recorder()
    record("stock/all", StockTaken("ink", 1))
    record("stock/all", StockTaken("ink", 1), StockTaken("pen", 1))
    record("stock/all", PaymentTaken(2))

    assert observe(record.log).tags == (
        TagUse("stock", "item", 3, 1, 1, 2, True),
        TagUse("stock", "order", 3, 3, 0, 2, True),
    )


def test_two_tags_of_one_kind_in_one_event_are_several_values_if_they_differ() -> None:
    record = Recorder()
    record("bank/1", Moved("ann", "bob"))
    record("bank/1", Moved("ann", "ann"))

    assert observe(record.log).tags == (TagUse("bank", "account", 2, 1, 1, 2, True),)


def test_a_merge_is_suggested_from_half_of_the_conversations_on() -> None:
    record = Recorder()
    for number in range(4):
        record(f"order/{number}", OrderPlaced(number), by=f"c{number}")
    record("payment/0", PaymentTaken(0), by="c0")
    assert [merge.share for merge in observe(record.log).merges if merge.kind == "order"] == []

    record("payment/1", PaymentTaken(1), by="c1")
    (merge,) = observe(record.log).merges
    assert merge == Merge("payment", "order", 2, 2, kind_meets_several=False, other_meets_several=False)
    assert str(merge).endswith("and both are always the same two; then run the lab with your read-sets")


def test_no_merge_is_suggested_with_a_kind_that_conversations_touch_several_of() -> None:
    record = Recorder()
    for order in range(3):
        record(f"order/{order}", OrderPlaced(order), by=f"c{order}")
        record(f"item/{order}", StockTaken("a", order), by=f"c{order}")
        record(f"item/{order + 10}", StockTaken("b", order), by=f"c{order}")

    assert [(merge.kind, merge.other) for merge in observe(record.log).merges] == [("item", "order")]


def test_a_merge_says_which_unit_meets_several_of_the_other() -> None:
    merges = {(merge.kind, merge.other): merge for merge in observe(shop()).merges}

    assert merges["order", "stock"] == Merge("order", "stock", 4, 4, False, True)
    assert "but one stock meets several units of order; then run the lab" in str(merges["order", "stock"])
    assert merges["order", "payment"] == Merge("order", "payment", 4, 4, False, False)


def test_a_split_is_suggested_from_95_percent_of_the_decisions_on() -> None:
    record = Recorder()
    record("stock/all", StockTaken("ink", 1), StockTaken("pen", 1))
    for number in range(18):
        record("stock/all", StockTaken(f"item-{number % 3}", 1))
    assert observe(record.log).splits == ()

    record("stock/all", StockTaken("ink", 1))
    (split,) = observe(record.log).splits
    assert (split.kind, split.tag, split.decisions, split.with_one, split.values) == ("stock", "item", 20, 19, 5)
    assert "95.0 % of 20 decisions" in str(split)
    assert str(split).endswith("; then run the lab with your read-sets")


def test_no_split_is_suggested_by_a_tag_that_divides_no_unit() -> None:
    record = Recorder()
    for number in range(9):
        record(f"order/{number}", OrderPlaced(number), OrderPlaced(number))

    assert observe(record.log).splits == ()


def test_an_empty_log_shows_nothing() -> None:
    found = observe(MemoryLog())

    assert (found.events, found.conversations, found.patterns, found.kinds, found.hops) == (0, 0, (), (), ())
    assert (found.merges, found.splits) == ((), ())


def test_events_of_unregistered_types_have_a_stream_and_no_known_tags(tmp_path: Path) -> None:
    with elsewhere(tmp_path / "shop.db") as log:
        found = observe(log)

    assert (found.events, found.unreadable) == (12, 8)
    assert found.patterns == observe(shop()).patterns
    assert {(use.kind, use.tag, use.decisions) for use in found.tags} == {("stock", "item", 4), ("stock", "order", 4)}


def test_events_of_unregistered_types_share_a_unit_where_tags_name_units(tmp_path: Path) -> None:
    with elsewhere(tmp_path / "shop.db") as log:
        found = observe(log, by=("item",), types=["observed.OrderPlaced", "observed.StockTaken"])

    assert [(unit.name, unit.events) for unit in found.units] == [
        ("unreadable", 4),
        ("item:item-0", 2),
        ("item:item-1", 1),
        ("item:item-2", 1),
    ]


def test_a_decision_with_an_unreadable_event_does_not_count_for_tags(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "mixed.db", durability="off") as log:
        record = Recorder(log)
        for item in ("ink", "pen"):
            record("stock/all", StockTaken(item, 1), PaymentTaken(1))
    with only_stock(tmp_path / "mixed.db") as log:
        found = observe(log)

    assert found.kinds[0].decisions == 2
    assert {(use.tag, use.decisions, use.with_one) for use in found.tags} == {("item", 0, 0), ("order", 0, 0)}
    assert found.splits == ()


def test_units_beyond_the_limit_share_figures_and_the_sums_remain() -> None:
    units = Units("/", most=2)
    for number in range(5):
        units.of(f"order/{number}").events += 1
        units.add_hop(f"order/{number}", "payment/0")
    (kind,) = units.kinds({"order": 5}, {})
    figures, hops = units.graph(10)

    assert (kind.units, kind.has_more, kind.events) == (2, True, 5)
    assert [(unit.kind, unit.name, unit.events) for unit in figures] == [
        ("order", "order/0", 1),
        ("order", "order/1", 1),
        ("order", "", 3),
        ("payment", "", 0),
    ]
    assert {(hop.source, hop.target): hop.count for hop in hops} == {(0, 3): 1, (1, 3): 1, (2, 3): 3}


def test_less_busy_units_share_one_line_and_no_hop_is_lost() -> None:
    whole, found = observe(shop(orders=9)), observe(shop(orders=9), limit=2)

    assert [unit.name for unit in found.units] == ["stock/all", "order/0", "", ""]
    assert sum(hop.count for hop in found.hops) == sum(hop.count for hop in whole.hops) == 18
    assert Hop(2, 0, 8) in found.hops
    assert sum(unit.events for unit in found.units) == 27


def test_a_huge_conversation_is_counted_in_parts_rather_than_held_in_memory() -> None:
    record = Recorder()
    for number in range(100):
        record(f"order/{number}", OrderPlaced(number), by="huge")
    found = observe(record.log, room=30)

    assert (found.decisions, found.conversations, found.closed_early) == (100, 4, 3)
    assert sum(pattern.conversations * pattern.events[0] for pattern in found.patterns) == 100
    assert observe(record.log).patterns[0].units == (100.0, 100)


def test_the_conversation_that_went_on_last_stays_open_the_longest() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1), by="long")
    for number in range(20):
        record(f"order/{number}", OrderPlaced(number), by=f"short-{number}")
        record("order/1", OrderPlaced(1), by="long")
    found = observe(record.log, room=6)

    assert found.conversations == 21
    assert max(pattern.events[1] for pattern in found.patterns) == 21


def test_progress_reaches_the_head_of_the_log() -> None:
    positions: list[int] = []
    observe(shop(orders=50), progress=positions.append)

    assert positions == [63, 127, 149]


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.lists(st.integers(0, 3), min_size=1, max_size=3)),
            min_size=1,
            max_size=3,
        ),
        max_size=12,
    ),
    st.sampled_from([(), ("item",), ("order", "item")]),
)
def test_every_figure_is_what_a_count_by_hand_gives(
    commits: list[list[tuple[str, list[int]]]], by: tuple[str, ...]
) -> None:
    record = Recorder()
    units: dict[str, list[str]] = {}
    events: dict[str, int] = {}
    times: dict[str, list[int]] = {}
    for ms, decisions in enumerate(commits):
        stream = f"shelf/{ms % 3}"
        record.commit(
            stream, [(who, "", [StockTaken(f"i{n}", n % 2) for n in numbers]) for who, numbers in decisions], ms
        )
        for who, numbers in decisions:
            tags = [f"order:{n % 2}" if "order" in by else f"item:i{n}" for n in numbers]
            units.setdefault(who, []).extend(dict.fromkeys(tags) if by else [stream])
            events[who] = events.get(who, 0) + len(numbers)
            times.setdefault(who, []).append(ms)
    known = sorted(units.keys() - {""})
    found = observe(record.log, by=by)

    assert found.events == sum(events.values())
    assert found.conversations == len(known)
    assert sum(hop.count for hop in found.hops) == sum(a != b for who in known for a, b in pairwise(units[who]))
    for mean, index in (("units", 0), ("events", 1)):
        counted = sum(pattern.conversations * getattr(pattern, mean)[0] for pattern in found.patterns)
        assert round(counted) == sum((len({*units[who]}), events[who])[index] for who in known)
    windows = [times[who][-1] - times[who][0] for who in known if len({*units[who]}) > 1]
    assert max((p.window.max_ms for p in found.patterns if p.window is not None), default=-1) == max(
        windows, default=-1
    )
