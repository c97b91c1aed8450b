"""`python -m samplar`, for launchers that start modules."""

from __future__ import annotations

from samplar.cli.main import run

if __name__ == "__main__":
    run()
