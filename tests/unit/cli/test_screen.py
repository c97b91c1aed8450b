from __future__ import annotations

import json

import pytest

from samplar.cli.screen import Screen


def test_a_result_is_text_or_one_document(capsys):
    Screen(as_json=False, quiet=False).result({"a": "é"}, "three cases\n")
    assert capsys.readouterr().out == "three cases\n"
    Screen(as_json=True, quiet=False).result({"a": "é"}, "three cases\n")
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": "é"}
    assert out.isascii()


@pytest.mark.parametrize(("quiet", "notes"), [(False, "note\n"), (True, "")])
def test_notes_and_warnings_go_to_stderr(capsys, quiet, notes):
    screen = Screen(as_json=False, quiet=quiet)
    screen.note("note")
    screen.warn("must be known\n")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{notes}must be known\n")
