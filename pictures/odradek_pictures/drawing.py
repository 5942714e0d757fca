"""A drawing, and the two ways to show it: as an SVG file, or inline in a page.

It has no ids, so that a page can show any number of drawings.
"""

from __future__ import annotations

import msgspec

from odradek_pictures.markup import Html, element
from odradek_pictures.theme import DRAWING_STYLE

__all__ = ["Drawing", "inline_svg", "svg_file"]


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """What an SVG element holds, with its size in pixels; title and description are for readers who do not see it."""

    width: float
    height: float
    title: str
    description: str
    content: Html


def svg_file(drawing: Drawing) -> str:
    """Return the drawing as an SVG document, in light or dark as the viewer prefers."""
    return _svg(drawing, element("style", Html(DRAWING_STYLE)))


def inline_svg(drawing: Drawing) -> Html:
    """Return the drawing for a page; `page` has the style of drawings."""
    return _svg(drawing, Html())


def _svg(drawing: Drawing, style: Html) -> Html:
    return element(
        "svg",
        element("title", drawing.title),
        element("desc", drawing.description),
        style,
        element("rect", class_="o-ground", width="100%", height="100%"),
        drawing.content,
        xmlns="http://www.w3.org/2000/svg",
        class_="o-svg",
        role="img",
        width=drawing.width,
        height=drawing.height,
        viewBox=f"0 0 {drawing.width:g} {drawing.height:g}",
    )
