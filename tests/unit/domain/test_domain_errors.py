"""The errors as a family: listed, drawn, coded. That each rule raises its own is tested beside the rule."""

from __future__ import annotations

import re

import pytest

from odradek_domain import errors
from odradek_domain.errors import DomainError
from odradek_domain.group import errors as group_errors

NAMED = {**vars(errors), **vars(group_errors)}
FAMILY = sorted(
    (found for found in NAMED.values() if isinstance(found, type) and issubclass(found, DomainError)),
    key=lambda found: found.__name__,
)

EXAMPLES: list[tuple[DomainError, dict[str, object]]] = [
    (errors.InvalidTopicName("a b"), {"name": "a b"}),
    (errors.InvalidIdentifier("group", ""), {"kind": "group", "value": ""}),
    (errors.InvalidMessageId("x"), {"text": "x"}),
    (errors.InvalidOffset("an offset", -1), {"kind": "an offset", "value": -1}),
    (errors.InvalidPartitionCount("orders", 0), {"topic": "orders", "count": 0}),
    (errors.InvalidMessage("key", "a", "bytes"), {"part": "key", "value": "a"}),
    (errors.InvalidHeader("x"), {"header": "x"}),
    (errors.InvalidPattern("(?=a)", "no"), {"pattern": "(?=a)", "reason": "no"}),
    (errors.MessageTooLarge(11, 10), {"size": 11, "limit": 10}),
    (errors.OffsetAlreadyAssigned(1, 2), {"current": 1, "offset": 2}),
    (errors.InvalidAppend("p", "orders", "use one"), {"producer": "p", "topic": "orders"}),
    (errors.TopicNotFound("orders"), {"topic": "orders"}),
    (errors.TopicAlreadyExists("orders"), {"topic": "orders"}),
    (errors.UnknownTopicId("orders", "t-1"), {"topic": "orders", "topic_id": "t-1"}),
    (errors.PartitionNotFound("orders", 3, 2), {"topic": "orders", "partition": 3, "count": 2}),
    (errors.PartitionCountMustGrow("orders", 3, 2), {"topic": "orders", "current": 3, "requested": 2}),
    (
        errors.OffsetNotFound("orders", 0, 9, 1, 5),
        {"topic": "orders", "partition": 0, "offset": 9, "start": 1, "end": 5},
    ),
    (errors.MessagesNotHeld("orders", 0, 1, 5), {"topic": "orders", "partition": 0, "offset": 1, "held_from": 5}),
    (errors.NoCommittedOffset("orders", 0), {"topic": "orders", "partition": 0}),
    (
        errors.OutOfOrderSequence("p", "orders", 0, 4, 6),
        {"producer": "p", "topic": "orders", "partition": 0, "expected": 4, "sequence": 6},
    ),
    (errors.ProducerFenced("p", 1, 2), {"producer": "p", "epoch": 1, "current": 2}),
    (errors.ProducerNotRegistered("p"), {"producer": "p"}),
    (errors.ConsumerNotSubscribed("c", "orders"), {"consumer": "c", "topic": "orders"}),
    (
        errors.ConsumerNotPositioned("c", "orders", 0, 3),
        {"consumer": "c", "topic": "orders", "partition": 0, "position": 3},
    ),
    (
        errors.PositionWouldGoBackwards("c", "orders", 0, 3, 2),
        {"consumer": "c", "topic": "orders", "partition": 0, "position": 3, "offset": 2},
    ),
    (
        errors.CommitWouldGoBackwards("group/g", "orders", 0, 3, 2),
        {"owner": "group/g", "topic": "orders", "partition": 0, "committed": 3, "offset": 2},
    ),
    (
        errors.OffsetMetadataTooLarge("orders", 1, 4097, 4096),
        {"topic": "orders", "partition": 1, "size": 4097, "limit": 4096},
    ),
    (errors.ConsumerAlreadyOpen("c"), {"consumer": "c"}),
    (errors.ConsumerClosed("c"), {"consumer": "c"}),
    (group_errors.ConsumerNotAssigned("c", "orders", 0), {"consumer": "c", "topic": "orders", "partition": 0}),
    (group_errors.FencedInstanceId("g", "i", "m"), {"group": "g", "instance": "i", "member": "m"}),
    (group_errors.GroupNotEmpty("g", 2), {"group": "g", "members": 2}),
    (group_errors.GroupNotFound("g"), {"group": "g"}),
    (
        group_errors.IllegalGeneration("g", "m", 1, 2),
        {"group": "g", "member": "m", "generation": 1, "current": 2},
    ),
    (
        group_errors.InconsistentAssignors("g", ["x"], ["range"]),
        {"group": "g", "assignors": ("x",), "common": ("range",)},
    ),
    (group_errors.NothingToShift("g", "orders", 1), {"group": "g", "topic": "orders", "partition": 1}),
    (group_errors.RebalanceInProgress("g"), {"group": "g"}),
    (
        group_errors.SubscriptionConflict("c", "topics", "a pattern"),
        {"consumer": "c", "has": "topics", "wanted": "a pattern"},
    ),
    (group_errors.UnknownAssignor("x", ["range"]), {"name": "x", "known": ("range",)}),
    (group_errors.UnknownMember("g", "m"), {"group": "g", "member": "m"}),
    (errors.NoApplier("Account", "Opened"), {"aggregate": "Account", "event": "Opened"}),
    (
        errors.AggregateFailed("account/alice", 3, "at position 3 its aggregate raised ValueError(); fix the model"),
        {
            "stream": "account/alice",
            "position": 3,
            "problem": "at position 3 its aggregate raised ValueError(); fix the model",
        },
    ),
    (errors.RepositoryError("topic/orders", "it was not saved; try again"), {"stream": "topic/orders"}),
]


def test_every_error_is_in_all() -> None:
    assert {error.__name__ for error in FAMILY} <= {*errors.__all__, *group_errors.__all__}


def test_every_error_has_a_code_of_its_own_in_snake_case() -> None:
    codes = [error.code for error in FAMILY]
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert [error.__name__ for error in FAMILY if "code" not in vars(error)] == []


def test_every_error_stands_once_in_the_tree_of_the_docstring() -> None:
    tree = (errors.__doc__ or "").partition("DomainError")[2]
    drawn = re.findall(r"\b[A-Z]\w+(?= |$)", "DomainError" + tree.partition("\n\n")[0], flags=re.MULTILINE)
    names = [name for name in drawn if name in {*errors.__all__, *group_errors.__all__}]
    assert sorted(names) == sorted(error.__name__ for error in FAMILY)


def test_every_concrete_error_has_an_example_here() -> None:
    bases = {DomainError, errors.ValidationError}
    assert {type(example) for example, _ in EXAMPLES} == set(FAMILY) - bases


@pytest.mark.parametrize(("error", "facts"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_carries_its_facts(error: DomainError, facts: dict[str, object]) -> None:
    assert vars(error) == facts


REMEDY = re.compile(
    r"[;,:] .*\b(use|send|seek|create|choose|look|ask|has|read|poll|reset|open|register|subscribe|close|begin|try"
    r"|call|shorten|give|fix)\b"
)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_a_message_is_one_clause_of_what_happened_and_one_of_what_to_do(error: DomainError) -> None:
    text = str(error)
    assert REMEDY.search(text), text
    assert not text.endswith(".")
    assert "\n" not in text


def test_a_long_value_is_cut_in_the_message_and_whole_in_the_facts() -> None:
    error = errors.InvalidTopicName("x" * 10_000)
    assert len(str(error)) < 300
    assert error.name == "x" * 10_000


def test_only_what_may_succeed_later_is_retriable() -> None:
    assert [error.__name__ for error in FAMILY if error.retriable] == ["RebalanceInProgress", "UnknownTopicId"]
