"""Stored events that do not fit their class: a mistake in the model, reported as that and never as damage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest

from odradek_events import Append, Appended, MemoryLog, SqliteLog, Upcaster, event
from odradek_events.errors import SchemaMismatch, UpcasterFailed
from odradek_events.maintenance import salvage, verify
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import Catalogue

T = datetime(2024, 5, 1, tzinfo=UTC)


def declared(name: str, cls: type[Any], **how: Any) -> tuple[Codec, type[Any]]:
    """Register a class in a catalogue of its own."""
    catalogue = Catalogue()
    return Codec(catalogue), event(name, catalogue=catalogue, **how)(cls)


def read_as(cls: type[Any], written: Any, **how: Any) -> Any:
    """Store an event, and read it with another class under the same name."""
    codec, kind = declared("Priced", type(written))
    with MemoryLog(codec) as log:
        values = {name: getattr(written, name) for name in written.__struct_fields__}
        (verdict,) = log.append([Append(stream="s/1", events=[kind(**values)])], T)
        assert isinstance(verdict, Appended), verdict
        log.codec, _ = declared("Priced", cls, **how)
        (recorded,) = log.read()
        return recorded.event


class Price(msgspec.Struct, frozen=True):
    price: int


class Cents(msgspec.Struct, frozen=True):
    cents: int


class CentsByDefault(msgspec.Struct, frozen=True):
    cents: int = 0


class PriceText(msgspec.Struct, frozen=True):
    price: str


class Refusing(msgspec.Struct, frozen=True):
    price: int

    def __post_init__(self) -> None:
        raise LookupError("no price is good enough")


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Cents, "has no field 'cents'"),
        (CentsByDefault, "has the field 'price', which its class does not have"),
        (PriceText, "does not fit its class (Expected `str`, got `int` - at `$.price`)"),
        (Refusing, "does not fit its class (LookupError('no price is good enough'))"),
    ],
)
def test_an_event_that_does_not_fit_its_class_is_reported_as_a_mistake_in_the_model(cls: type[Any], said: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        read_as(cls, Price(5))
    message = f"event type 'Priced' version 1 at position 0 {said}; declare version 2 with an Upcaster"
    assert str(caught.value) == message
    assert (caught.value.type_name, caught.value.version, caught.value.position) == ("Priced", 1, 0)


def test_the_advice_works() -> None:
    assert read_as(Cents, Price(5), version=2, upcasters=[Upcaster(1).rename("price", "cents")]).cents == 5


class Line(msgspec.Struct, frozen=True):
    price: int


class Order(msgspec.Struct, frozen=True):
    line: Line | None = None
    lines: tuple[Line, ...] = ()
    by_name: dict[str, list[Line]] = {}


class NewLine(msgspec.Struct, frozen=True):
    cents: int = 0


@dataclasses.dataclass(frozen=True)
class DataLine:
    cents: int = 0


class DictLine(TypedDict, total=False):
    cents: int


class StrictLine(msgspec.Struct, frozen=True):
    cents: int


@pytest.mark.parametrize("inner", [NewLine, DataLine, DictLine, StrictLine])
@pytest.mark.parametrize(
    ("field", "value", "place"),
    [("line", Line(5), "line"), ("lines", (Line(5),), "lines[0]"), ("by_name", {"a": [Line(5)]}, "by_name['a'][0]")],
)
def test_a_renamed_field_inside_an_event_is_found_too(inner: Any, field: str, value: Any, place: str) -> None:
    order = msgspec.defstruct(
        "Order",
        [("line", inner | None, None), ("lines", tuple[inner, ...], ()), ("by_name", dict[str, list[inner]], {})],
        frozen=True,
    )
    said = f"has no field '{place}.cents'" if inner is StrictLine else f"has the field '{place}.price', which its class"
    with pytest.raises(SchemaMismatch) as caught:
        read_as(order, Order(**{field: value}))
    assert said.replace("'", '"') in str(caught.value).replace("'", '"').replace("\\", "")


class Circle(msgspec.Struct, frozen=True, tag=True):
    radius: int


class Square(msgspec.Struct, frozen=True, tag=True):
    side: int


class Drawn(msgspec.Struct, frozen=True):
    shape: Circle | Square


def test_a_member_of_a_union_is_compared_by_its_tag() -> None:
    wider = msgspec.defstruct("Square", [("side", int), ("name", str, "")], frozen=True, tag=True)
    other = msgspec.defstruct("Square", [("width", int, 0)], frozen=True, tag=True)
    cls = msgspec.defstruct("Drawn", [("shape", Circle | wider)], frozen=True)
    assert read_as(cls, Drawn(Square(3))).shape.side == 3
    cls = msgspec.defstruct("Drawn", [("shape", Circle | other)], frozen=True)
    with pytest.raises(SchemaMismatch, match=r"has the field 'shape\.side', which its class does not have"):
        read_as(cls, Drawn(Square(3)))


class Tree(msgspec.Struct, frozen=True):
    name: str
    children: tuple[Tree, ...] = ()


def test_a_class_that_contains_itself_is_read() -> None:
    tree = Tree("a", (Tree("b"), Tree("c", (Tree("d"),))))
    codec, kind = declared("Grown", Tree)
    with MemoryLog(codec) as log:
        log.append([Append(stream="s/1", events=[kind(tree.name, tree.children)])], T)
        assert [recorded.event.children for recorded in log.read()] == [tree.children]


def test_an_upcast_event_with_an_unknown_field_is_a_mistake_of_the_upcaster() -> None:
    with pytest.raises(
        UpcasterFailed, match=r"version 2: the result has the field 'price', which its class does not have"
    ):
        read_as(CentsByDefault, Price(5), version=2, upcasters=[Upcaster(1)])


# -- a log with such events -------------------------------------------------------------------------------------------


def stored_prices(path: Path, events: Sequence[int]) -> None:
    codec, priced = declared("Priced", Price, tags=("price:{price}",))
    with SqliteLog(path, codec=codec) as log:
        for price in events:
            log.append([Append(stream="s/1", events=[priced(price)])], T)


@pytest.fixture
def prices(tmp_path: Path) -> Iterator[SqliteLog]:
    """A log of three prices, opened with a class whose field was renamed."""
    stored_prices(tmp_path / "prices.db", [5, 6, 7])
    codec, _ = declared("Priced", Cents, tags=("cents:{cents}",))
    with SqliteLog(tmp_path / "prices.db", codec=codec) as log:
        yield log


def test_the_events_are_shown_as_stored_and_the_rest_of_the_log_stays_readable(prices: SqliteLog) -> None:
    found = [recorded.event for recorded in prices.read(opaque=True)]
    assert [type(each) for each in found] == [OpaqueEvent] * 3
    assert found[0].raw == b'{"type":"Priced","price":5}'
    with pytest.raises(SchemaMismatch, match="at position 0 has no field 'cents'"):
        list(prices.read())


def test_verify_names_the_mistake_once_and_finds_no_damage(prices: SqliteLog) -> None:
    found = verify(prices)
    assert (found.is_sound, found.findings, found.unknown_types) == (True, (), ())
    assert [(each.position, each.problem) for each in found.model_mistakes] == [
        (0, "event type 'Priced' version 1 at position 0 has no field 'cents'; declare version 2 with an Upcaster")
    ]


def test_verify_names_a_mistake_of_an_upcaster(prices: SqliteLog) -> None:
    prices.codec, _ = declared("Priced", Cents, version=2, upcasters=[Upcaster(1)], tags=("cents:{cents}",))
    found = verify(prices)
    assert (found.is_sound, found.unknown_types) == (True, ())
    (mistake,) = found.model_mistakes
    assert "'Priced' version 1, which cannot be upcast to the current version" in mistake.problem


def test_salvage_copies_the_events_with_their_tags(prices: SqliteLog, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert salvage(prices.path, copy, codec=prices.codec).is_whole
    codec, _ = declared("Priced", Price, tags=("price:{price}",))
    with SqliteLog(copy, codec=codec) as log:
        assert [recorded.event.price for recorded in log.read(tags=["price:6"])] == [6]
        assert verify(log).findings == ()
