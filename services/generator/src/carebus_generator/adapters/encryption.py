"""Encrypted files: AES-256-GCM in frames, so that any size streams and no byte can be changed unseen.

The format, "carebus encrypted, version 1". A file is one member, or several in a row. A member is::

    8 bytes    "CBENC\\x01\\r\\n"
    8 bytes    start of SHA-256 of the key: tells which key it is
    16 bytes   salt, random
    frames     each: 4 bytes, big-endian: 1 bit "last frame", 31 bits length of what follows;
               AES-256-GCM of up to 1 MiB, with its tag of 16 bytes

The member's key is HKDF-SHA256(key, salt, info "carebus encrypted 1"), so nonces can simply count the
frames: 12 bytes, big-endian. Additional data of a frame are its 4 bytes. Frames that are cut off,
swapped or dropped fail to decrypt, as the count and the last frame's mark are part of it.

Source:
    NIST SP 800-38D (GCM); RFC 5869 (HKDF); V. Hoang, R. Reyhanitabar, P. Rogaway, D. Vizár, "Online
    Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015 (STREAM).
"""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from carebus_contracts.errors import JobError
from carebus_generator.adapters.folders import copy, folder_at

MAGIC = b"CBENC\x01\r\n"
KEY_BYTES = 32
FRAME_BYTES = 1024 * 1024
_LAST = 1 << 31
_TAG_BYTES = 16
_SALT_BYTES = 16
_ID_BYTES = 8


class Key:
    """A key of 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = sha256(secret).digest()[:_ID_BYTES]

    @classmethod
    def read(cls, path: Path | None) -> Key:
        """Read a key file.

        Raises:
            JobError: There is none, or it does not hold 32 bytes.
        """
        if path is None:
            raise JobError(f"encryption needs a key file of {KEY_BYTES} random bytes: {_HOW_TO}")
        try:
            secret = path.read_bytes()
        except OSError as error:
            raise JobError(f"the key file {path} cannot be read: {error.strerror}; {_HOW_TO}") from error
        if len(secret) != KEY_BYTES:
            raise JobError(f"the key file {path} holds {len(secret):,} bytes and not {KEY_BYTES}; {_HOW_TO}")
        return cls(secret)

    def writer(self, below: BinaryIO) -> Encrypting:
        """Return what encrypts into a file."""
        return Encrypting(below, self)

    def reader(self, below: BinaryIO, name: str) -> Decrypting:
        """Return what decrypts a file; errors call it ``name``."""
        return Decrypting(below, self, name)

    def cipher(self, salt: bytes) -> AESGCM:
        """Return the cipher of a member."""
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"carebus encrypted 1")
        return AESGCM(derived.derive(self._secret))


_HOW_TO = "`head -c 32 /dev/urandom > FILE` makes one"


class Encrypting(io.RawIOBase):
    """Writes one member; closing it writes the last frame, and leaves the file below open."""

    def __init__(self, below: BinaryIO, key: Key) -> None:
        salt = os.urandom(_SALT_BYTES)
        self._below = below
        self._cipher = key.cipher(salt)
        self._frames = 0
        self._waiting = bytearray()
        below.write(MAGIC + key.id + salt)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take in some bytes."""
        self._waiting += data
        while len(self._waiting) > FRAME_BYTES:
            self._frame(bytes(self._waiting[:FRAME_BYTES]))
            del self._waiting[:FRAME_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last frame."""
        self._frame(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _frame(self, text: bytes, *, last: bool = False) -> None:
        head = (len(text) + _TAG_BYTES | (_LAST if last else 0)).to_bytes(4, "big")
        self._below.write(head + self._cipher.encrypt(self._frames.to_bytes(12, "big"), text, head))
        self._frames += 1


class Decrypting(io.RawIOBase):
    """Reads all members of a file.

    Raises:
        JobError: On reading: the file is not encrypted, its key is another one, or it was changed or cut.
    """

    def __init__(self, below: BinaryIO, key: Key, name: str) -> None:
        self._below = below
        self._key = key
        self._name = name
        self._cipher: AESGCM | None = None
        self._frames = 0
        self._members = 0
        self._text = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill a buffer as far as a frame goes; 0 at the end of the file."""
        while not self._text:
            if self._cipher is None and not self._next_member():
                return 0
            self._next_frame()
        count = min(len(buffer), len(self._text))
        buffer[:count] = self._text[:count]
        self._text = self._text[count:]
        return count

    def _next_member(self) -> bool:
        head = self._below.read(len(MAGIC) + _ID_BYTES + _SALT_BYTES)
        if not head and self._members:
            return False
        if not head.startswith(MAGIC):
            raise JobError(f"{self._name} is not a file that carebus encrypted")
        if len(head) < len(MAGIC) + _ID_BYTES + _SALT_BYTES:
            raise self._cut()
        if head[len(MAGIC) : -_SALT_BYTES] != self._key.id:
            raise JobError(f"{self._name} was encrypted with another key")
        self._cipher = self._key.cipher(head[-_SALT_BYTES:])
        self._frames = 0
        self._members += 1
        return True

    def _next_frame(self) -> None:
        head = self._below.read(4)
        if len(head) < 4:
            raise self._cut()
        number = int.from_bytes(head, "big")
        length = number & (_LAST - 1)
        if not _TAG_BYTES <= length <= FRAME_BYTES + _TAG_BYTES:
            raise JobError(f"{self._name} was changed after it was encrypted")
        sealed = self._below.read(length)
        if len(sealed) < length:
            raise self._cut()
        assert self._cipher is not None  # noqa: S101 - set with the member
        try:
            self._text = self._cipher.decrypt(self._frames.to_bytes(12, "big"), sealed, head)
        except InvalidTag:
            raise JobError(f"{self._name} was changed after it was encrypted") from None
        self._frames += 1
        if number & _LAST:
            self._cipher = None

    def _cut(self) -> JobError:
        return JobError(f"{self._name} ends early: part of it is missing")


def decrypted(file: str, out: Path, key: Key) -> int:
    """Decrypt a file, by path or URL, into another; return the number of its plain bytes.

    Raises:
        JobError: It cannot be read or written, or the key does not fit; then nothing is left behind.
    """
    above, _, name = file.rpartition("/")
    with folder_at(above or ".").open(name) as sealed, folder_at(str(out.parent)).new(out.name) as plain:
        copy(cast(BinaryIO, io.BufferedReader(key.reader(sealed, name), FRAME_BYTES)), plain)
        return plain.tell()
