from __future__ import annotations

import gzip
import zlib
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io import content
from samplar.io.content import read_content, read_head

HEAD = (348).to_bytes(4, "little")
DATA = HEAD + np.random.default_rng(0).bytes(5000) + bytes(3000)


def code_of(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_content(path, **options)
    return caught.value.code


def test_plain_and_gzipped_bytes_are_the_same(tmp_path):
    plain, packed = tmp_path / "a.nii", tmp_path / "a.nii.gz"
    plain.write_bytes(DATA)
    packed.write_bytes(gzip.compress(DATA))
    assert read_content(plain).data == read_content(packed).data == DATA
    assert read_content(packed).complete
    assert read_head(plain) == DATA[:544]


def test_several_members_and_zero_padding_are_one_stream(tmp_path):
    path = tmp_path / "a.nii.gz"
    members = [gzip.compress(DATA[i : i + 100]) for i in range(0, len(DATA), 100)]
    path.write_bytes(bytes(7).join(members) + bytes(512))
    read = read_content(path)
    assert read.complete
    assert read.data == DATA


def test_members_may_end_at_a_block_border(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    first = gzip.compress(DATA[:4000])
    path.write_bytes(first + gzip.compress(DATA[4000:]))
    for block in (len(first), len(first) - 1, len(first) + 1, 1):
        monkeypatch.setattr(content, "_BLOCK", block)
        read = read_content(path)
        assert read.complete
        assert read.data == DATA


def test_a_cut_stream_is_incomplete_at_every_length(tmp_path):
    path = tmp_path / "a.nii.gz"
    whole = gzip.compress(DATA)
    for length in range(3, len(whole), 97):
        path.write_bytes(whole[:length])
        read = read_content(path)
        assert not read.complete
        assert DATA.startswith(bytes(read.data))


def test_every_flipped_bit_of_checksum_and_length_is_found(tmp_path):
    path = tmp_path / "a.nii.gz"
    whole = gzip.compress(DATA)
    for bit in range(64):
        damaged = bytearray(whole)
        damaged[-8 + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert code_of(path) == "io.corrupt"


def test_bytes_after_the_gzip_stream_are_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(DATA) + b"extra")
    assert code_of(path) == "io.corrupt"


def test_the_limit_is_on_the_bytes_produced(tmp_path):
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(HEAD + bytes(50_000_000)))
    assert path.stat().st_size < 100_000
    assert code_of(path, limit=10_000_000) == "io.too_large"
    assert len(read_content(path).data) == 50_000_004


def test_peek_sees_the_head_once_before_the_rest(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(HEAD + bytes(5_000_000)))
    seen = []

    def peek(head: bytes) -> int:
        seen.append(head)
        return 6_000_000

    assert len(read_content(path, peek=peek).data) == 5_000_004
    assert len(seen) == 1
    assert seen[0] == HEAD + bytes(540)


def test_no_more_is_produced_than_peek_asked_for(tmp_path):
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(HEAD + bytes(50_000_000)))
    content = read_content(path, peek=lambda head: 1000)
    assert 1000 < len(content.data) <= 1 << 20


def test_a_file_that_changes_meanwhile_is_refused(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(DATA)

    def grow(head: bytes) -> int:
        with path.open("ab") as file:
            file.write(b"more")
        return 1 << 20

    assert code_of(path, peek=grow) == "io.changed"


@pytest.mark.parametrize(
    ("trouble", "says"),
    [(OSError(5, "Input/output error"), "Input/output error"), (OSError("odd"), "odd")],
)
def test_an_unreadable_file_is_named(tmp_path, monkeypatch, trouble, says):
    path = tmp_path / "a.nii"
    path.write_bytes(DATA)

    def broken(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(content, "_plain", broken)
    with pytest.raises(InputError) as caught:
        read_content(path)
    assert caught.value.code == "io.unreadable"
    assert caught.value.problem == f"cannot be read: {says}"


def test_the_head_of_an_unopenable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.nii"
    path.write_bytes(DATA)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(InputError) as caught:
        read_head(path)
    assert caught.value.code == "io.unreadable"


def test_the_decoder_agrees_with_the_standard_library(tmp_path):
    path = tmp_path / "a.nii.gz"
    for level in (0, 1, 9):
        path.write_bytes(gzip.compress(DATA * 300, compresslevel=level))
        assert zlib.crc32(read_content(path).data) == zlib.crc32(gzip.decompress(path.read_bytes()))


def test_the_limit_itself_may_be_reached(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(DATA))
    assert read_content(path, limit=len(DATA)).data == DATA
    assert code_of(path, limit=len(DATA) - 1) == "io.too_large"


@pytest.mark.parametrize(("size", "seen"), [(543, 0), (544, 1), (545, 1)])
def test_peek_needs_544_bytes(tmp_path, size, seen):
    path, heads = tmp_path / "a.nii", []
    path.write_bytes(DATA[:size])

    def peek(head: bytes) -> int:
        heads.append(head)
        return size

    assert read_content(path, peek=peek).data == DATA[:size]
    assert heads == [DATA[:544]] * seen


def test_the_checksum_is_read_though_all_the_bytes_asked_for_are_there(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    damaged = bytearray(gzip.compress(DATA, compresslevel=0))
    damaged[-8] ^= 1
    path.write_bytes(damaged)
    monkeypatch.setattr(content, "_BLOCK", len(damaged) - 8)
    assert code_of(path, peek=lambda head: len(DATA)) == "io.corrupt"


def test_a_zlib_stream_without_a_gzip_header_is_no_gzip_member(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(DATA) + zlib.compress(DATA))
    assert code_of(path) == "io.corrupt"


def test_the_two_sizes_of_a_file_that_grew_are_told(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(DATA)

    def grow(head: bytes) -> int:
        with path.open("ab") as file:
            file.write(b"more")
        return len(DATA)

    with pytest.raises(InputError, match=r"8,004 bytes, then 8,008"):
        read_content(path, peek=grow)


def test_content_cannot_be_exchanged():
    with pytest.raises(FrozenInstanceError):
        content.Content(bytearray(), True).complete = False
