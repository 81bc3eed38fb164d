"""Headers: what we write we read, and what others write never breaks us."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.headers import Envelope, read_headers, write_headers
from carebus_contracts.jobs import JOB_ID
from carebus_contracts.model import ranges_of
from carebus_contracts.versions import Version

words = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=20
)


@given(
    st.builds(
        Envelope,
        contract=words,
        job_id=st.from_regex(JOB_ID, fullmatch=True).filter(lambda text: text.isascii() and "\n" not in text),
        slice=st.integers(0, 10**9),
        attempt=words,
        ordinal=st.integers(0, 10**9),
        version=st.builds(Version, st.integers(1, 2**63), st.integers(0, 2**31)),
        targets=st.lists(words, max_size=4).map(tuple),
        dry_run=st.booleans(),
        filing=st.sampled_from(["none", "wanted", "required"]),
        claim=st.booleans(),
    )
)
def test_an_envelope_comes_back(envelope: Envelope) -> None:
    """Written and read, it is the same."""
    headers = write_headers(envelope, event_type="t", event_id="1", source="/test")

    assert read_headers(headers) == envelope


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["carebus-slice", "carebus-version", "x", "traceparent"]), st.binary(max_size=30)
        )
    )
)
def test_hostile_headers_never_raise(headers: list[tuple[str, bytes]]) -> None:
    """Any bytes under any name give an envelope; foreign headers are kept as they are."""
    envelope = read_headers(headers)

    assert [h for h in headers if h[0] == "x"] == list(envelope.extra)


@given(st.lists(st.integers(0, 200)))
def test_ranges_name_exactly_the_ordinals(ordinals: list[int]) -> None:
    """Packed into closed ranges: the same set, ascending, no two that touch."""
    ranges = ranges_of(ordinals)

    assert {n for low, high in ranges for n in range(low, high + 1)} == set(ordinals)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))


def test_a_number_of_thousands_of_digits_is_no_number() -> None:
    """Python refuses to read it, and one such header would hold up its partition for good."""
    envelope = read_headers([("carebus-slice", b"9" * 5_000), ("carebus-ordinal", b"7")])

    assert (envelope.slice, envelope.ordinal) == (-1, 7)


@pytest.mark.parametrize("hostile", ["../../outside", "a/b", "a~b", "x" * 200, "nightly\n"])
def test_an_id_that_no_job_has_is_left_out(hostile: str) -> None:
    """Names of files are made of it."""
    assert read_headers([("carebus-job", hostile.encode())]).job_id == ""


@pytest.mark.parametrize("hostile", ["-5", "1_000", " 7", "7.", "7.-1", "1" * 30, "1.2.3", "٣"])
def test_a_version_is_two_plain_numbers(hostile: str) -> None:
    """Python reads more as a number than targets do."""
    assert read_headers([("carebus-version", hostile.encode())]).version == Version(0)
