"""Put the tables of committed benchmarks into pages of text, between the marks that ask for them.

`<!-- bench RESULTS -->` and `<!-- overview RESULTS -->` begin such a place and `<!-- end -->` ends
it: all tables, or only those that show the data sets side by side. RESULTS is from the root.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from samplar.api.bench.page import bench_markdown, overview_markdown

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"(<!-- (bench|overview) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that have such places."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if PLACE.search(path.read_text(encoding="utf-8"))]


def with_tables(text: str) -> str:
    """Return a page with the tables as the committed cells have them."""
    return PLACE.sub(_filled, text)


def _filled(place: re.Match[str]) -> str:
    begin, what, results, end = place.groups()
    write = bench_markdown if what == "bench" else overview_markdown
    return f"{begin}\n{write(ROOT / results).strip()}\n\n{end}"


def main() -> int:
    """Write the pages."""
    for path in pages():
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
