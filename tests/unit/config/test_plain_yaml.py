from __future__ import annotations

import pytest

from samplar.config.plain_yaml import MAX_DEPTH, RepeatedKeysError, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("a: 1", {"a": 1}),
        ("a: [0, -1, +2, 10]", {"a": [0, -1, 2, 10]}),
        ("a: [1.5, 0.5, .5, 1., -2.0e-3, 1.0e+5]", {"a": [1.5, 0.5, 0.5, 1.0, -0.002, 1e5]}),
        ("'0012'", "0012"),
        ('"12:30"', "12:30"),
        ("[yes, no, null, ~]", [True, False, None, None]),
        ("case: liver_01", {"case": "liver_01"}),
        ("1.2.3", "1.2.3"),
        ("grüße", "grüße"),
    ],
)
def test_what_people_write(text, value):
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 0012", "line 1: put 0012 in quotes"),
        ("a: 12:30", "put 12:30 in quotes"),
        ("a: 12:30.5", "put 12:30.5 in quotes"),
        ("a: 1_000", "put 1_000 in quotes"),
        ("a: 0x1F", "put 0x1F in quotes"),
        ("a: 0b11", "put 0b11 in quotes"),
        ("x: 1\n0012: [1]", "line 2: put 0012 in quotes"),
        ("a: !!int 3", "uses the YAML tag"),
        ("a: ! x", "uses the YAML tag"),
        ("a: &b 1", "anchors or aliases"),
        ("a: &b [1]", "anchors or aliases"),
        ("a: *b", "anchors or aliases"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH}"),
        ("a: [", "flow"),
        ("a: 2020-13-45", "month"),
        ("? [a]\n: b", "unhashable"),
        ("a: 1\n---\nb: 2", "single document"),
        (f"a: {'9' * 5000}", "4300"),
    ],
)
def test_what_is_refused_in_one_line(text, words):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_yaml(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nesting_up_to_the_bound():
    parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_keys_met_twice_are_named():
    with pytest.raises(RepeatedKeysError) as caught:
        parse_yaml("x:\n  - {a: 1, b: 2, a: 3}\n")
    assert caught.value.keys == ["a"]
