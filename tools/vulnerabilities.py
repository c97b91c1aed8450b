"""Look the pinned versions up in the advisory database of PyPI, by pip-audit; 1 if one is known.

Without the internet nothing is known either way: that is said in one line, and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 300


def advisories(document: dict[str, Any]) -> list[str]:
    """Return one line for each known vulnerability in what pip-audit printed."""
    return [
        f"{entry['name']} {entry['version']}: {found['id']}, fixed in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for entry in document["dependencies"]
        for found in entry.get("vulns", ())
    ]


def main(pins: Path) -> int:
    """Print what is known about the pinned versions."""
    words = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    words += ["--no-deps", "--disable-pip", "-r", str(pins)]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _unknown(f"no answer within {SECONDS} s")
    try:
        document = json.loads(ran.stdout)
    except json.JSONDecodeError:
        return _unknown((ran.stderr.strip() or "no answer").splitlines()[-1])
    lines = advisories(document)
    checked = sum("vulns" in entry for entry in document["dependencies"])
    if not checked:
        return _unknown("none of the versions was found in the advisory database")
    unknown = len(document["dependencies"]) - checked
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.write(
        f"{checked} pinned versions looked up, {unknown} not; {len(lines)} known vulnerabilities\n"
    )
    return 1 if lines else 0


def _unknown(reason: str) -> int:
    sys.stdout.write(f"not checked for known vulnerabilities: {reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
