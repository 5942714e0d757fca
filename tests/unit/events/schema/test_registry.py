"""Declaring event types: names, versions, tags, and every possible mistake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from odradek_events import Append, Appended, MemoryLog, OffsetTag, event
from odradek_events.errors import RegistrationError, UnknownEventType
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

T = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


def kept(catalogue: Catalogue, *events: Any) -> tuple[str, list[Any]]:
    """Append events to a log of these types; return the stored and the decoded events."""
    with MemoryLog(Codec(catalogue)) as log:
        (verdict,) = log.append([Append(stream="s/1", events=events)], T)
        assert isinstance(verdict, Appended), verdict
        return next(log.stored()).events.decode(), [recorded.event for recorded in log.read()]


def test_a_declared_type_is_stored_under_its_name_and_read_back(catalogue: Catalogue) -> None:
    @event("AccountOpened", catalogue=catalogue)
    class Opened(msgspec.Struct, frozen=True):
        """An account was opened."""

        owner: str
        limit: int = 0

        def greeting(self) -> str:
            """Return a greeting."""
            return f"hello {self.owner}, {super().__repr__()}"

    bytes_, read = kept(catalogue, Opened("ann"), Opened("bob", 5))
    assert bytes_ == '[{"type":"AccountOpened","owner":"ann"},{"type":"AccountOpened","owner":"bob","limit":5}]'
    assert read == [Opened("ann"), Opened("bob", 5)]
    assert read[0].greeting() == "hello ann, Opened(owner='ann', limit=0)"
    assert Opened.__doc__ == "An account was opened."
    assert Opened.__qualname__.endswith("<locals>.Opened")


def test_a_declaration_keeps_renames_keyword_fields_factories_and_checks(catalogue: Catalogue) -> None:
    @event("Moved", catalogue=catalogue)
    class Moved(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
        seen_by: tuple[str, ...] = ()
        from_place: str

        def __post_init__(self) -> None:
            if not self.from_place:
                raise ValueError("a place has a name")

    bytes_, read = kept(catalogue, Moved(from_place="here"))
    assert bytes_ == '[{"type":"Moved","fromPlace":"here"}]'
    assert read == [Moved(from_place="here")]
    with pytest.raises(ValueError, match="a place has a name"):
        Moved(from_place="")


def test_an_event_inherits_fields_of_its_base_class(catalogue: Catalogue) -> None:
    class Base(msgspec.Struct, frozen=True):
        account: str

    @event("Closed", tags=("account:{account}",), catalogue=catalogue)
    class Closed(Base, frozen=True):
        reason: str

    bytes_, (read,) = kept(catalogue, Closed("a", "why"))
    assert bytes_ == '[{"type":"Closed","account":"a","reason":"why"}]'
    assert isinstance(read, Base)
    assert Codec(catalogue).tags_of(read) == ("account:a",)


def test_a_renamed_or_moved_class_keeps_its_stored_name() -> None:
    old, new = Catalogue(), Catalogue()

    @event("AccountOpened", catalogue=old)
    class BadName(msgspec.Struct, frozen=True):
        owner: str

    @event("AccountOpened", catalogue=new)
    class GoodName(msgspec.Struct, frozen=True):
        owner: str

    with MemoryLog(Codec(old)) as log:
        log.append([Append(stream="s/1", events=[BadName("ann")])], T)
        log.codec = Codec(new)
        (recorded,) = log.read(types=["AccountOpened"])
    assert recorded.event == GoodName("ann")
    assert recorded.metadata.type == "AccountOpened"


def test_reloading_a_module_replaces_its_types(catalogue: Catalogue) -> None:
    def module() -> Any:
        @event("AccountOpened", catalogue=catalogue)
        class Opened(msgspec.Struct, frozen=True):
            owner: str

        return Opened

    module()
    again = module()
    assert kept(catalogue, again("ann"))[1] == [again("ann")]
    assert catalogue.names() == ["AccountOpened"]


def test_a_type_registered_after_a_read_is_known_to_later_reads(catalogue: Catalogue) -> None:
    codec = Codec(catalogue)
    row = next(elsewhere().stored())
    for _ in range(2):
        with pytest.raises(UnknownEventType):
            codec.commit(row)

    @event("AccountOpened", catalogue=catalogue)
    class Opened(msgspec.Struct, frozen=True):
        owner: str

    assert codec.commit(row).events == [Opened("ann")]


def elsewhere() -> MemoryLog:
    """Return a log that another program wrote."""
    catalogue = Catalogue()

    @event("AccountOpened", catalogue=catalogue)
    class Written(msgspec.Struct, frozen=True):
        owner: str

    log = MemoryLog(Codec(catalogue))
    log.append([Append(stream="s/1", events=[Written("ann")])], T)
    return log


def test_tags_are_computed_from_the_fields_of_each_event(catalogue: Catalogue) -> None:
    @event("Paid", tags=("account:{account}", "all", OffsetTag("book:{account}/{page}", "line")), catalogue=catalogue)
    class Paid(msgspec.Struct, frozen=True):
        account: str
        page: int
        line: int

    codec = Codec(catalogue)
    assert codec.tags_of(Paid("a", 1, 7)) == ("account:a", "all", "book:a/1")
    assert codec.index([Paid("a", 1, 7), Paid("a", 1, 8), Paid("b", 2, 0)]) == {
        "type:Paid": None,
        "account:a": None,
        "account:b": None,
        "all": None,
        "book:a/1": 7,
        "book:b/2": 0,
    }


def test_an_event_without_tags_is_indexed_by_its_type_alone(catalogue: Catalogue) -> None:
    @event("Ticked", tags=("clock",), catalogue=catalogue)
    class Ticked(msgspec.Struct, frozen=True):
        pass

    assert Codec(catalogue).index([Ticked(), Ticked()]) == {"type:Ticked": None, "clock": None}


def test_tags_are_correct_beyond_the_size_of_the_cache(catalogue: Catalogue) -> None:
    @event("Paid", tags=("account:{account}",), catalogue=catalogue)
    class Paid(msgspec.Struct, frozen=True):
        account: int

    codec = Codec(catalogue)
    for number in (*range(5000), 0, 4999):
        assert codec.tags_of(Paid(number)) == (f"account:{number}",)


def test_two_tags_that_coincide_keep_the_lowest_offset(catalogue: Catalogue) -> None:
    @event("Moved", tags=(OffsetTag("place:{source}", "line"), "place:{target}"), catalogue=catalogue)
    class Moved(msgspec.Struct, frozen=True):
        source: str
        target: str
        line: int

    assert Codec(catalogue).index([Moved("a", "a", 4), Moved("b", "a", 2), Moved("a", "c", 3)])["place:a"] == 3


# -- wrong declarations -----------------------------------------------------------------------------------------------


class Fine(msgspec.Struct, frozen=True):
    """A struct that could be declared."""

    owner: str


class Mutable(msgspec.Struct):
    """A mutable struct."""

    owner: str


class Positional(msgspec.Struct, frozen=True, array_like=True):
    """A struct stored without field names."""

    owner: str


class WithType(msgspec.Struct, frozen=True):
    """A struct with a field `type`, which the log uses."""

    type: str


class WithRenamedType(msgspec.Struct, frozen=True, rename={"kind": "type"}):
    """A struct whose field is stored as `type`."""

    kind: str


class Unresolvable(msgspec.Struct, frozen=True):
    """A struct with an annotation that cannot be resolved."""

    owner: Nobody  # type: ignore[name-defined]  # noqa: F821 - the mistake under test


class Ambiguous(msgspec.Struct, frozen=True):
    """A struct with a union that JSON cannot distinguish."""

    owner: Fine | Mutable


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (lambda c: event("", catalogue=c)(Fine), "needs a name"),
        (lambda c: event("X", version=0, catalogue=c)(Fine), "version of 1 or more"),
        (lambda c: event("X", catalogue=c)(dict), "must be a msgspec.Struct"),  # type: ignore[type-var]  # the mistake
        (lambda c: event("X", catalogue=c)(Fine("a")), "must be a msgspec.Struct"),  # type: ignore[arg-type]  # the mistake
        (lambda c: event("X", catalogue=c)(Mutable), "declare it with frozen=True"),
        (lambda c: event("X", catalogue=c)(Positional), "declare it without array_like"),
        (lambda c: event("X", catalogue=c)(WithType), "has a field 'type'"),
        (lambda c: event("X", catalogue=c)(WithRenamedType), "cannot be stored as JSON"),
        (lambda c: event("X", catalogue=c)(Unresolvable), "cannot be stored as JSON .*Nobody"),
        (lambda c: event("X", catalogue=c)(Ambiguous), "cannot be stored as JSON"),
        (lambda c: event("X", tags=("a:{nobody}",), catalogue=c)(Fine), "use 'nobody', which is not one of its"),
        (lambda c: event("X", tags=("a:{}",), catalogue=c)(Fine), "use '', which is not one of its fields"),
        (lambda c: event("X", tags=("a:{owner.x}",), catalogue=c)(Fine), "use 'owner.x'"),
        (lambda c: event("X", tags=("a:{owner",), catalogue=c)(Fine), "is not a valid template"),
        (lambda c: event("X", tags=(OffsetTag("a:{owner}", "line"),), catalogue=c)(Fine), "use 'line'"),
        (lambda c: event("X", tags="a:{owner}", catalogue=c)(Fine), "not the string"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_reason(
    catalogue: Catalogue, declare: Callable[[Catalogue], object], reason: str
) -> None:
    with pytest.raises(RegistrationError, match=reason):
        declare(catalogue)
    assert catalogue.names() == []


def test_a_decorator_without_parentheses_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"write @event\('Priced'\) above class Priced"):

        @event  # type: ignore[arg-type]  # the mistake
        class Priced(msgspec.Struct, frozen=True):
            cents: int


def test_a_name_belongs_to_the_first_class_registered_with_it(catalogue: Catalogue) -> None:
    event("X", catalogue=catalogue)(Fine)
    with pytest.raises(RegistrationError, match=r"event name 'X' is already used by .*\.Fine; choose another"):

        @event("X", catalogue=catalogue)
        class Other(msgspec.Struct, frozen=True):
            owner: str


@pytest.mark.parametrize("name", ["x" * 250, "\ud800", 5])
def test_the_name_of_an_event_type_is_text_of_limited_length(name: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^name "):
        event(name, catalogue=Catalogue())
