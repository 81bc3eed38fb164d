"""Encrypted files: round trips, and every kind of damage."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.errors import JobError
from carebus_generator.adapters import encryption
from carebus_generator.adapters.encryption import Key, decrypted

SECRET = bytes(range(32))
FRAME = 64


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "FRAME_BYTES", FRAME)


def sealed(*pieces: bytes) -> bytes:
    """Return pieces encrypted, a member each."""
    file = io.BytesIO()
    for piece in pieces:
        writer = Key(SECRET).writer(file)
        for start in range(0, len(piece), 50):
            writer.write(piece[start : start + 50])
        writer.finish()
    return file.getvalue()


def opened(data: bytes, secret: bytes = SECRET) -> bytes:
    """Return the plain bytes."""
    reader = Key(secret).reader(io.BytesIO(data), "file")
    return cast(BinaryIO, io.BufferedReader(reader)).read()


@given(st.lists(st.binary(max_size=3 * FRAME + 1), min_size=1, max_size=3))
def test_members_come_out_behind_each_other(pieces: list[bytes]) -> None:
    """Any sizes, also none and whole frames."""
    assert opened(sealed(*pieces)) == b"".join(pieces)


def test_the_format_is_the_documented_one() -> None:
    """Read by hand, with the library's primitives only."""
    data = sealed(bytes(FRAME) + b"end")

    assert data[:8] == b"CBENC\x01\r\n"
    derive = HKDF(algorithm=SHA256(), length=32, salt=data[16:32], info=b"carebus encrypted 1")
    cipher = AESGCM(derive.derive(SECRET))
    first, last = data[32 : 36 + FRAME + 16], data[36 + FRAME + 16 :]
    assert first[:4] == (FRAME + 16).to_bytes(4, "big")
    assert cipher.decrypt(bytes(12), first[4:], first[:4]) == bytes(FRAME)
    assert last[:4] == (3 + 16 | 1 << 31).to_bytes(4, "big")
    assert cipher.decrypt(bytes(11) + b"\x01", last[4:], last[:4]) == b"end"


def test_the_same_bytes_never_look_the_same() -> None:
    """Each member has a salt of its own."""
    assert sealed(b"same") != sealed(b"same")


@given(st.data())
def test_any_changed_bit_is_refused(data: st.DataObject) -> None:
    """In head, salt, lengths, text or tags."""
    whole = bytearray(sealed(b"x" * 150))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(JobError, match=r"not a file that carebus|another key|was changed|ends early"):
        opened(bytes(whole))


@given(st.integers(0, 300))
def test_any_cut_is_refused(size: int) -> None:
    """Also at the end of a frame, and of nothing at all."""
    whole = sealed(b"x" * 150)

    with pytest.raises(JobError, match=r"ends early|not a file that carebus"):
        opened(whole[: min(size, len(whole) - 1)])


def test_frames_in_another_order_are_refused() -> None:
    """Two frames of one length, swapped."""
    whole = sealed(b"a" * FRAME + b"b" * FRAME + b"c")
    size = 4 + FRAME + 16
    head, one, two, rest = (
        whole[:32],
        whole[32 : 32 + size],
        whole[32 + size : 32 + 2 * size],
        whole[32 + 2 * size :],
    )

    with pytest.raises(JobError, match="was changed"):
        opened(head + two + one + rest)


def test_another_key_is_said_before_anything_is_read() -> None:
    """By the key's mark in the head."""
    with pytest.raises(JobError, match="file was encrypted with another key"):
        opened(sealed(b"x"), secret=bytes(32))


def test_what_cannot_be_decrypted_leaves_no_file(tmp_path: Path) -> None:
    """The plain file is there whole or not at all."""
    (tmp_path / "good").write_bytes(sealed(b"x" * 150))
    (tmp_path / "cut").write_bytes(sealed(b"x" * 150)[:-1])

    assert decrypted(str(tmp_path / "good"), tmp_path / "plain", Key(SECRET)) == 150
    with pytest.raises(JobError, match="ends early"):
        decrypted(str(tmp_path / "cut"), tmp_path / "none", Key(SECRET))

    assert (tmp_path / "plain").read_bytes() == b"x" * 150
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut", "good", "plain"]
