"""Arguments and options that several commands share, and places in a log given by position or by time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from odradek_domain.values.names import ConsumerId, GroupId, ProducerId, TopicName

__all__ = [
    "MAX_PARTITIONS",
    "Durability",
    "DurabilityOption",
    "ExistingLog",
    "GroupArgument",
    "JsonOption",
    "NewLog",
    "Place",
    "bad_value",
    "consumer_id",
    "group_id",
    "parse_place",
    "producer_id",
    "topic_name",
]

# Those of the domain and of SqliteLog, repeated so that help and completion need not import them; a test compares.
MAX_PARTITIONS = 10_000
Durability = Literal["full", "normal", "off"]
Place = int | datetime | None
T = TypeVar("T")


def bad_value(name: str, problem: str) -> typer.BadParameter:
    """Return the error for a value of the option or argument `name`."""
    return typer.BadParameter(problem, param_hint=name)


def topic_name(name: str, text: str) -> TopicName:
    """Return the topic that the option or argument `name` gives."""
    from odradek_domain.values.names import TopicName

    return _checked(name, TopicName, text)


def group_id(name: str, text: str) -> GroupId:
    """Return the consumer group that the option or argument `name` gives."""
    from odradek_domain.values.names import GroupId

    return _checked(name, GroupId, text)


def consumer_id(name: str, text: str) -> ConsumerId:
    """Return the consumer that the option or argument `name` gives."""
    from odradek_domain.values.names import ConsumerId

    return _checked(name, ConsumerId, text)


def producer_id(name: str, text: str) -> ProducerId:
    """Return the producer that the option or argument `name` gives."""
    from odradek_domain.values.names import ProducerId

    return _checked(name, ProducerId, text)


def _checked(name: str, make: type[T], value: str) -> T:
    try:
        return make(value)  # type: ignore[call-arg]  # every value object here takes one text
    except ValueError as error:
        raise bad_value(name, str(error)) from error


def _log_file(value: str) -> str:
    if value == ":memory:":
        raise typer.BadParameter("a log in memory would be lost when the command ends; name a file")
    return value


ExistingLog = Annotated[str, typer.Argument(metavar="LOG", callback=_log_file, help="The log file.")]
NewLog = Annotated[
    str, typer.Argument(metavar="NEW", callback=_log_file, help="The file of the new log; it must not exist.")
]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The consumer group's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DurabilityOption = Annotated[
    Durability,
    typer.Option(
        help="full: sync every commit before acknowledging it. normal: a crash of the process loses nothing that was "
        "acknowledged, a crash of the machine may. off: any crash may."
    ),
]


def parse_place(name: str, text: str) -> Place:
    """Turn a position, a time, or "head" into a place; None is the head. A time without a zone is in UTC."""
    if text == "head":
        return None
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_value(
            name,
            f"{text[:80]!r} is not a place in a log; use a position like 41, a time like 2026-01-31T12:00:00Z, or head",
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
