"""A page is one well-formed document that can run nothing and load nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from support.stories import HOSTILE, zombie_commit

from odradek_pictures import (
    Cell,
    Html,
    Tone,
    code,
    details,
    draw_swimlanes,
    facts,
    figure,
    paragraph,
    render_page,
    section,
    small,
    table,
)


def sample_page(text: str) -> str:
    """Return a page with everything a page can have, made of one text."""
    return render_page(
        text,
        section(text, paragraph(text, code(text), tone=Tone.BAD), facts([(text, text), (code(text), 7)])),
        details(text, table([text, text], [[text, Cell(text, Tone.GOOD, text)], [small(text), 2.5]], text)),
        figure(draw_swimlanes(zombie_commit(failing=True)), text),
        figure(Html("<svg></svg>")),
    )


def test_a_page_of_hostile_text_is_well_formed_and_keeps_the_text() -> None:
    document = ElementTree.fromstring(sample_page(HOSTILE).partition("\n")[2])
    assert document.tag == "html"
    assert "".join(document.itertext()).count("<script>alert(1)</script>") == 16
    assert [each.tag for each in document.iter() if "script" in each.tag or "on" in {*each.attrib}] == []


def test_a_page_can_run_nothing_and_load_nothing() -> None:
    text = sample_page("x")
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert not re.search(r"<script|<link|<iframe|src=|href=|@import|url\(", text)


def test_the_same_content_gives_the_same_bytes() -> None:
    assert sample_page("x").encode() == sample_page("x").encode()


def test_a_table_names_its_rows_and_aligns_its_numbers() -> None:
    made = table(
        ["decision", "units"], [["decide", Cell("not kept", Tone.BAD, "reads more than it checks")], ["x", 12]]
    )
    assert '<thead><tr><th scope="col">decision</th><th scope="col">units</th></tr></thead>' in made
    assert '<th scope="row">decide</th><td class="bad" title="reads more than it checks">not kept</td>' in made
    assert '<td class="number">12</td>' in made


def test_a_page_has_colours_for_light_and_dark() -> None:
    style = sample_page("x").partition("<style>")[2].partition("</style>")[0]
    assert "@media (prefers-color-scheme:dark)" in style
    assert "$" not in style
