from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from samplar.errors import UsageError
from samplar.io.hub_address import HubAddress, hub_address, is_hub

COMMIT = "9" * 40


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hub:facebook/sam-vit-base", HubAddress("facebook/sam-vit-base")),
        ("hub:a_1/b.c-2@v1.0", HubAddress("a_1/b.c-2", revision="v1.0")),
        ("hub:a/b@refs/pr/3", HubAddress("a/b", revision="refs/pr/3")),
        ("hub:a/b/sam.pth", HubAddress("a/b", "sam.pth")),
        (f"hub:a/b/best/sam.pth@{COMMIT}", HubAddress("a/b", "best/sam.pth", COMMIT)),
    ],
)
def test_an_address_and_back(text, address):
    assert hub_address(text) == address
    assert str(address) == text
    assert is_hub(text)


@pytest.mark.parametrize(
    "text",
    [
        *("hub:", "hub:sam", "hub:a/", "hub:/b", "hub:a//b", "hub:a/b@", "hub:a/b/", "hub:a b/c"),
        *("hub:a/b/../c.pth", "hub:../b", "hub:a/..", "hub:a/b\\c", "hub:a/b@..", "hub:a/b\n"),
        *("hub:https://x.org/a/b", "hub:a/b?x=1", "hub:a/.b", "hub:-a/b"),
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(UsageError) as caught:
        hub_address(text)
    assert caught.value.code == "weights.hub_address"
    assert "\n" not in caught.value.line()


def test_the_same_by_hand():
    address = hub_address("hub:a/b/sam.pth@v1")
    assert address.command == "hf download a/b sam.pth --revision v1 --local-dir FOLDER"
    assert str(address.at(COMMIT)) == f"hub:a/b/sam.pth@{COMMIT}"


def test_an_address_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        HubAddress("a/b").revision = "v2"
