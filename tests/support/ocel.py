"""Checks the structure of an object-centric event log, by what OCEL 2.0 says of its JSON (ocel-standard.org)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

__all__ = ["problems_of"]

_FITS = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "time": lambda value: _is_time(value),
}
_Types = dict[str, dict[str, str]]  # name of a type -> its attributes -> their type


def problems_of(document: Any) -> list[str]:
    """Return what is wrong with a document; an empty list if nothing is."""
    if not isinstance(document, dict) or set(document) != {"eventTypes", "objectTypes", "events", "objects"}:
        return ["the top level must have eventTypes, objectTypes, events and objects"]
    return list(_problems(document))


def _problems(document: dict[str, Any]) -> Iterator[str]:
    event_types, object_types = _types(document["eventTypes"]), _types(document["objectTypes"])
    for types in (event_types, object_types):
        for name, attributes in types.items():
            yield from (f"type {name}: unknown type {kind}" for kind in attributes.values() if kind not in _FITS)
    for part in ("eventTypes", "objectTypes"):
        names = [each["name"] for each in document[part]]
        yield from (f"{part} has {name} twice" for name in {name for name in names if names.count(name) > 1})
    objects = {each["id"] for each in document["objects"]}
    for part, types, fields in (
        ("events", event_types, {"id", "type", "time", "attributes", "relationships"}),
        ("objects", object_types, {"id", "type", "attributes", "relationships"}),
    ):
        ids = [each["id"] for each in document[part]]
        if len(set(ids)) < len(ids):
            yield f"{part} has an id twice"
        for each in document[part]:
            yield from (f"{part} {each['id']}: {problem}" for problem in _of_one(each, fields, types, objects))


def _of_one(each: dict[str, Any], fields: set[str], types: _Types, objects: set[str]) -> Iterator[str]:
    if set(each) != fields:
        yield f"fields {sorted(each)}"
        return
    if not isinstance(each["id"], str) or each["type"] not in types:
        yield f"type {each['type']} is not declared"
        return
    if "time" in each and not _is_time(each["time"]):
        yield f"time {each['time']}"
    needed = {"name", "value"} if "time" in fields else {"name", "value", "time"}
    for attribute in each["attributes"]:
        declared = types[each["type"]].get(attribute["name"])
        if set(attribute) != needed or declared not in _FITS or not _FITS[declared](attribute["value"]):
            yield f"attribute {attribute} is not the declared {declared}"
    relations = [(relation["objectId"], relation["qualifier"]) for relation in each["relationships"]]
    if len(set(relations)) < len(relations):
        yield "a relation twice"
    for target, qualifier in relations:
        if target not in objects or not isinstance(qualifier, str) or not qualifier:
            yield f"relation to {target} as {qualifier}"


def _types(declared: list[dict[str, Any]]) -> _Types:
    return {each["name"]: {found["name"]: found["type"] for found in each["attributes"]} for each in declared}


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
