from __future__ import annotations

import ctypes
import platform

from samplar.sam.memory import LARGEST, M_MMAP_THRESHOLD, keep_freed_memory


class Libc:
    def __init__(self):
        self.said = {}

    def mallopt(self, name, value):
        self.said[name] = value


def test_glibc_is_told_to_reuse_memory(monkeypatch):
    libc = Libc()
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: libc)
    keep_freed_memory()
    assert libc.said[M_MMAP_THRESHOLD] == LARGEST


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: 1 / 0)
    keep_freed_memory()
