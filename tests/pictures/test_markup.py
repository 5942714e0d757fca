"""Markup is well formed and escaped, whatever goes into it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stories import HOSTILE

from odradek_pictures.markup import Html, element, join
from odradek_pictures.text import make_visible


@given(st.text(st.characters(codec=None)) | st.just(HOSTILE))
def test_text_and_attributes_come_out_as_they_went_in(text: str) -> None:
    read = ElementTree.fromstring(element("p", text, title=text))
    assert (read.text or "") == make_visible(text, keep="\n")
    assert read.get("title") == make_visible(text, keep="\n")
    assert len(read) == 0


@pytest.mark.parametrize(
    ("made", "markup"),
    [
        (element("p", "a<b", Html("<i></i>"), 3, 0.5), "<p>a&lt;b<i></i>30.5</p>"),
        (element("line", x1=1.0, y1=2.345, stroke_width=2), '<line x1="1" y1="2.35" stroke-width="2"/>'),
        (element("th", class_="a", scope=None), '<th class="a"></th>'),
        (element("details", open=True, hidden=False), '<details open=""></details>'),
        (element("p", title="\"'\n<&"), '<p title="&quot;\'&#10;&lt;&amp;"></p>'),
        (join("]]>", "\x00"), "]]&gt;\\u0000"),
    ],
    ids=str,
)
def test_markup_is_short_and_exact(made: Html, markup: str) -> None:
    assert made == markup
