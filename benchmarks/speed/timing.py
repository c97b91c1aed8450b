"""What all speed benchmarks share: taking turns, medians, one table, one JSON document.

    spent = rounds({"ours": ours, "peer": peer}, count=9)
    results = summary(spent, baseline="ours", items=batch)
    print(table(["", "ms", "times"], [[n, r["ms"], r["times_slower"]] for n, r in results.items()]))
    write(path, document("encoder", settings={"batch": batch}, results=results))

Contestants take turns in one process (A B A B ...), so that whatever else the machine does meets
all of them alike; the ratio of two is the median of the ratios of each turn.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch

Work: TypeAlias = Callable[[], object]
"""One piece of work, done once per call."""

FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
"""Features of the processor that change which kernels run."""


def seconds(work: Work) -> float:
    """Return the wall time of one call, until the accelerator, if any, has finished."""
    _settle()
    start = time.perf_counter()
    work()
    _settle()
    return time.perf_counter() - start


def rounds(
    contestants: Mapping[str, Work], *, count: int, warmup: int = 2
) -> dict[str, list[float]]:
    """Let the contestants take turns.

    Args:
        contestants: what to time, by name; each does the same work.
        count: timed turns of each.
        warmup: turns before these, not counted.

    Returns:
        Seconds of every counted turn, by name, in the order of `contestants`.
    """
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(warmup + count):
        for name, work in contestants.items():
            gc.collect()  # nobody pays for what another left behind
            taken = seconds(work)
            if turn >= warmup:
                spent[name].append(taken)
    return spent


def summary(
    spent: Mapping[str, Sequence[float]], *, baseline: str, items: int = 1
) -> dict[str, dict[str, float]]:
    """Return milliseconds per item (median, lowest, highest) and speed next to `baseline`.

    Args:
        spent: seconds of every turn, by name, as `rounds` returns them.
        baseline: the contestant whose time is the numerator of `times_slower`.
        items: images, steps or the like in one turn.
    """
    first = spent[baseline]
    found = {}
    for name, taken in spent.items():
        each = sorted(1000 * value / items for value in taken)
        ratios = [mine / base for mine, base in zip(taken, first, strict=True)]
        found[name] = {
            "ms": statistics.median(each),
            "ms_lowest": each[0],
            "ms_highest": each[-1],
            "times_slower": statistics.median(ratios),
        }
    return found


def table(titles: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """Return rows as aligned text, every line as long as the titles: words left, numbers right."""
    lines = [list(titles), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = [isinstance(value, str) for value in rows[0]]
    return "\n".join(
        "  ".join(
            text.ljust(width) if word else text.rjust(width)
            for text, width, word in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in lines
    )


def document(
    benchmark: str, *, settings: Mapping[str, object], results: object
) -> dict[str, object]:
    """Return everything that a reader of the figures has to know, ready for JSON."""
    return {
        "benchmark": benchmark,
        "machine": machine(),
        "settings": dict(settings),
        "results": results,
    }


def write(path: Path, found: Mapping[str, object]) -> None:
    """Write a document as JSON; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """Return what the figures depend on: processor, its features, cores, accelerator, versions."""
    name, flags = _processor()
    return {
        "processor": name,
        "flags": flags,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _processor() -> tuple[str, list[str]]:
    """Return the processor's name and which of `FLAGS` it has; only Linux says the latter."""
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return platform.processor() or platform.machine(), []
    lines = [line.partition(":") for line in facts.read_text(encoding="utf-8").splitlines()]
    fields = {key.strip(): value.strip() for key, _, value in reversed(lines)}
    has = set(fields.get("flags", fields.get("Features", "")).split())
    return fields.get("model name", platform.machine()), [flag for flag in FLAGS if flag in has]


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
