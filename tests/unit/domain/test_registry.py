"""The registry of user-defined aggregates by stream type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NewType

import pytest

from odradek_domain.aggregate import Aggregate
from odradek_domain.registry import BUILT_IN, Aggregates, aggregate
from odradek_events.errors import RegistrationError

AccountId = NewType("AccountId", str)


class Counter(Aggregate):
    """An aggregate that takes no argument."""


class Named(Aggregate):
    """An aggregate that takes its id."""

    def __init__(self, id: str, limit: int = 5, **more: Any) -> None:
        super().__init__()
        self.id, self.limit, self.more = id, limit, more


class Typed(Aggregate):
    """An aggregate whose id has a type of its own."""

    def __init__(self, id: AccountId) -> None:
        super().__init__()
        self.id = id


class Cart(Aggregate):
    """An aggregate that takes something else."""

    def __init__(self, items: list[str]) -> None:
        super().__init__()
        self.items = items


class Pair(Aggregate):
    """An aggregate that takes too much."""

    def __init__(self, id: str, owner: str) -> None:
        super().__init__()


class NotFolded:
    """A class without apply_all."""


@pytest.fixture
def aggregates() -> Aggregates:
    return Aggregates()


def test_a_class_gets_the_id_if_it_takes_one(aggregates: Aggregates) -> None:
    assert aggregate("counter", aggregates=aggregates)(Counter) is Counter
    aggregate("named", aggregates=aggregates)(Named)
    assert isinstance(aggregates["counter"]("alice"), Counter)
    named: Any = aggregates["named"]("alice")
    assert (named.id, named.limit, named.more) == ("alice", 5, {})
    assert sorted(aggregates) == ["counter", "named"]
    assert len(aggregates) == 2


def test_a_function_of_the_id_may_make_the_aggregate(aggregates: Aggregates) -> None:
    @aggregate("cart", aggregates=aggregates)
    def cart(id: str) -> Cart:
        return Cart([id])

    made: Any = aggregates["cart"]("alice")
    assert made.items == ["alice"]


def test_an_id_may_have_a_type_that_is_a_str() -> None:
    def typed(id: AccountId) -> Typed:
        return Typed(id)

    typed.__annotations__["id"] = AccountId
    made: Any = Aggregates({"typed": typed})["typed"]("alice")
    assert made.id == "alice"


def test_the_same_class_may_be_registered_again_after_a_reload(aggregates: Aggregates) -> None:
    reloaded = type("Counter", (Aggregate,), {"__module__": Counter.__module__, "__qualname__": "Counter"})
    for each in (Counter, Counter, reloaded):
        aggregate("counter", aggregates=aggregates)(each)
    assert type(aggregates["counter"]("alice")) is reloaded


def test_a_second_aggregate_for_one_stream_type_is_refused_and_changes_nothing(aggregates: Aggregates) -> None:
    aggregate("counter", aggregates=aggregates)(Counter)
    with pytest.raises(RegistrationError, match=r"type 'counter' already have an aggregate, .*\.Counter, so .*\.Named"):
        aggregate("counter", aggregates=aggregates)(Named)
    assert isinstance(aggregates["counter"]("alice"), Counter)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_the_stream_types_of_built_in_aggregates_are_refused(kind: str) -> None:
    with pytest.raises(RegistrationError, match="Odradek's own aggregate; use another stream type"):
        Aggregates({kind: Counter})


@pytest.mark.parametrize("kind", ["", "account/alice"])
def test_what_is_not_a_stream_type_is_refused(kind: str) -> None:
    with pytest.raises(RegistrationError, match="for a stream type such as 'account', not"):
        Aggregates({kind: Counter})
    with pytest.raises(TypeError, match="a stream type must be a str, not 1"):
        Aggregates({1: Counter})  # type: ignore[dict-item]  # the mistake under test


@pytest.mark.parametrize(
    ("maker", "says"),
    [
        (Cart, r"made from the stream's id alone, and .*\.Cart takes \(items\); register a function \(id: str\)"),
        (Pair, r"takes \(id, owner\)"),
        (lambda *, owner: Counter(), r"takes \(owner\)"),
        (NotFolded, "must be a class with apply_all"),
        (Counter(), "must be a class with apply_all"),
    ],
)
def test_what_cannot_make_an_aggregate_of_an_id_is_refused(maker: Callable[..., Any], says: str) -> None:
    with pytest.raises(RegistrationError, match=says):
        Aggregates({"account": maker})


def test_a_decorator_without_a_stream_type_is_refused() -> None:
    decorate: Any = aggregate
    with pytest.raises(TypeError, match=r"write @aggregate\('account'\) above .*\.Counter"):
        decorate(Counter)
    with pytest.raises(TypeError, match="kind must be a str, not 5"):
        decorate(5)


def test_a_function_may_return_any_class_with_apply_all() -> None:
    class Odd:
        version = -1

        def apply_all(self, events: Sequence[Any]) -> None:
            self.version += len(events)

    assert isinstance(Aggregates({"odd": Odd})["odd"]("x"), Odd)
