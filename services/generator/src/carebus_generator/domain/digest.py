"""The hash of a data set: the same whatever the chunks, the workers, their order or a restart.

It is the sum, modulo 2^256, of SHA-256(index as 8 bytes, big-endian ‖ bundle) over all patients, then
SHA-256 over the number of patients (8 bytes) and that sum (32 bytes). So partial sums of chunks add
up in any order, and a patient that is lost, changed, doubled or moved to another index shows.

Source:
    M. Bellare, D. Micciancio, "A New Paradigm for Collision-Free Hashing: Incrementality at Reduced
    Cost", EUROCRYPT 1997 (AdHash). It guards against mistakes, not against a forger who can choose
    thousands of patients freely; the sha256 of each file in the manifest does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

_MODULUS = 1 << 256
_BYTES = 32


def chunk_digest(first: int, bundles: Sequence[bytes]) -> str:
    """Return the partial sum of patients with consecutive indices, as 64 hex digits."""
    total = 0
    for index, bundle in enumerate(bundles, start=first):
        patient = sha256(index.to_bytes(8, "big"))
        patient.update(bundle)
        total += int.from_bytes(patient.digest(), "big")
    return (total % _MODULUS).to_bytes(_BYTES, "big").hex()


def added(digests: Iterable[str]) -> str:
    """Return the partial sum of several."""
    total = sum(int(digest, 16) for digest in digests)
    return (total % _MODULUS).to_bytes(_BYTES, "big").hex()


def data_set_hash(patients: int, digest: str) -> str:
    """Return the hash of a data set from the partial sum of all its patients."""
    return sha256(patients.to_bytes(8, "big") + bytes.fromhex(digest)).hexdigest()
