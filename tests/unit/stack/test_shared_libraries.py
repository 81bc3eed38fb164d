"""What is missing is named, with the package that has it."""

from __future__ import annotations

from carebus_stack.shared_libraries import advice, parse_ldd

LDD = """\
\tlinux-vdso.so.1 (0x00007ffc4b5f2000)
\tlibcrypt.so.1 => not found
\tlibsystemd.so.0 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1c2c000000)
\tlibcrypt.so.1 => not found
"""
LOADER = (
    "/x/bin/mariadbd: error while loading shared libraries: libcrypt.so.1: cannot open shared object file: "
    "No such file or directory\n"
)


def test_ldd_output_gives_each_missing_library_once() -> None:
    """Found ones are left out."""
    assert parse_ldd(LDD) == ["libcrypt.so.1", "libsystemd.so.0"]


def test_the_loaders_own_complaint_is_understood() -> None:
    """A program that was run instead of looked at says it in other words."""
    assert parse_ldd(LOADER) == ["libcrypt.so.1"]


def test_advice_names_debian_packages() -> None:
    """The sentence can be pasted into a shell."""
    assert "apt-get install libcrypt1 libsystemd0" in advice(["libcrypt.so.1", "libsystemd.so.0"])


def test_advice_for_an_unknown_library_names_the_library() -> None:
    """Without a known package the library itself is the hint."""
    assert advice(["libodd.so.9"]) == (
        "shared libraries are missing (libodd.so.9); install the packages of your system that hold them"
    )
