from __future__ import annotations

from pathlib import Path

import pytest
from torch.distributed import HashStore

from samplar.errors import InputError, ResourceError, UsageError
from samplar.io.case import Case
from samplar.prediction import launch as module
from samplar.prediction.launch import Launch, Meeting, launched
from samplar.prediction.stages import Written

TOLD = {"RANK": "1", "WORLD_SIZE": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
CASES = [Case(name, name, (Path(f"{name}.nii"),), None) for name in ("ann", "bob", "cid")]
MINE = {0: Written(Path("ann.nii"), ())}
THEIRS = {
    1: Written(Path("bob.nii"), ("bob: turned",)),
    2: InputError("is a folder", fix="Give a file", code="io.not_file", path="cid.nii"),
}


@pytest.fixture
def meetings():
    store = HashStore()
    return [Meeting(Launch(rank, 2, rank), store) for rank in range(2)]


def test_a_launcher_says_which_process_this_is():
    assert launched(TOLD) == Launch(1, 3, 1)
    assert launched({**TOLD, "LOCAL_RANK": "0"}) == Launch(1, 3, 0)
    assert launched({}) is None
    assert launched({"RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    "wrong",
    [{"RANK": ""}, {"RANK": "3"}, {"RANK": "-1"}, {"WORLD_SIZE": "two"}, {"MASTER_PORT": "x"}],
)
def test_half_a_word_of_a_launcher_is_refused(wrong):
    with pytest.raises(UsageError) as caught:
        launched({**TOLD, **wrong})
    assert caught.value.code == "launch.variables"
    missing = {name: value for name, value in TOLD.items() if name != next(iter(wrong))}
    if "WORLD_SIZE" in missing:
        with pytest.raises(UsageError):
            launched(missing)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_case_is_in_one_share(count):
    shares = [list(Launch(rank, 3, rank).share(count)) for rank in range(3)]
    assert sorted(n for share in shares for n in share) == list(range(count))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_the_first_process_learns_what_became_of_all_cases(meetings):
    first, second = meetings
    assert second.gathered(THEIRS, CASES) == THEIRS
    found = first.gathered(MINE, CASES)
    assert {n: found[n] for n in (0, 1)} == {0: MINE[0], 1: THEIRS[1]}
    assert isinstance(found[2], InputError)
    assert found[2].line() == THEIRS[2].line()


def test_processes_with_other_cases_are_found_out(meetings):
    first, second = meetings
    second.gathered(THEIRS, CASES)
    for others in (CASES[:2], [*CASES[:2], CASES[0]]):
        with pytest.raises(InputError) as caught:
            first.gathered(MINE, others)
        assert caught.value.code == "launch.cases"
        assert "cid" in caught.value.problem


def test_a_process_that_stopped_is_named_with_its_reason(meetings):
    first, second = meetings
    second.send({"stopped": "samplar: the disk is full"})
    with pytest.raises(ResourceError) as caught:
        first.gathered(MINE, CASES)
    assert caught.value.code == "launch.lost"
    assert "process 2 of 2 has stopped (samplar: the disk is full)" in caught.value.problem


def test_a_process_that_is_not_heard_of_is_not_waited_for_for_ever(meetings, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with pytest.raises(ResourceError) as caught:
        meetings[0].gathered(MINE, CASES)
    assert caught.value.code == "launch.lost"


def test_the_others_begin_when_the_first_process_says_so(meetings):
    first, second = meetings
    first.begin()
    second.wait()


def test_the_others_do_not_begin_when_the_first_process_stops(meetings):
    first, second = meetings
    first.send({"stopped": "the folder is busy"})
    with pytest.raises(ResourceError) as caught:
        second.wait()
    assert caught.value.code == "launch.lost"
