"""A small hub on this machine: the few addresses of the Hugging Face hub that its client asks for.

The client itself is the real one. Answers are those of the hub: `X-Repo-Commit`, `ETag`,
`X-Linked-Size`, `X-Error-Code`, and SHA-256 of large files in the description of a repository.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_a_token_for_this_test"  # noqa: S105


def commit_of(files: dict[str, bytes]) -> str:
    """Return a made-up commit hash that depends on the files."""
    text = "".join(f"{name} {sha256(data).hexdigest()}\n" for name, data in sorted(files.items()))
    return sha1(text.encode()).hexdigest()  # noqa: S324  (commit hashes are)


@dataclass
class Repo:
    """One repository: the files of its commits, and the names of those."""

    commits: dict[str, dict[str, bytes]]
    names: dict[str, str]
    gated: bool = False
    broken: bool = False
    private: bool = False
    licence: str | None = "mit"
    sent: dict[str, bytes] = field(default_factory=dict)
    """Files of which other bytes are sent than the description says."""


def repo(**revisions: dict[str, bytes]) -> Repo:
    """Make a repository from the files of each of its branches or tags."""
    names = {name: commit_of(files) for name, files in revisions.items()}
    return Repo({names[name]: files for name, files in revisions.items()}, names)


@dataclass
class Hub:
    """What is on it, where it is, and what was asked of it."""

    repos: dict[str, Repo]
    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def downloads(self) -> list[str]:
        """Return COMMIT/FILE of every file that was sent."""
        gets = [path for method, path in self.asked if method == "GET"]
        return [path.partition("/resolve/")[2] for path in gets if "/resolve/" in path]


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.hub.asked.append((self.command, path))
        words = path.strip("/").split("/")
        if words[:2] == ["api", "models"]:
            revision = "/".join(words[5:]) if words[4:5] == ["revision"] else "main"
            self._with_commit("/".join(words[2:4]), revision, self._describe)
        elif words[2:3] == ["resolve"]:
            name = "/".join(words[4:])
            self._with_commit("/".join(words[:2]), words[3], lambda r, c: self._file(r, c, name))
        else:
            self._refuse(404, "EntryNotFound")

    def _with_commit(self, name: str, revision: str, answer) -> None:
        said, found = self.headers.get("Authorization"), self.server.hub.repos.get(name)
        if said not in (None, f"Bearer {TOKEN}"):
            self._refuse(401, None, "Invalid credentials in Authorization header")
        elif found is not None and found.broken:
            self._refuse(500, None, "something broke")
        elif found is None or (found.private and said is None):
            self._refuse(401 if said is None else 404, "RepoNotFound")
        elif (commit := found.names.get(revision, revision)) not in found.commits:
            self._refuse(404, "RevisionNotFound")
        else:
            answer(found, commit)

    def _describe(self, found: Repo, commit: str) -> None:
        files = found.commits[commit]
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": sha1(data).hexdigest(),  # noqa: S324
                "lfs": {"sha256": sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
                if not name.endswith((".json", ".md", ".py"))
                else None,
            }
            for name, data in files.items()
        ]
        card = {} if found.licence is None else {"cardData": {"license": found.licence}}
        body = {"id": "x/y", "sha": commit, "siblings": siblings, "tags": [], **card}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, found: Repo, commit: str, name: str) -> None:
        if found.gated and self.headers.get("Authorization") is None:
            self._refuse(401, "GatedRepo")
        elif name not in found.commits[commit]:
            self._refuse(404, "EntryNotFound")
        else:
            data = found.commits[commit][name]
            headers = {
                "X-Repo-Commit": commit,
                "ETag": f'"{sha256(data).hexdigest()}"',
                "X-Linked-Size": str(len(data)),
            }
            self._send(200, found.sent.get(name, data), headers)

    def _refuse(self, status: int, code: str | None, message: str = "no") -> None:
        said = {} if code is None else {"X-Error-Code": code}
        self._send(status, b"{}", {**said, "X-Error-Message": message})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    hub: Hub


@contextmanager
def serving(**repos: Repo) -> Iterator[Hub]:
    """Serve repositories, `owner__name` each, until the end of the block."""
    hub = Hub({name.replace("__", "/"): found for name, found in repos.items()})
    with _Server(("127.0.0.1", 0), _Answer) as server:
        server.hub = hub
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
