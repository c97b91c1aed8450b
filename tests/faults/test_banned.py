"""What may not stand in the sources, so that it cannot come back: one list, with its exceptions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import samplar

SOURCE = Path(samplar.__file__).parent

BANNED_IMPORTS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "tarfile",
    "ctypes",
    "telnetlib",
    "ftplib",
    "xml",
}
NETWORK = {"socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "huggingface_hub"}
BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.hub.load",
    "torch.jit.load",
    "tempfile.mktemp",
}
BANNED_METHODS = {
    "extractall",
    "extract",
    "unpack_archive",
    "read_pickle",
    "load_state_dict_from_url",
}

ALLOWED = {
    # The name of the exception that torch raises; nothing unpickles.
    ("sam/convert.py", "import pickle"),
    # Two settings of the C library's allocator.
    ("sam/memory.py", "import ctypes"),
    # The only ways to the network, each only when asked for: by address, from a package index
    # (which is pip's), from the hub.
    ("io/assets.py", "import http"),
    ("io/web.py", "import urllib"),
    ("io/hub.py", "import huggingface_hub"),
    ("io/hub_errors.py", "import huggingface_hub"),
    ("io/hub_repository.py", "import huggingface_hub"),
}


def offences(tree: ast.AST) -> Iterator[str]:
    """Yield what a source does that no source may."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(node)
        elif isinstance(node, ast.Call):
            yield from _calls(node)
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield "bare except"
        elif isinstance(node, ast.Assert):
            yield "assert"


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for name in names:
        top = name.partition(".")[0]
        if top in BANNED_IMPORTS | NETWORK and name != "urllib.parse":
            yield f"import {top}"


def _calls(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    given = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if called in BANNED_CALLS or called.startswith("pickle."):
        yield called
    if called.rpartition(".")[2] in BANNED_METHODS and "." in called:
        yield called.rpartition(".")[2]
    if (
        called in {"torch.load", "load"}
        and "torch" in called
        and given.get("weights_only") != "True"
    ):
        yield "torch.load without weights_only=True"
    if called in {"np.load", "numpy.load"} and given.get("allow_pickle") != "False":
        yield "numpy.load without allow_pickle=False"
    if given.get("allow_pickle") == "True":
        yield "allow_pickle=True"
    if given.get("shell") == "True":
        yield "shell=True"


def found() -> set[tuple[str, str]]:
    """Return every offence in the sources with its file."""
    return {
        (path.relative_to(SOURCE).as_posix(), offence)
        for path in SOURCE.rglob("*.py")
        for offence in offences(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_nothing_banned_stands_in_the_sources():
    assert found() - ALLOWED == set()


def test_no_exception_is_left_over():
    assert found() >= ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import os, marshal",
        "import urllib.request",
        "import socket",
        "from huggingface_hub import hf_hub_download",
        "eval('1')",
        "exec('1')",
        "os.system('ls')",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(text)",
        "archive.extractall('there')",
        "archive.extract(name)",
        "shutil.unpack_archive(path)",
        "subprocess.run(words, shell=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=safe)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "assert x",
        "try:\n    x\nexcept:\n    y",
    ],
)
def test_it_would_be_seen(text):
    assert list(offences(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    ["from urllib.parse import quote", "torch.load(f, weights_only=True)", "ast.literal_eval(x)"],
)
def test_what_is_allowed_is_not_complained_of(text):
    assert not list(offences(ast.parse(text)))
