from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from samplar.errors import UsageError
from samplar.methods import contract, registry
from samplar.methods.contract import Card
from samplar.methods.differences import ALL_PARTS_IN_ONE_BOX
from samplar.methods.registry import cards, load_method, read_card

SIMPLE = """
from samplar.methods.contract import Card
from samplar.methods.differences import ALL_PARTS_IN_ONE_BOX

card = Card(
    name="{name}", title="A title", paper="a paper", plugs_in="decoder", prompts="none",
    licence_note="ours", trains=False,
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(registry.FOLDERS_VARIABLE, str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, text: str = SIMPLE) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text.replace("{name}", name), encoding="utf-8")
    return path


def refusal(what) -> UsageError:
    with pytest.raises(UsageError) as caught:
        what()
    return caught.value


def test_listing_runs_no_method_and_loads_no_torch(folder):
    put(folder, "loud", SIMPLE + "\nraise RuntimeError('this file was run')\n")
    code = (
        "import sys; from samplar.methods.registry import cards; "
        "print(*cards()); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loud" in done.stdout.split()
    assert done.stdout.split() == sorted(done.stdout.split())


def test_a_card_read_from_the_text_is_the_card_of_the_module():
    for name, card in cards().items():
        method = load_method(name)
        module = sys.modules[method.config.__module__]
        assert module.card == card == method.card
        assert card.name == name


def test_a_file_without_card_is_no_method(folder):
    put(folder, "helper", "other = 3\ncards = card2 = None\n")
    assert read_card(folder / "helper.py") is None
    assert "helper" not in cards()


def test_what_a_file_leaves_out_is_the_default(folder):
    put(folder, "bare")
    method = load_method("bare")
    assert method.card == Card(
        "bare", "A title", "a paper", "decoder", "ours", "none", trains=False
    )
    assert method.attach is contract.attach_nothing
    assert method.remember is contract.remember_nothing
    assert method.logits is contract.decode_classes
    assert method.loss is contract.default_loss
    assert method.config().model_dump() == {}


def test_settings_may_name_types_of_their_own_file(folder):
    put(
        folder,
        "typed",
        "from __future__ import annotations\n"
        "from typing import Literal\n"
        "from samplar.config.base import Strict\n"
        "Way = Literal['up', 'down']\n"
        "class Config(Strict):\n    way: Way = 'up'\n" + SIMPLE,
    )
    assert load_method("typed").config(way="down").way == "down"


@pytest.mark.parametrize(
    "text",
    [
        "card = Card(name=open('x').read())",
        "card = Card(name='a')",
        "card = Card('a', 'b', 'c', 'd', 'e', 'f')",
        "card = 3",
        "card = Card(nom='a')",
        "card = Card(name=NOT_SHARED)",
        "card = Card(name=annotations)",
        "def broken(:\n",
        "\0",
    ],
)
def test_an_unreadable_card_is_refused_with_its_file(folder, text):
    path = put(folder, "odd", text)
    error = refusal(cards)
    assert (error.code, error.path) == ("methods.card", str(path))


def test_a_card_may_name_a_difference_that_others_have_too(folder):
    more = "trains=False, differs=(ALL_PARTS_IN_ONE_BOX, ('b', 'c'))"
    card = read_card(put(folder, "odd", SIMPLE.replace("trains=False", more)))
    assert card is not None
    assert card.differs == (ALL_PARTS_IN_ONE_BOX, ("b", "c"))


def test_a_file_that_is_not_text_is_refused(folder):
    (folder / "odd.py").write_bytes(b"\xff\xfe\x00")
    assert refusal(cards).code == "methods.card"


def test_two_methods_of_one_name_are_refused(folder):
    path = put(folder, "mine", SIMPLE.replace("{name}", "samed"))
    error = refusal(cards)
    assert (error.code, error.path) == ("methods.duplicate", str(path))
    assert "'samed' is also used by" in error.problem


def test_several_folders_may_be_named(tmp_path, monkeypatch):
    folders = [tmp_path / "a", tmp_path / "b"]
    for place, name in zip(folders, ("one", "two"), strict=True):
        place.mkdir()
        put(place, name)
    monkeypatch.setenv(registry.FOLDERS_VARIABLE, f"{folders[0]}:{folders[1]}")
    assert {"one", "two", "samed"} <= set(cards())


def test_an_unknown_name_is_refused_with_the_nearest():
    error = refusal(lambda: load_method("cheap-lunhc"))
    assert error.code == "methods.unknown"
    assert "did you mean cheap-lunch?" in error.problem
    assert "samed" in error.fix


def test_an_installed_package_may_declare_a_method(tmp_path, monkeypatch):
    package = tmp_path / "elsewhere"
    package.mkdir()
    (package / "__init__.py").touch()
    put(package, "theirs")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("theirs", "elsewhere.theirs", "samplar.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert cards()["theirs"].title == "A title"
    assert load_method("theirs").card.name == "theirs"


@pytest.mark.parametrize("module", ["no_such_module", "no_such_package.module"])
def test_an_entry_point_to_nowhere_is_refused(monkeypatch, module):
    point = EntryPoint("gone", module, "samplar.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    error = refusal(cards)
    assert error.code == "methods.card"
    assert module in error.problem


def test_oracles_say_so_in_their_prompts():
    fields = {"title": "", "paper": "", "plugs_in": "", "licence_note": ""}
    assert Card(name="a", prompts="oracle box", **fields).oracle
    assert not Card(name="a", prompts="none", **fields).oracle
