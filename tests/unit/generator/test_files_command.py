"""``carebus generate run | verify | diff | cards | decrypt``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from carebus_generator.command import generate


def carebus(*arguments: object) -> Result:
    """Run ``carebus generate`` with some arguments."""
    return CliRunner().invoke(generate, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 300 patients."""
    made = tmp_path_factory.mktemp("data") / "set"
    found = carebus("run", "training", "--out", made, "--total", 300, "--processes", 1, "--quiet")
    assert (found.exit_code, found.output[:13]) == (0, "300 patients,"), found.output
    return made


def test_a_run_says_what_it_made(folder: Path) -> None:
    """Once more, it is there already; the hash is that of the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())

    found = carebus("run", "training", "--out", folder, "--total", 300, "--quiet")

    assert f"data-set hash {manifest['data_set_hash']}" in found.output
    assert manifest["made_from"]["source"] == "training"


def test_a_data_set_is_verified(folder: Path, tmp_path: Path) -> None:
    """Exit status 0, 1 when it is another, 2 when there is none."""
    assert carebus("verify", folder / "manifest.json").exit_code == 0
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in folder.iterdir():
        (broken / path.name).write_bytes(path.read_bytes().replace(b'"T1"', b'"T2"', 1))

    changed, missing = carebus("verify", broken), carebus("verify", tmp_path / "none")

    assert (changed.exit_code, "was changed" in changed.output) == (1, True)
    assert (missing.exit_code, "there is no such file" in missing.output) == (2, True)


def test_two_data_sets_are_compared(folder: Path, tmp_path: Path) -> None:
    """Exit status 0 for the same, 1 for others, with what differs."""
    carebus("run", "training", "--out", tmp_path, "--total", 300, "--seed", 2, "--format", "csv", "--quiet")

    same, other = carebus("diff", folder, folder), carebus("diff", folder, tmp_path)

    assert (same.exit_code, same.output) == (0, "the same patients\n")
    assert (other.exit_code, other.output.splitlines()[0]) == (1, "seed: 1 and 2")
    assert "first patient that differs: index 0" in other.output


@pytest.mark.parametrize("origin", ["preset", "data set"])
def test_cards_tell_the_way_of_a_patient(folder: Path, origin: str) -> None:
    """As many as asked for, from injury to outcome."""
    found = carebus("cards", "training" if origin == "preset" else folder, "--count", 2)

    first, second = found.output.split("\n\n\n")[0].split("\n\n")[:2]
    assert found.exit_code == 0
    assert "born " in first
    assert "injured or ill; triage T" in second.splitlines()[0]
    assert found.output.count("injured or ill") == 2


def test_encrypted_files_are_decrypted(folder: Path, tmp_path: Path) -> None:
    """With the key; without it, a sentence."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    sealed = tmp_path / "sealed"
    options = ("--out", sealed, "--total", 300, "--processes", 1, "--quiet", "--key-file", key)
    assert carebus("run", "training", *options).exit_code == 0
    file = sealed / "patients-000000.ndjson.enc"

    found = carebus("decrypt", file, "--key-file", key, "--out", tmp_path / "plain")

    assert found.exit_code == 0
    assert (tmp_path / "plain").read_bytes() == (folder / "patients-000000.ndjson").read_bytes()
    assert "name the file of its key with --key-file" in carebus("verify", sealed).output
    assert "was not there" not in carebus("verify", sealed, "--key-file", key).output
    assert carebus("verify", sealed, "--key-file", key).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "--out", "x"), "there is no such preset or file; the presets are arctic"),
        (("none.toml", "--out", "x"), "none.toml cannot be read: No such file or directory"),
        (("training", "--out", "/proc/none/x"), "cannot write"),
        (("training", "--out", "x://y"), "x:// URLs cannot be used here"),
        (("training", "--out", "x", "--key-file", "none"), "the key file none cannot be read"),
        (("training", "--out", "x", "--source", "My Data"), "--source 'My Data' must be lower-case"),
    ],
    ids=["preset", "file", "unwritable", "kind of URL", "key", "slug"],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit status 2, and no stack trace."""
    monkeypatch.chdir(tmp_path)

    found = carebus("run", *arguments, "--total", 100, "--processes", 1, "--quiet")

    assert found.exit_code == 2, found.output
    assert sentence in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", ""], "the folder has no name"),
        (["--out", "file://"], "the folder has no name"),
        (["--out", "{file}"], "it is a file, not a folder"),
        (["--out", "{file}/below"], "part of the path is a file, not a folder"),
        (["--out", "{out}", "--seed", str(2**63)], "'--seed'"),
        (
            ["--out", "{out}", "--first-person-id", str(2**62)],
            "first_person_id: is 4,611,686,018,427,387,904, must be at most 8,999,999,999,999,901",
        ),
    ],
    ids=["no name", "no name in the URL", "file", "below a file", "seed", "person id"],
)
def test_a_run_that_cannot_be_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """And exit status 2; nothing is written."""
    file = tmp_path / "file"
    file.write_text("")
    places = {"file": file, "out": tmp_path / "out"}

    found = carebus("run", "training", "--quiet", "--processes", 1, *(a.format(**places) for a in arguments))

    assert found.exit_code == 2
    assert sentence in found.output.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "it is no JSON object"), ("[]", "it is no JSON object"), ("{}", "data_set_hash: missing")],
    ids=["empty", "list", "without fields"],
)
@pytest.mark.parametrize("command", ["verify", "diff", "cards"])
def test_a_damaged_manifest_is_one_sentence(
    folder: Path, tmp_path: Path, command: str, text: str, why: str
) -> None:
    """For whatever reads it."""
    (tmp_path / "manifest.json").write_text(text)

    found = carebus(command, tmp_path, *([folder] if command == "diff" else []))

    assert found.exit_code == 2
    assert found.output.startswith(f"manifest.json in {tmp_path} is no manifest of a data set: {why}")


def test_files_that_may_not_be_so_large_are_one_sentence(tmp_path: Path) -> None:
    """The limit of the process (`ulimit -f`) is met in the middle of a chunk; nothing is left of it."""
    code = (
        "import resource, sys\n"
        "from carebus_generator.command import generate\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "generate(sys.argv[1:])\n"
    )
    for form in ("ndjson", "json", "csv", "parquet"):
        found = subprocess.run(
            [sys.executable, "-c", code, "run", "training", "--total", "600", "--out", tmp_path / form,
             "--format", form, "--processes", "1", "--quiet"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert found.returncode == 2, found.stderr
        assert "files may not be so large here (see `ulimit -f`)" in found.stderr
        assert [path for path in (tmp_path / form).rglob("*") if path.is_file()] == []
