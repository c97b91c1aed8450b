"""One of several processes that a launcher started: its share of the cases, one report for all.

`torchrun` and `accelerate launch` say to each process who it is, in environment variables. The
processes may be on several machines. What became of the cases is sent as JSON to the first one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplar.errors import InputError, ResourceError, SamplarError, UsageError
from samplar.io.case import Case
from samplar.prediction.predict import Result
from samplar.prediction.stages import Written

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = 3600.0
"""Seconds for the others once the first process is done: the shares are about equal."""

_PAUSE = 0.2
_BEGIN = "samplar/begin"
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """Which process this is.

    Args:
        rank: its number among all, from 0.
        world: how many there are.
        local_rank: its number among those of this machine.
    """

    rank: int
    world: int
    local_rank: int

    def share(self, count: int) -> range:
        """Return the numbers of this process's cases, of `count`."""
        return range(self.rank, count, self.world)

    @contextmanager
    def meeting(self) -> Iterator[Meeting]:
        """Meet the others; they learn of an error in the body.

        Raises:
            ResourceError: `launch.lost`.
        """
        from torch.distributed import DistError
        from torch.distributed.rendezvous import rendezvous

        try:
            store, _, _ = next(rendezvous("env://"))
        except (DistError, ValueError) as error:
            raise _lost("the first process cannot be reached", error) from error
        meeting = Meeting(self, store)
        try:
            yield meeting
        except BaseException as error:
            with suppress(DistError):  # this error goes before that of telling it
                meeting.send({"stopped": str(error) or type(error).__name__})
            raise


@dataclass(frozen=True)
class Meeting:
    """Where the processes of a launch tell each other what became of their cases."""

    launch: Launch
    store: Store

    def begin(self) -> None:
        """Let the others begin: the first process has the output folder to itself."""
        self.store.set(_BEGIN, "")

    def wait(self) -> None:
        """Wait until the first process lets the others begin.

        Raises:
            ResourceError: `launch.lost`.
        """
        from torch.distributed import DistError

        end = time.monotonic() + PATIENCE
        try:
            while not self.store.check([_BEGIN]):
                if self.store.check(["samplar/0"]) or time.monotonic() > end:
                    raise _lost("the first process did not begin")
                time.sleep(_PAUSE)
        except DistError as error:
            raise _lost("the first process is gone", error) from error

    def gathered(self, mine: Mapping[int, Result], cases: Sequence[Case]) -> dict[int, Result]:
        """Return the results of all in the first process; send one's own there from the others.

        Args:
            mine: by number of the case.
            cases: of all processes.

        Raises:
            ResourceError: `launch.lost`, when another process has stopped or is not heard of.
            InputError: `launch.cases`, when another process was given other cases.
        """
        from torch.distributed import DistError

        if self.launch.rank > 0:
            rows = [[n, cases[n].id, _packed(result)] for n, result in mine.items()]
            try:
                self.send({"results": rows})
            except DistError as error:
                raise _lost("the first process is gone", error) from error
            return dict(mine)
        everything = dict(mine)
        for rank in range(1, self.launch.world):
            for n, name, packed in self._received(rank):
                if n >= len(cases) or cases[n].id != name:
                    raise _other_cases(name, rank, self.launch.world)
                everything[n] = _unpacked(packed)
        return everything

    def send(self, document: Mapping[str, Any]) -> None:
        """Leave a document for the first process."""
        self.store.set(f"samplar/{self.launch.rank}", json.dumps(document))

    def _received(self, rank: int) -> list[Any]:
        key, end = f"samplar/{rank}", time.monotonic() + PATIENCE
        who = f"process {rank + 1} of {self.launch.world}"
        while not self.store.check([key]):
            if time.monotonic() > end:
                raise _lost(f"{who} was not heard of for {PATIENCE:.0f} s")
            time.sleep(_PAUSE)
        document = json.loads(self.store.get(key))
        if "stopped" in document:
            raise _lost(f"{who} has stopped ({document['stopped']})")
        return document["results"]


def launched(environment: Mapping[str, str]) -> Launch | None:
    """Return which process of a launch this is, or None if it is the only one.

    Raises:
        UsageError: `launch.variables`, when the environment says it in part, or wrongly.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        return None
    try:
        rank, world = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        local = int(environment.get("LOCAL_RANK", rank))
        told = 0 <= rank < world and environment["MASTER_ADDR"] and int(environment["MASTER_PORT"])
    except (KeyError, ValueError):
        told = False
    if not told:
        found = ", ".join(f"{name}={environment.get(name, '')}" for name in _VARIABLES)
        raise UsageError(
            f"the environment says that this is one of several processes, but not which ({found})",
            fix="Start with `torchrun` or `accelerate launch`, or unset WORLD_SIZE",
            code="launch.variables",
        )
    return Launch(rank, world, local)


def _packed(result: Result) -> dict[str, Any]:
    if isinstance(result, SamplarError):
        fields = {"fix": result.fix, "code": result.code, "path": result.path}
        return {"problem": result.problem, **fields}
    return {"path": str(result.path), "notes": result.notes, "kept": result.kept}


def _unpacked(fields: Mapping[str, Any]) -> Result:
    if "problem" not in fields:
        return Written(Path(fields["path"]), tuple(fields["notes"]), kept=fields["kept"])
    return InputError(**fields)


def _lost(problem: str, error: Exception | None = None) -> ResourceError:
    why = "" if error is None else f": {str(error).splitlines()[0]}"
    return ResourceError(
        f"{problem}{why}",
        fix="What is written is whole; run again for the rest",
        code="launch.lost",
    )


def _other_cases(name: str, rank: int, world: int) -> InputError:
    return InputError(
        f"process {rank + 1} of {world} was given other cases: {name} is not the same there",
        fix="Give every process the same images, in folders that all of them see",
        code="launch.cases",
    )
