"""What starts without torch, and how fast help is there."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from phantom_sets import nifti

CODE = """
import sys
from samplar.cli.main import run
sys.argv = ["samplar", *sys.argv[1:]]
try:
    run()
finally:
    sys.stderr.write(" ".join(m for m in ("torch", "matplotlib", "numpy") if m in sys.modules))
"""


def loaded(*words: object) -> tuple[int, set[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, words)], capture_output=True, text=True, check=False
    )
    return ran.returncode, set(ran.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("fit", "--help"), ("weights", "--help")])
def test_help_loads_neither_torch_nor_numpy(words):
    assert loaded(*words) == (0, set())


def test_methods_and_check_load_no_torch(tmp_path):
    assert loaded("methods", "--json") == (0, set())
    status, modules = loaded("check", nifti(tmp_path / "set"), "--json")
    assert status == 0
    assert "torch" not in modules


def test_help_takes_less_than_a_third_of_a_second_of_work():
    code = "from samplar.cli.main import app; import time; print(time.process_time())"
    seconds = [
        float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(3)
    ]
    assert min(seconds) < 0.3
    assert time.process_time() > 0
