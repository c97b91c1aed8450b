"""A process that has everything imported, and forks to run `samplar`: a run costs no start.

zygote = Zygote()
ran = zygote.run("fit", data, "-o", run, folder=run, fault=Fault("kill", at=12))
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from command import QUICK, samplar
from phantom_sets import nifti
from write_steps import Fault, Steps

NO_FAULT = Fault()


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit status (below 0 the signal), what it said, and the steps it made.

    `seconds` on the clock, `cpu` seconds of the processor.
    """

    status: int
    out: str
    err: str
    steps: tuple[str, ...]
    seconds: float
    cpu: float


class Zygote:
    """The process, started when this is made."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(
        self,
        *words: object,
        folder: Path,
        fault: Fault = NO_FAULT,
        after: float | None = None,
        number: int = signal.SIGKILL,
        memory: int | None = None,
        calls: tuple[str, int] | None = None,
    ) -> Ended:
        """Run `samplar WORDS`, with a fault in the folder, or a signal after some seconds.

        `memory` is how many bytes more than now the process may use. With `calls`, a function
        as `module:name` and a number, the signal comes when it is called for that time.
        """
        request = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "fault": asdict(fault),
            "after": after,
            "number": number,
            "memory": memory,
            "calls": calls,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        return Ended(**{**told, "steps": tuple(told["steps"])})

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def main() -> None:
    """Answer requests until there are no more."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        _warm_up(Path(place))
    gc.collect()
    gc.freeze()  # else the first collection of every child copies all pages
    for line in sys.stdin:
        answer = answered(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _warm_up(place: Path) -> None:
    """Import and set up, once for all runs, whatever a run does the first time."""
    data = nifti(place / "set")
    for words in (
        ("fit", data, "-o", place / "run", *QUICK, "--quiet"),
        ("predict", place / "run", data / "images", "-o", place / "out", "--quiet"),
    ):
        ran = samplar(*words)
        assert ran.status == 0, ran.err


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, and wait for the end."""
    with tempfile.TemporaryDirectory() as place:
        files = {name: Path(place) / name for name in ("out", "err", "steps")}
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            run(request, files)
        if request["after"] is not None:
            ended = os.pidfd_open(child)
            if not select.select([ended], [], [], request["after"])[0]:
                os.kill(child, request["number"])
            os.close(ended)
        _, status, used = os.wait4(child, 0)
        said = {n: p.read_text(errors="replace") if p.exists() else "" for n, p in files.items()}
        return {
            **said,
            "steps": said["steps"].split(),
            "status": os.waitstatus_to_exitcode(status),
            "seconds": time.monotonic() - begun,
            "cpu": used.ru_utime + used.ru_stime,
        }


def run(request: dict[str, Any], files: dict[str, Path]) -> None:
    """Be `samplar` until the end of this process."""
    import resource

    status = 1
    try:
        for name, descriptor in (("out", 1), ("err", 2)):
            opened = os.open(files[name], os.O_WRONLY | os.O_CREAT)
            os.dup2(opened, descriptor)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["samplar", *request["words"]]
        if request["memory"] is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + request["memory"]
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if request["calls"] is not None:
            signal_at(*request["calls"], request["number"])
        steps = Steps(Path(request["folder"]), Fault(**request["fault"]))
        steps.install()
        try:
            from samplar.cli.main import run as samplar

            samplar()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        sys.stdout.flush()
        sys.stderr.flush()
        files["steps"].write_text(" ".join(steps.names))
    finally:
        os._exit(status)


def signal_at(where: str, call: int, number: int) -> None:
    """Send this process a signal when a function is called for the n-th time."""
    module, _, name = where.partition(":")
    real, calls = getattr(sys.modules[module], name), []

    def signalled(*args: Any, **rest: Any) -> Any:
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return real(*args, **rest)

    setattr(sys.modules[module], name, signalled)


if __name__ == "__main__":
    main()
