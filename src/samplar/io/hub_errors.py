"""What the hub's client raises, as errors with a line each and something to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samplar.errors import OutputError, SamplarError, UsageError, WeightsError
from samplar.io.hub_address import HubAddress

UNAUTHORISED = 401


@contextmanager
def hub_errors(address: HubAddress, folder: Path, *, name: str) -> Iterator[None]:
    """Turn whatever the client raises inside into a `SamplarError`; see `samplar.io.hub.download`.

    Args:
        address: what is fetched.
        folder: where to.
        name: what the weights will be called here.
    """
    try:
        yield
    except _raised() as error:
        raise _explained(error, address, folder, name) from error


def _raised() -> tuple[type[Exception], ...]:
    """Return what the client raises, and whichever HTTP library it is built on."""
    from huggingface_hub.errors import HfHubHTTPError

    transport = [kind for kind in HfHubHTTPError.__bases__ if issubclass(kind, Exception)]
    return (*transport, OSError, ValueError, RuntimeError)


def _explained(error: Exception, address: HubAddress, folder: Path, name: str) -> SamplarError:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HFValidationError):
        return UsageError(
            f"the hub takes no such name as {address.repository!r}",
            fix="Copy OWNER/REPO from the page of the repository",
            code="weights.hub_address",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return OutputError(
            f"the disk is full; {address} did not fit",
            fix="Free some space, or point SAMPLAR_CACHE at another disk",
            code="output.disk_full",
            path=folder,
        )
    answer = _answered(error, address) if isinstance(error, HfHubHTTPError) else None
    return answer or WeightsError(
        f"could not download {address} from {constants.ENDPOINT} ({_reason(error)})",
        fix=by_hand(address, name),
        code="weights.offline",
    )


def by_hand(address: HubAddress, name: str) -> str:
    """Say what to do on a machine without network."""
    return (
        f"On a machine with network run `{address.command}`, bring the folder here and run "
        f"`samplar weights add {name} FOLDER`"
    )


def _answered(error: Exception, address: HubAddress) -> WeightsError | None:
    """Return the error for an answer that says what is wrong, None for any other."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{constants.ENDPOINT}/{address.repository}"
    if isinstance(error, GatedRepoError):
        return WeightsError(
            f"{address.repository} is gated: its owner lets in those who accepted the terms",
            fix=f"Accept them at {page}, make a token there and set HF_TOKEN to it",
            code="weights.gated",
        )
    if isinstance(error, RepositoryNotFoundError):
        return WeightsError(
            f"there is no {page}, or it is private",
            fix="Correct OWNER/REPO; for a private one set HF_TOKEN to a token that may read it",
            code="weights.hub_absent",
        )
    if isinstance(error, RevisionNotFoundError):
        return WeightsError(
            f"{page} has no revision {address.revision!r}",
            fix="Give a branch, a tag or the hash of a commit after the @, or leave it out",
            code="weights.hub_absent",
        )
    if isinstance(error, HfHubHTTPError) and error.response.status_code == UNAUTHORISED:
        return WeightsError(
            f"{constants.ENDPOINT} does not take the token it was shown",
            fix="Correct HF_TOKEN (or run `hf auth login`), or unset it for what is public",
            code="weights.token",
        )
    return None


def _reason(error: Exception) -> str:
    """Return the first line of what began it; the client wraps it in advice of its own."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[0] if lines else type(cause).__name__).rstrip(".")
