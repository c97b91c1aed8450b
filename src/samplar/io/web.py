"""Downloading one file over https, and nothing but https."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from samplar.io.wheel import Progress, copy_bounded

TIMEOUT_SECONDS = 60.0


def _https_only() -> urllib.request.OpenerDirector:
    """Return an opener that follows proxies and redirects, but no address other than https."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def download(
    address: str, target: Path, *, limit: int, on_progress: Progress | None = None
) -> None:
    """Download an https address into a file, stopping after `limit` + 1 bytes.

    Raises:
        OSError: no network, a refused certificate, an answer other than 200, or a full disk.
        http.client.HTTPException: the answer is not HTTP.
        ValueError: the address is not an address.
    """
    with (
        _https_only().open(address, timeout=TIMEOUT_SECONDS) as answer,
        target.open("wb") as sink,
    ):
        copy_bounded(answer, sink, limit=limit, on_progress=on_progress)
