"""The decisions manage.py takes before there is a Django: which environment, whether it is ready, what to say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import manage


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("django==5.2.19 --hash=sha256:1\n")
    return path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment as far as manage.py looks: an interpreter, nothing installed."""
    folder = tmp_path / ".venv"
    python = manage.venv_python(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    return folder


def note(venv: Path, text: str) -> None:
    (venv / manage.NOTE_NAME).write_text(text)


def add_package(venv: Path, name: str) -> None:
    (venv / "lib" / "python3.11" / "site-packages" / name).mkdir(parents=True)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["manage.py"], ""),
        (["manage.py", "--help"], ""),
        (["manage.py", "demo", "--once"], "demo"),
        (["manage.py", "test", "-k", "demo"], "test"),
    ],
)
def test_the_command_is_the_first_word(argv: list[str], command: str) -> None:
    assert manage.command_of(argv) == command


def test_only_demo_and_test_relax_the_settings() -> None:
    production = {"DJANGO_SETTINGS_MODULE": "portal.settings"}

    assert manage.environment_for("migrate") == production
    assert manage.environment_for("demo") == production | {"CONCORD_DEMO": "1"}
    assert manage.environment_for("test") == production | {"CONCORD_TEST": "1"}


def test_only_test_needs_the_test_tools() -> None:
    assert manage.lock_for("test") == manage.DEV_LOCK
    assert manage.lock_for("demo") == manage.RUNTIME_LOCK
    assert manage.lock_for("") == manage.RUNTIME_LOCK


def test_a_python_that_is_new_enough_draws_no_complaint() -> None:
    assert manage.python_complaint((3, 11), newer=None) is None
    assert manage.python_complaint((3, 14), newer=None) is None


def test_an_old_python_is_told_which_one_to_use_instead() -> None:
    complaint = manage.python_complaint((3, 9), newer="python3.12")

    assert complaint == (
        "Concord needs Python 3.11 or newer, and this is 3.9. Start it with python3.12 manage.py."
    )


def test_an_old_python_without_a_newer_one_is_told_to_install_it() -> None:
    assert "Install a newer Python" in (manage.python_complaint((3, 8), newer=None) or "")


def test_the_script_can_be_read_by_a_python_that_is_too_old() -> None:
    ast.parse(Path(manage.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_interpreter_is_where_the_system_puts_it() -> None:
    venv = Path("venv")

    assert manage.venv_python(venv, windows=False) == venv / "bin" / "python"
    assert manage.venv_python(venv, windows=True) == venv / "Scripts" / "python.exe"


def test_a_missing_environment_is_not_ready(tmp_path: Path, lock: Path) -> None:
    assert not manage.is_ready(tmp_path / ".venv", lock)


def test_an_environment_with_the_lock_noted_is_ready(venv: Path, lock: Path) -> None:
    note(venv, manage.digest(lock))

    assert manage.is_ready(venv, lock)


def test_a_changed_lock_makes_the_environment_stale(venv: Path, lock: Path) -> None:
    note(venv, manage.digest(lock))
    lock.write_text("django==5.2.20 --hash=sha256:2\n")

    assert not manage.is_ready(venv, lock)


def test_an_unfinished_environment_is_not_ready_even_with_django_in_it(venv: Path, lock: Path) -> None:
    add_package(venv, "django")
    note(venv, manage.UNFINISHED)

    assert not manage.is_ready(venv, lock)


def test_an_environment_somebody_else_made_is_used_as_it_is(venv: Path, lock: Path) -> None:
    add_package(venv, "django")

    assert manage.is_ready(venv, lock)


def test_an_environment_somebody_else_made_without_django_is_not_ready(venv: Path, lock: Path) -> None:
    assert not manage.is_ready(venv, lock)


def test_an_environment_whose_interpreter_is_gone_is_not_ready(venv: Path, lock: Path) -> None:
    note(venv, manage.digest(lock))
    manage.venv_python(venv).unlink()

    assert not manage.is_ready(venv, lock)


def test_only_an_environment_with_our_note_is_ours(venv: Path, tmp_path: Path) -> None:
    assert not manage.is_own(str(venv), venv)

    note(venv, manage.UNFINISHED)

    assert manage.is_own(str(venv), venv)
    assert not manage.is_own(str(tmp_path / "other"), venv)


def test_a_failure_without_network_asks_about_the_network() -> None:
    lines = ["Collecting django", "WARNING: NewConnectionError: Failed to establish a new connection"]

    assert "is there a network connection?" in manage.pip_complaint(lines)


def test_another_failure_shows_the_end_of_what_pip_said() -> None:
    lines = [f"line {number}" for number in range(20)] + ["ERROR: hashes do not match"]

    complaint = manage.pip_complaint(lines)

    assert "network" not in complaint
    assert complaint.endswith("ERROR: hashes do not match")
    assert "line 5" not in complaint


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    runtime = set(manage.RUNTIME_LOCK.read_text().split())
    development = set(manage.DEV_LOCK.read_text().split())

    pins = {word for word in runtime if "==" in word}
    assert pins
    assert pins <= development


def test_the_locks_name_no_index_and_hash_every_package() -> None:
    for path in (manage.RUNTIME_LOCK, manage.DEV_LOCK):
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]

        assert not [line for line in lines if "://" in line or line.startswith("-")]
        pinned = [line for line in lines if not line.startswith(" ")]
        assert all("==" in line and line.endswith("\\") for line in pinned)
