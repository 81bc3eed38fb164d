"""The window of a job is bounded in slices and in bytes, and never closes for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_runtime.window import Progress, Window, issue_up_to


def test_without_sizes_only_the_number_counts() -> None:
    """As of persons that the job names one by one."""
    assert issue_up_to(Window(8, 100), Progress(), slices=20, issued=0) == 8


def test_planned_sizes_count_before_anything_is_read() -> None:
    """Four slices of 25 bytes fill a window of 100."""
    assert issue_up_to(Window(8, 100), Progress(), slices=20, issued=0, planned_size=25) == 4


def test_a_target_that_stands_still_closes_the_window() -> None:
    """Five slices of 20 bytes are read and none is finished: 100 bytes are there, and no more comes."""
    read = Progress(extracted=5, bytes_extracted=100)

    assert issue_up_to(Window(8, 100), read, slices=20, issued=5) == 5


def test_what_is_finished_makes_room() -> None:
    """Two of five slices are finished: two more may follow."""
    read = Progress(extracted=5, complete=2, bytes_extracted=100, bytes_complete=40)

    assert issue_up_to(Window(8, 100), read, slices=20, issued=5) == 7


def test_slices_on_their_way_weigh_as_the_others_do() -> None:
    """Of seven issued four are read, 20 bytes each: the other three count for 60."""
    read = Progress(extracted=4, complete=3, bytes_extracted=80, bytes_complete=60)

    assert issue_up_to(Window(8, 100), read, slices=20, issued=7) == 8


def test_a_slice_larger_than_the_window_goes_alone() -> None:
    """Otherwise the job would stand still for ever."""
    read = Progress(extracted=1, complete=1, bytes_extracted=500, bytes_complete=500)

    assert issue_up_to(Window(8, 100), read, slices=20, issued=1) == 2


def test_an_older_state_is_no_step_back() -> None:
    """States are followed from several partitions' past after a restart."""
    seen = Progress()
    seen.see(4, 2, 80, 40)
    seen.see(3, 1, 60, 20)

    assert seen == Progress(4, 2, 80, 40)


@given(
    window=st.builds(Window, st.integers(1, 20), st.integers(1, 1000)),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=40),
    planned=st.integers(0, 400),
)
def test_every_job_is_issued_to_its_end(window: Window, sizes: list[int], planned: int) -> None:
    """However large its slices are; and the number never leaves the window."""
    issued, progress = 0, Progress()
    for complete in range(len(sizes) + 1):
        progress.see(issued, complete, sum(sizes[:issued]), sum(sizes[:complete]))
        up_to = issue_up_to(window, progress, slices=len(sizes), issued=issued, planned_size=planned)
        assert issued <= up_to <= max(issued, complete + window.slices)
        assert complete == len(sizes) or up_to > complete
        issued = up_to

    assert issued == len(sizes)


@pytest.mark.parametrize(
    ("jobs", "extracted", "slices"),
    [(1, 0, 2), (1, 1, 2), (1, 2, 3), (1, 99, 6), (2, 99, 3), (10, 99, 2), (0, 99, 6)],
)
def test_a_window_that_is_shared_begins_small(jobs: int, extracted: int, slices: int) -> None:
    """One job alone soon has all of it; ten have two slices each, whoever came first."""
    assert Window(slices=6, size=1, first=2).of_one(jobs, extracted).slices == slices


def test_a_window_without_a_beginning_is_every_jobs_own() -> None:
    """As slices of an extraction that are long wait for four targets."""
    assert Window(slices=6, size=1).of_one(10, 0).slices == 6
