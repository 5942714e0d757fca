"""The frame that all reports share: one HTML file, light or dark, which needs no script and loads nothing.

Its content security policy forbids scripts and requests: should text ever get into the markup unescaped, it still
cannot act. Pages hold no date, so that the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import msgspec

from odradek_pictures.drawing import Drawing, inline_svg
from odradek_pictures.markup import Html, element, join
from odradek_pictures.theme import DRAWING_STYLE, MONOSPACED, SANS, styles

__all__ = [
    "Cell",
    "Content",
    "Tone",
    "code",
    "details",
    "facts",
    "figure",
    "paragraph",
    "render_page",
    "section",
    "small",
    "table",
]

Content = str | float
"""Html, which is used as it is; text, which is escaped; or a number."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = styles(
    {
        ":root": "color-scheme:light dark",
        "body": f"margin:0;background:$ground;color:$ink;font:15px/1.5 {SANS}",
        "main": "padding:28px 32px 48px;width:max-content;min-width:calc(100% - 64px)",
        "h1": "font-size:24px;line-height:1.25;margin:0 0 12px;max-width:min(60ch,calc(100vw - 64px))",
        "h2": "font-size:17px;margin:36px 0 8px",
        "p,dl,figcaption": "max-width:min(86ch,calc(100vw - 64px));overflow-wrap:anywhere;margin:0 0 10px",
        "code,.mono": f"font-family:{MONOSPACED};font-size:.87em",
        "dl": "display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 18px",
        "dt": "color:$muted",
        "dd": "margin:0",
        "figure": "margin:0 0 12px",
        "figcaption,caption": "color:$muted;font-size:13px",
        "caption": "text-align:left;padding:0 0 6px",
        "summary": "cursor:pointer;color:$muted",
        "table": "border-collapse:collapse;margin:8px 0 16px;font-size:14px",
        "th,td": "padding:5px 12px;text-align:left;vertical-align:top;border-bottom:1px solid $faint;max-width:64ch;"
        "overflow-wrap:anywhere",
        "thead th": "position:sticky;top:0;background:$ground;color:$muted;font-size:13px;vertical-align:bottom",
        "th": "font-weight:600",
        "tbody tr:hover": "background:$panel",
        ".number": "text-align:right;font-variant-numeric:tabular-nums",
        ".good": "color:$c",
        ".bad": "color:$bad;font-weight:600",
        ".muted": "color:$muted",
        ".small": "color:$muted;font-weight:400;font-size:12px",
        "p.bad": "border:1.5px solid $bad;border-radius:6px;background:$bad_ground;padding:8px 14px;color:$ink;"
        "font-weight:400;white-space:pre-line",
        "p.bad strong": "color:$bad",
        ".beside": "display:flex;flex-wrap:wrap;gap:8px 40px;max-width:calc(100vw - 64px)",
        ".heads": "position:sticky;top:0;background:$ground;border-bottom:1px solid $faint",
        ".letter": "display:inline-block;min-width:18px;line-height:18px;border-radius:9px;text-align:center;"
        "font-size:12px;font-weight:700;color:$on_colour;background:$muted",
        ".letter.a": "background:$a",
        ".letter.b": "background:$b",
        ".letter.c": "background:$c",
    }
)


class Tone(Enum):
    """How a cell or paragraph looks; its text must say the same."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    MUTED = "muted"


class Cell(msgspec.Struct, frozen=True):
    """A cell of a table with a tone, and a note that is shown on hover."""

    content: Content
    tone: Tone = Tone.PLAIN
    note: str = ""


def render_page(title: str, *content: Content) -> str:
    """Return an HTML document with a title and what follows it."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", Html(_STYLE + DRAWING_STYLE)),
    )
    body = element("body", element("main", element("h1", title), *content))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def section(heading: str, *content: Content) -> Html:
    """Return content below a heading."""
    return element("section", element("h2", heading), *content)


def paragraph(*content: Content, tone: Tone = Tone.PLAIN) -> Html:
    """Return a paragraph; a bad one has a frame."""
    return element("p", *content, class_=tone.value or None)


def code(text: str) -> Html:
    """Return text in the font of code."""
    return element("code", text)


def small(text: str) -> Html:
    """Return a small line below the content of a cell."""
    return element("div", text, class_="small")


def facts(pairs: Iterable[tuple[Content, Content]]) -> Html:
    """Return names and their values, one pair to a line."""
    return element("dl", *(join(element("dt", name), element("dd", value)) for name, value in pairs))


def figure(picture: Drawing | Html, caption: str = "") -> Html:
    """Return a picture with a caption above it; Html may hold an SVG element that another library drew."""
    shown = inline_svg(picture) if isinstance(picture, Drawing) else picture
    return element("figure", element("figcaption", caption) if caption else "", shown)


def details(summary: str, *content: Content) -> Html:
    """Return content that appears when the reader clicks on its summary."""
    return element("details", element("summary", summary), *content)


def table(head: Sequence[str], rows: Iterable[Sequence[Cell | Content]], caption: str = "") -> Html:
    """Return a table. The first cell of a row names the row; numbers are aligned to the right."""
    return element(
        "table",
        element("caption", caption) if caption else "",
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element("tbody", *(element("tr", *_cells(row)) for row in rows)),
    )


def _cells(row: Sequence[Cell | Content]) -> Iterator[Html]:
    for place, value in enumerate(row):
        cell = value if isinstance(value, Cell) else Cell(value)
        number = "" if isinstance(cell.content, str) else "number"
        yield element(
            "td" if place else "th",
            cell.content,
            scope=None if place else "row",
            class_=f"{cell.tone.value} {number}".strip() or None,
            title=cell.note or None,
        )
