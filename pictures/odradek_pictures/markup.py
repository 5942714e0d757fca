"""Markup that is escaped by construction: elements from tags, attributes and content.

Only `Html` goes into a document as it is; any other str is escaped. The result is HTML and well-formed XML, so that the
same functions serve pages and SVG files, and any XML parser can check them.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from odradek_pictures.text import make_visible

__all__ = ["Html", "element", "join"]

_WITHOUT_CONTENT = frozenset({"circle", "line", "meta", "path", "polygon", "rect"})
_IN_ATTRIBUTES = {'"': "&quot;", "\n": "&#10;"}


class Html(str):
    """Well-formed markup, which goes into a document as it is."""

    __slots__ = ()


def element(tag: str, *content: str | float, **attributes: str | float | bool | None) -> Html:
    """Return an element. `class_` stands for `class` and `stroke_width` for `stroke-width`; None leaves one out.

    Numbers are rounded to hundredths. In text, newlines stay, and other control characters become visible.
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _WITHOUT_CONTENT:
        return Html(f"<{tag}{named}/>")
    return Html(f"<{tag}{named}>{join(*content)}</{tag}>")


def join(*content: str | float) -> Html:
    """Return pieces of content one after the other, with text escaped."""
    return Html("".join(piece if isinstance(piece, Html) else _text(piece) for piece in content))


def _text(piece: str | float) -> str:
    return escape(make_visible(piece, keep="\n")) if isinstance(piece, str) else _number(piece)


def _value(value: str | float | bool) -> str:
    if isinstance(value, str):
        return escape(make_visible(value, keep="\n"), _IN_ATTRIBUTES)
    return "" if value is True else _number(value)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
