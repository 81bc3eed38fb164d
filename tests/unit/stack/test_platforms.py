"""Machines without programs are told so."""

from __future__ import annotations

import platform
import sys

import pytest

from carebus_stack import StackError
from carebus_stack.platforms import require_supported_platform


@pytest.mark.parametrize(
    ("system", "machine", "libc", "said"),
    [
        ("linux", "x86_64", "", "needs glibc"),
        ("linux", "riscv64", "glibc", "linux-riscv64"),
        ("win32", "AMD64", "", "win32-x86_64"),
        ("darwin", "x86_64", "", "darwin-x86_64"),
    ],
    ids=["musl", "other processor", "windows", "mac on intel"],
)
def test_an_unsupported_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: str, said: str
) -> None:
    """One sentence names the machine and the way out."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "2.36"))

    with pytest.raises(StackError, match=said) as refusal:
        require_supported_platform()

    assert "--docker" in str(refusal.value)


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "arm64")])
def test_supported_machines_pass(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    """Nothing is raised."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))

    require_supported_platform()
