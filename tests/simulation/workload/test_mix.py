"""Workload: what is sent, and which numbers are refused."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from odradek_simulation.workload.mix import LIMITS, Workload, number_of


def workload(**changes: Any) -> Workload:
    numbers: dict[str, Any] = {"producers": 3, "messages": 3001, "message_size": 40, "keys": 50, "key_skew": 0.0}
    return Workload(**{**numbers, **changes})


def test_the_producers_share_the_messages_and_each_value_has_the_size_asked_for() -> None:
    load = workload()
    entries = [entry for producer in (1, 2, 3) for _, batch in load.batches(producer) for entry in batch]
    assert len(entries) == 3001
    assert {len(value) for _, value in entries} == {40}
    assert len({value for _, value in entries}) == 3001
    assert Counter(value.split(b" ")[0] for _, value in entries) == {b"1": 1001, b"2": 1000, b"3": 1000}


def test_a_message_has_a_number_of_its_own_that_changes_with_its_key_and_value() -> None:
    entries = [entry for producer in (1, 2, 3) for _, batch in workload().batches(producer) for entry in batch]
    assert len({number_of(*entry) for entry in entries}) == 3001
    key, value = entries[0]
    assert 0 <= number_of(key, value) < 1 << 64
    assert number_of(key + b"1", value) != number_of(key, value) != number_of(key, value[:-1] + b" ")
    assert number_of(None, None) == number_of(b"", b"")


def test_the_same_seed_sends_the_same_messages_and_another_seed_others() -> None:
    first = list(workload(seed=7).batches(2))
    assert list(workload(seed=7).batches(2)) == first
    assert list(workload(seed=8).batches(2)) != first
    assert list(workload(seed=7).batches(3)) != first


def test_skew_makes_few_keys_frequent() -> None:
    def share_of_the_first_key(skew: float) -> float:
        keys = Counter(key for _, batch in workload(key_skew=skew, producers=1).batches(1) for key, _ in batch)
        return keys[b"key-1"] / keys.total()

    assert share_of_the_first_key(0.0) < 0.05 < 0.15 < share_of_the_first_key(1.0) < share_of_the_first_key(2.0)


def test_the_same_seed_ends_members_after_the_same_numbers_of_polls() -> None:
    def polls(seed: int, group: str, member: int) -> list[int]:
        return list(islice(workload(seed=seed).polls_before_ends(group, member), 50))

    first = polls(1, "group-1", 1)
    assert polls(1, "group-1", 1) == first
    assert set(first) == {2, 3, 4, 5, 6}
    assert first not in (polls(2, "group-1", 1), polls(1, "group-2", 1), polls(1, "group-1", 2))


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"topics": 0}, "topics must be 1 or more, not 0"),
        ({"topics": 1001}, "topics must be 1000 or less, not 1001"),
        ({"partitions": 0}, "partitions must be 1 or more, not 0"),
        ({"partitions": 10_001}, "partitions must be 10000 or less, not 10001"),
        ({"producers": 0}, "producers must be 1 or more, not 0"),
        ({"consumers": -1, "groups": 0}, "consumers must be 0 or more, not -1"),
        ({"groups": -1}, "groups must be 0 or more, not -1"),
        (
            {"consumers": 1},
            "groups=2 is more than consumers=1, of which they are a part; lower groups or raise consumers",
        ),
        ({"members": 0}, "members must be 1 or more, not 0"),
        ({"churn": -1}, "churn must be 0 or more, not -1"),
        ({"messages": -1}, "messages must be 0 or more, not -1"),
        ({"message_size": 23}, "message_size must be 24 or more, not 23"),
        ({"batch": 0}, "batch must be 1 or more, not 0"),
        ({"keys": 0}, "keys must be 1 or more, not 0"),
        ({"key_skew": -0.5}, "key_skew must be 0 to 10, not -0.5"),
        ({"key_skew": float("nan")}, "key_skew must be 0 to 10, not nan"),
    ],
)
def test_a_number_out_of_range_is_refused(numbers: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Workload(**numbers)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"messages": 10.0}, "messages must be an int, not 10.0"),
        ({"topics": True}, "topics must be an int, not True"),
        ({"seed": "1"}, "seed must be an int, not '1'"),
        ({"key_skew": "1"}, "key_skew is a number, not '1'"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(numbers: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        Workload(**numbers)


def test_every_whole_number_but_the_seed_has_limits() -> None:
    assert {*LIMITS, "seed", "key_skew"} == {*Workload.__struct_fields__}
