from __future__ import annotations

from samplar.errors import InputError


def test_what_does_not_print_stands_escaped():
    name = "a\nb\r\x1b[31m\u202egpj.\udcff\x00"
    error = InputError("is bad", fix="Rename it", code="io.name", path=name)
    line = error.line()
    assert line.isprintable()
    assert "a\\nb\\r\\x1b[31m\\u202egpj.\\udcff\\x00" in line


def test_letters_of_all_languages_stay():
    error = InputError("größer als 3 µm", fix="改名", code="io.name", path="Ünïcode 文件.nii")
    assert error.line() == "samplar: Ünïcode 文件.nii: größer als 3 µm. 改名. [io.name]"
