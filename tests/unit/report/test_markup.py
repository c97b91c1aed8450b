from __future__ import annotations

import base64

from samplar.report.markup import Html, element, escape, image, join


def test_text_is_escaped_and_markup_is_not():
    inner = element("b", "1 < 2 & 'x'")

    assert inner == "<b>1 &lt; 2 &amp; &#x27;x&#x27;</b>"
    assert element("p.a.b", inner, '"') == f'<p class="a b">{inner}&quot;</p>'


def test_attributes_are_escaped():
    written = element("a", attributes={"title": '"><script>', "n": 1.5})

    assert written == '<a title="&quot;&gt;&lt;script&gt;" n="1.5"></a>'


def test_void_elements_are_closed():
    assert element("br") == "<br/>"


def test_characters_that_turn_the_writing_are_shown():
    assert escape("case\u202egpj.exe") == "case\\u202egpj.exe"
    assert escape("\x00\x1b[2J") == "\\u0000\\u001b[2J"


def test_other_writing_is_left_as_it_is():
    name = "Leber \u00e4\u00f6\u00fc \u809d\u810f \U0001f9e0 \u05db\u05d1\u05d3"

    assert escape(name) == name


def test_joined_markup_stays_markup():
    assert escape(join([Html("<i>"), Html("</i>")])) == "<i></i>"


def test_an_image_travels_inside_the_page(png):
    shown = image(png, alt="a<b")

    assert f"data:image/png;base64,{base64.b64encode(png).decode()}" in shown
    assert 'alt="a&lt;b"' in shown
