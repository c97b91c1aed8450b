"""How long `samplar predict` takes from file to file, beside the arithmetic that it has to do.

    python benchmarks/speed/prediction.py --parts volume --sizes 128 256 --json prediction.json

The floor is the operations of encoder and decoder on all slices, divided by the peak that a matrix
product of 2048 x 2048 reaches before and after the run with the same threads. The other parts:
`cohort`, memory of 1 and of 20 cases, and 20 cases with 2 workers of one thread beside one with
two; `slices`, volumes of 1, 10 and 100 slices; `start`, a cold start to the first written slice.
The adapter is LiteMedSAM with a new decoder for seven classes, not trained: `samplar weights fetch
lite-medsam` first.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import prediction_kit as kit
import timing
import torch

from samplar.sam.precision import chosen_precision

SLICES = 128
COHORT, COHORT_SLICES = 20, 12
Row = dict[str, object]


class Bench:
    """A folder to work in, and how many threads compute."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = threads
        self.precision = chosen_precision("auto", torch.device("cpu"))

    def adapter(self, size: int) -> Path:
        """Return the adapter of this size, made when first asked for."""
        place = self.folder / f"adapter-{size}"
        return place if place.exists() else kit.make_adapter(place, size)

    def images(self, count: int, slices: int) -> Path:
        """Return a folder of so many volumes of so many slices."""
        place = self.folder / f"images-{count}-{slices}"
        if not place.exists():
            for n in range(count):
                kit.make_volume(place / f"case{n:02d}.nii.gz", slices, seed=n)
        return place

    def predict(self, size: int, images: Path, *words: str) -> kit.Ran:
        """Predict into a new folder."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        return kit.predict(self.adapter(size), images, out, *words, threads=self.threads)


def volume(bench: Bench, size: int) -> list[Row]:
    """128 x 128 x 128, every axial slice."""
    images, counted = bench.images(1, SLICES), kit.operations(bench.adapter(size), size)
    before = kit.peak(bench.precision)
    ran = bench.predict(size, images)
    peak = max(before, kit.peak(bench.precision))
    floor = SLICES * sum(counted.values()) / peak
    return [
        {
            "what": f"volume, {size} px, {bench.precision}",
            "seconds": ran.seconds,
            "floor": floor,
            "of_floor": ran.seconds / floor,
            "memory_mb": ran.memory,
            "gflop_a_slice": {name: value / 1e9 for name, value in counted.items()},
            "peak_gflops": peak / 1e9,
        }
    ]


def cohort(bench: Bench, size: int) -> list[Row]:
    """Memory of one and of many cases, and workers."""
    many = bench.images(COHORT, COHORT_SLICES)
    runs = {
        "1 case": lambda: bench.predict(size, bench.images(1, COHORT_SLICES)),
        "20 cases": lambda: bench.predict(size, many),
        "20 cases, 2 workers": lambda: bench.predict(size, many, "--workers", "2"),
    }
    rows: list[Row] = []
    for name, run in runs.items():
        ran = run()
        what = f"{name} of {COHORT_SLICES} slices, {size} px"
        rows.append({"what": what, "seconds": ran.seconds, "memory_mb": ran.memory})
    rows[-1]["times_faster"] = float(str(rows[1]["seconds"])) / float(str(rows[2]["seconds"]))
    return rows


def slices(bench: Bench, size: int) -> list[Row]:
    """Volumes of 1, 10 and 100 slices."""
    rows: list[Row] = []
    for count in (1, 10, 100):
        ran = bench.predict(size, bench.images(1, count))
        rows.append(
            {"what": f"{count} slices, {size} px", "seconds": ran.seconds, "memory_mb": ran.memory}
        )
    return rows


def start(bench: Bench, size: int) -> list[Row]:
    """The best of three starts to the first written slice: reading programs from disk is noise."""
    images = bench.images(1, 1)
    first = min(bench.predict(size, images).first_file for _ in range(3))
    return [{"what": f"start to the first slice written, {size} px", "seconds": first}]


PARTS: dict[str, Callable[[Bench, int], list[Row]]] = {
    "volume": volume,
    "cohort": cohort,
    "slices": slices,
    "start": start,
}


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sizes", type=int, nargs="*", default=[128, 256])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), wanted.threads)
        rows = [
            row
            for part in wanted.parts
            for size in wanted.sizes
            for row in PARTS[part](bench, size)
        ]
    titles = ["what", "seconds", "floor", "of_floor", "times_faster", "memory_mb"]
    print(timing.table(titles, [[row.get(title, "") for title in titles] for row in rows]))
    if wanted.json:
        settings = {"parts": wanted.parts, "sizes": wanted.sizes}
        timing.write(wanted.json, timing.document("prediction", settings=settings, results=rows))


if __name__ == "__main__":
    main()
