from __future__ import annotations

import hashlib
import http.server
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from samplar.errors import WeightsError
from samplar.io.assets import fetch
from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Wheel

# The client hangs up on answers that are too long; the server's half of that is not under test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTENT = b"weights " * 50_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def refused(bundle: Bundle, code: str, source: str | None = None) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch(bundle, source=source)
    assert caught.value.code == code
    return caught.value.line()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


class Site(http.server.BaseHTTPRequestHandler):
    """Good bytes, too many bytes, a page, a way to plain http, and a half answer."""

    def do_GET(self) -> None:
        body = {"/good": CONTENT, "/long": CONTENT + b"x", "/half": CONTENT}.get(self.path)
        if self.path == "/to-http":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/good")
            self.end_headers()
            return
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"no")))
        self.end_headers()
        self.wfile.write((body or b"no")[: 1000 if self.path == "/half" else None])

    def log_message(self, *words: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl")
    assert openssl, "the tests of https need the openssl program"
    subprocess.run(
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def site(certificate, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def from_web(address: str | Wheel) -> Bundle:
    file = AssetFile("toy.pth", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), member="toy.pth")
    return Bundle("toy", "weights", (file,), address, "samplar weights add toy FILE")


def test_https_brings_the_file(site, cache):
    seen: list[tuple[int, int]] = []
    fetch(from_web(f"{site}/good"), on_progress=lambda *step: seen.append(step))
    assert (cache / "toy.pth").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("page", ["missing", "to-http"])
def test_https_that_does_not_deliver(site, cache, page):
    line = refused(from_web(f"{site}/{page}"), "weights.offline")
    assert f"Download {site}/{page} elsewhere" in line
    assert left_in(cache) == []


@pytest.mark.parametrize("page", ["long", "half"])
def test_https_that_delivers_something_else(site, cache, page):
    refused(from_web(f"{site}/{page}"), "weights.digest")
    assert left_in(cache) == []


def test_an_unknown_certificate_is_refused(site, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    line = refused(from_web(f"{site}/good"), "weights.offline")
    assert "CERTIFICATE_VERIFY_FAILED" in line


WHEEL = Wheel("toy-weights", "1.0", "0" * 64, 10)


def test_https_instead_of_the_wheel(site, cache):
    fetch(from_web(WHEEL), source=f"{site}/good")
    assert (cache / "toy.pth").read_bytes() == CONTENT


def test_plain_http_is_not_a_source():
    refused(from_web(WHEEL), "weights.missing", source="http://127.0.0.1:9/toy.pth")
