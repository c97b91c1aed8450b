"""The real client of the hub against a small hub on this machine."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import huggingface_hub
import pytest
from hub import TOKEN, Hub, Repo, repo, serving

from samplar.errors import OutputError, SamplarError, UsageError, WeightsError
from samplar.io import hub_repository
from samplar.io.hub import FromHub, download
from samplar.io.hub_address import hub_address
from samplar.io.hub_repository import byte_counter

TENSORS = bytes(range(256)) * 400
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
Get = Callable[..., FromHub]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Point the client at an address; it reads these variables of the environment once, early."""

    def point(address: str) -> None:
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home"))
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.delenv("HF_TOKEN", raising=False)

    return point


@pytest.fixture
def get(at: Callable[[str], None], tmp_path: Path) -> Get:
    """Return a function that serves a repository as a/sam and downloads an address."""

    def run(found: Repo, text: str = "hub:a/sam", told: list[tuple[int, int]] | None = None):
        with serving(a__sam=found) as hub:
            at(hub.address)
            run.hub = hub
            tell = None if told is None else lambda *pair: told.append(pair)
            return download(hub_address(text), tmp_path / "raw", name="mine", on_progress=tell)

    return run


def hub_of(get: Get) -> Hub:
    return get.hub


def refused(what: Callable[[], object], kind: type[SamplarError] = WeightsError) -> SamplarError:
    with pytest.raises(kind) as caught:
        what()
    assert "\n" not in caught.value.line()
    return caught.value


def sharded(**changes: object) -> dict[str, bytes]:
    table = {"a": FIRST, "b": SECOND, **changes}
    index = json.dumps({"weight_map": table}).encode()
    return {INDEX: index, FIRST: TENSORS[:9000], SECOND: TENSORS[9000:]}


def test_only_the_weights_are_downloaded_at_the_commit_of_now(get, capfd):
    found = repo(main={"model.safetensors": TENSORS, "pytorch_model.bin": b"x", "code.py": b"y"})
    told: list[tuple[int, int]] = []
    got = get(found, told=told)
    assert got.path.read_bytes() == TENSORS
    assert (got.commit, got.licence) == (found.names["main"], "mit")
    assert hub_of(get).downloads() == [f"{got.commit}/model.safetensors"]
    assert told[-1] == (len(TENSORS), len(TENSORS))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert capfd.readouterr() == ("", "")


def test_the_revision_that_is_asked_for(get):
    found = repo(main={"model.safetensors": b"new"}, v1={"model.safetensors": b"old"})
    assert get(found, "hub:a/sam@v1").path.read_bytes() == b"old"
    commit = found.names["v1"]
    assert get(found, f"hub:a/sam@{commit}").commit == commit
    error = refused(lambda: get(found, "hub:a/sam@v2"))
    assert error.code == "weights.hub_absent"
    assert "/a/sam has no revision 'v2'" in error.problem


def test_several_files_and_their_index(get):
    told: list[tuple[int, int]] = []
    got = get(repo(main={**sharded(), "README.md": b"x"}), told=told)
    assert got.path.name == INDEX
    assert (got.path.parent / FIRST).read_bytes() + (
        got.path.parent / SECOND
    ).read_bytes() == TENSORS
    assert told[-1] == (len(TENSORS), len(TENSORS))
    names = [path.split("/")[1] for path in hub_of(get).downloads()]
    assert names == [INDEX, FIRST, SECOND]


def test_an_index_in_a_folder_of_the_repository(get):
    files = {f"best/{name}": data for name, data in sharded().items()}
    got = get(repo(main=files), f"hub:a/sam/best/{INDEX}")
    assert (got.path.parent / SECOND).is_file()


def test_an_index_that_names_what_is_not_there(get):
    files = sharded()
    del files[SECOND]
    error = refused(lambda: get(repo(main=files)))
    assert error.code == "weights.shards"
    assert f"lacks {SECOND}" in error.problem
    assert hub_of(get).downloads() == [f"{hub_of(get).repos['a/sam'].names['main']}/{INDEX}"]


def test_an_index_that_points_elsewhere_fetches_nothing_there(get, tmp_path):
    error = refused(lambda: get(repo(main=sharded(b="../../evil.safetensors"))))
    assert error.code == "weights.shards"
    assert "puts b in '../../evil.safetensors'" in error.problem
    assert len(hub_of(get).downloads()) == 1


@pytest.mark.parametrize(
    ("files", "text", "code", "says"),
    [
        (["README.md", "code.py"], "hub:a/sam", "member", "no weights; its files are README.md"),
        (["b.pth", "a.pth"], "hub:a/sam", "ambiguous", "2 files of weights: a.pth, b.pth"),
        (["best/a.pth"], "hub:a/sam", "member", "its files are best/a.pth"),
        (["code.py", "a.pth"], "hub:a/sam/code.py", "member", "holds no weights"),
        (["a.pth"], "hub:a/sam/c.pth", "member", "its files are a.pth"),
    ],
)
def test_a_repository_whose_weights_are_not_plain_to_see(get, files, text, code, says):
    error = refused(lambda: get(repo(main=dict.fromkeys(files, b"x")), text))
    assert error.code == f"weights.{code}"
    assert says in error.problem
    assert "hub:a/sam/FILE" in error.fix
    assert hub_of(get).downloads() == []


def test_a_file_that_is_named(get):
    files = {"b.pth": b"b", "best/a.pth": b"a", "model.safetensors": b"c"}
    assert get(repo(main=files), "hub:a/sam/best/a.pth").path.read_bytes() == b"a"


def test_no_such_repository(get):
    error = refused(lambda: get(repo(main={}), "hub:a/sum"))
    assert error.code == "weights.hub_absent"
    assert "there is no http://127.0.0.1:" in error.problem
    assert "/a/sum, or it is private" in error.problem


def test_a_private_repository_needs_the_token(at, tmp_path, monkeypatch):
    found = repo(main={"model.safetensors": TENSORS})
    found.private = True
    with serving(a__sam=found) as hub:
        at(hub.address)
        what = lambda: download(hub_address("hub:a/sam"), tmp_path / "raw", name="m")  # noqa: E731
        assert refused(what).code == "weights.hub_absent"
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert what().path.read_bytes() == TENSORS
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        error = refused(what)
    assert error.code == "weights.token"
    assert "hf_wrong" not in error.line()


def test_a_gated_repository_says_where_to_accept_its_terms(at, tmp_path, monkeypatch):
    found = repo(main={"model.safetensors": TENSORS})
    found.gated = True
    with serving(a__sam=found) as hub:
        at(hub.address)
        what = lambda: download(hub_address("hub:a/sam"), tmp_path / "raw", name="m")  # noqa: E731
        error = refused(what)
        assert error.code == "weights.gated"
        assert f"Accept them at {hub.address}/a/sam" in error.fix
        assert "HF_TOKEN" in error.fix
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert what().path.read_bytes() == TENSORS


def test_a_hub_that_fails_is_no_fault_of_the_user(at, tmp_path):
    found = repo(main={"model.safetensors": TENSORS})
    found.broken = True
    with serving(a__sam=found) as hub:
        at(hub.address)
        error = refused(lambda: download(hub_address("hub:a/sam"), tmp_path / "raw", name="m"))
    assert error.code == "weights.offline"
    assert "500" in error.problem


def test_no_network(at, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    at(f"http://127.0.0.1:{port}")
    error = refused(lambda: download(hub_address("hub:a/sam@v1"), tmp_path / "raw", name="mine"))
    assert error.code == "weights.offline"
    assert f"could not download hub:a/sam@v1 from http://127.0.0.1:{port} (" in error.problem
    assert "`hf download a/sam --revision v1 --local-dir FOLDER`" in error.fix
    assert "`samplar weights add mine FOLDER`" in error.fix


def test_offline_by_the_clients_own_switch(get, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    try:
        error = refused(lambda: get(repo(main={"model.safetensors": TENSORS})))
    finally:
        huggingface_hub.close_session()
    assert error.code == "weights.offline"
    assert "HF_HUB_OFFLINE" in error.problem


def test_a_download_that_ends_early(get):
    found = repo(main={"model.safetensors": TENSORS})
    found.sent["model.safetensors"] = TENSORS[:-1000]
    error = refused(lambda: get(found))
    assert error.code == "weights.offline"
    size = len(TENSORS)
    assert f"should be of size {size} but has size {size - 1000}" in error.problem


def test_bytes_that_are_not_those_the_hub_lists(get):
    found = repo(main={"model.safetensors": TENSORS})
    found.sent["model.safetensors"] = b"\xff" + TENSORS[1:]
    error = refused(lambda: get(found))
    assert error.code == "weights.digest"
    assert "but the hub says" in error.problem


def test_more_than_any_sam_has(get, monkeypatch):
    monkeypatch.setattr(hub_repository, "LIMIT", len(TENSORS) - 1)
    error = refused(lambda: get(repo(main={"model.safetensors": TENSORS})))
    assert error.code == "weights.damaged"
    assert f"has {len(TENSORS):,} bytes of weights, more than" in error.problem
    assert hub_of(get).downloads() == []
    monkeypatch.setattr(hub_repository, "LIMIT", len(TENSORS))
    assert get(repo(main={"model.safetensors": TENSORS})).path.is_file()


def test_the_largest_sam_is_within_the_bound():
    assert 5_200_000_000 < hub_repository.LIMIT == 8_000_000_000  # ViT-H in double precision


def test_the_progress_of_several_files_goes_on_where_the_last_one_ended(get):
    told: list[tuple[int, int]] = []
    get(repo(main=sharded()), told=told)
    total = len(TENSORS)
    assert {whole for _, whole in told} == {total}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (9000, total) in told


def test_of_two_bars_for_a_file_the_longer_one_counts(capfd):
    seen: list[int] = []
    counter = byte_counter(seen.append)
    first, second = counter(total=10), counter(total=10, disable=False)
    first.update(3)
    second.update(2)
    second.update(4.0)
    first.update(None)
    first.update()
    assert seen == [3, 3, 6, 6, 6]
    second.update()
    assert seen[-1] == 7
    assert capfd.readouterr() == ("", "")


def test_progress_never_passes_the_end():
    told: list[tuple[int, int]] = []
    hub_repository._tell(lambda *pair: told.append(pair), 5, 20, 9)
    hub_repository._tell(lambda *pair: told.append(pair), 5, 20, 16)
    hub_repository._tell(None, 5, 20, 16)
    assert told == [(14, 20), (20, 20)]


@pytest.mark.parametrize("licence", [None, "apache-2.0"])
def test_a_licence_is_known_if_it_is_stated(get, licence):
    found = repo(main={"model.safetensors": TENSORS})
    found.licence = licence
    assert get(found).licence == (licence or "unknown")


def test_a_full_disk(get, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface_hub.HfApi, "hf_hub_download", full)
    error = refused(lambda: get(repo(main={"model.safetensors": TENSORS})), OutputError)
    assert error.code == "output.disk_full"


@pytest.mark.parametrize("text", ["hub:a/b--c", "hub:a/b..c", f"hub:a/{'b' * 100}"])
def test_a_name_that_the_hub_does_not_take(get, text):
    error = refused(lambda: get(repo(main={}), text), UsageError)
    assert error.code == "weights.hub_address"


def test_without_the_client(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = refused(lambda: download(hub_address("hub:a/sam"), tmp_path, name="mine"))
    assert error.code == "weights.no_hub"
    assert "pip install 'samplar[hub]'" in error.fix
    assert "`samplar weights add mine FOLDER`" in error.fix


def test_what_the_clients_cache_holds_is_not_downloaded_again(at, tmp_path):
    found = repo(main={"model.safetensors": TENSORS})
    with serving(a__sam=found) as hub:
        at(hub.address)
        huggingface_hub.HfApi().hf_hub_download(
            "a/sam", "model.safetensors", cache_dir=tmp_path / "home"
        )
        before = len(hub.downloads())
        got = download(hub_address("hub:a/sam"), tmp_path / "raw", name="mine")
        assert got.path.read_bytes() == TENSORS
        assert len(hub.downloads()) == before


def test_what_was_fetched_cannot_be_changed(tmp_path):
    address = hub_address("hub:a/b")
    found = hub_repository.Repository(huggingface_hub.HfApi(), address, None, tmp_path)
    with pytest.raises(FrozenInstanceError):
        FromHub(tmp_path, "c", "mit").commit = "d"
    with pytest.raises(FrozenInstanceError):
        found.folder = tmp_path
