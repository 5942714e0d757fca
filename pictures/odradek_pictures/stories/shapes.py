"""The small shapes of swimlane pictures: text, letters in discs, heads of arrows, and a sign for each kind of step."""

from __future__ import annotations

from collections.abc import Iterable

from odradek_pictures.markup import Html, element, join
from odradek_pictures.stories.story import Kind, Step

__all__ = ["arrow_head", "badge", "bolt", "mark_class", "sign", "text_at"]

_BOLT = ((1.5, -8.0), (-4.5, 1.0), (-0.5, 1.0), (-1.5, 8.0), (4.5, -1.5), (0.5, -1.5))


def text_at(x: float, y: float, text: str, class_: str = "") -> Html:
    """Return a line of text whose middle is at the height `y`."""
    return element("text", text, x=x, y=y + 4.0, class_=class_ or None)


def badge(x: float, y: float, letter: str) -> Html:
    """Return the letter of a mark in a disc of its colour."""
    return join(element("circle", cx=x, cy=y, r=7.5, class_=f"o-{letter.lower()}"), text_at(x, y, letter, "o-on"))


def mark_class(step: Step) -> str:
    """Return the class that gives a marked step its colour, after a space."""
    return f" o-{step.mark.lower()}" if step.mark else ""


def arrow_head(x: float, y: float, dx: float, dy: float, class_: str) -> Html:
    """Return the head of an arrow: its tip, and the direction as a vector of length 1."""
    back_x, back_y = x - 9 * dx, y - 9 * dy
    return _polygon(((x, y), (back_x - 4 * dy, back_y + 4 * dx), (back_x + 4 * dy, back_y - 4 * dx)), class_)


def bolt(x: float, y: float) -> Html:
    """Return the sign of a fault."""
    return _polygon(((x + dx, y + dy) for dx, dy in _BOLT), "o-bad")


def sign(step: Step, x: float, y: float) -> Html:
    """Return the sign of a step on the line of its lane."""
    mark = mark_class(step)
    match step.kind:
        case Kind.SENT:
            return element("circle", cx=x, cy=y, r=2.6, class_=f"o-node{mark}")
        case Kind.TIMER:
            hands = element("path", d=f"M{x:g} {y - 3.2:g}V{y:g}H{x + 2.6:g}", class_="o-thin")
            return join(element("circle", cx=x, cy=y, r=5.5, class_=f"o-open{mark}"), hands)
        case Kind.RESUMED:
            return _polygon(((x - 4, y - 5), (x + 5.5, y), (x - 4, y + 5)), f"o-open{mark}")
        case Kind.NOTE:
            return element("rect", x=x - 4, y=y - 4, width=8, height=8, class_=f"o-open{mark}")
        case Kind.FAULT:
            return join(element("circle", cx=x, cy=y, r=9, class_="o-ground"), bolt(x, y))
        case _:
            return element("circle", cx=x, cy=y, r=5, class_=f"o-full{mark}")


def _polygon(points: Iterable[tuple[float, float]], class_: str) -> Html:
    return element("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)
