#!/usr/bin/env python3
"""Concord's one command: makes its own environment on the first start, then hands over to Django or pytest.

`python3 manage.py demo` and `python3 manage.py test` have to work right after the clone, with nothing but Python
and its venv module. So everything here is the standard library until Django is at hand, and the file is kept
readable for old interpreters, which could otherwise not be told that they are too old.

The environment is the folder `.venv` beside this file, installed from the hashed lock: `requirements.lock`, or
`requirements-dev.lock` for `test`, which contains the former. A note in the folder says which locks are in it,
so that a changed lock is installed at the next start. A virtual environment that somebody else made is used as
it is.

Two commands set a variable before the settings are read, because the settings refuse to start without secrets:

- `demo`, `sandbox`, `drill`, `replay`, `simulate` and `benchmark` set CONCORD_DEMO=1: keys are generated and kept under `.demo/`, so that a first look needs no set-up.
- `test` sets CONCORD_TEST=1: fixed test keys and the embedded database and broker, whatever `.env` says.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Iterator, NoReturn, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SETUP_LOCK = ROOT / ".venv.lock"
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"

NOTE_NAME = "concord-installed"
UNFINISHED = "unfinished"
HANDED_OVER = "CONCORD_HANDED_OVER"
OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")
PACKAGES_PER_LINE = 20
PIP_LINES_SHOWN = 8
PIP_LINE_WIDTH = 200
NETWORK_SIGNS = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "ProxyError",
    "getaddrinfo",
)


class SetupError(Exception):
    """The environment cannot be made; the message is the sentence the person reads."""


# --- Decisions: no side effects, tested in tests/test_manage.py ---


def command_of(argv: Sequence[str]) -> str:
    """Return the management command in `argv`, or "" when there is none."""
    return argv[1] if len(argv) > 1 and not argv[1].startswith("-") else ""


def environment_for(command: str) -> dict[str, str]:
    """Return the variables that have to stand before the settings of `command` are read."""
    variables = {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    if command in ("demo", "benchmark", "drill", "replay", "sandbox", "simulate"):
        variables["CONCORD_DEMO"] = "1"
    if command == "test":
        variables["CONCORD_TEST"] = "1"
    return variables


def lock_for(command: str) -> Path:
    """Return the lock file that `command` needs installed."""
    return DEV_LOCK if command == "test" else RUNTIME_LOCK


def python_complaint(version: tuple[int, ...], newer: str | None) -> str | None:
    """Return why this Python will not do, naming a `newer` one if the machine has it, or None."""
    if version >= OLDEST_PYTHON:
        return None
    advice = (
        f"Start it with {newer} manage.py." if newer else "Install a newer Python and start it with that."
    )
    return f"Concord needs Python 3.11 or newer, and this is {version[0]}.{version[1]}. {advice}"


def venv_python(venv: Path, windows: bool = os.name == "nt") -> Path:
    """Return where the interpreter of `venv` is, or would be."""
    return venv / "Scripts" / "python.exe" if windows else venv / "bin" / "python"


def digest(lock: Path) -> str:
    """Return the fingerprint of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def has_package(venv: Path, name: str) -> bool:
    """Tell whether `venv` contains the package `name`, without starting its interpreter."""
    places = [*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"]
    return any((place / name).is_dir() for place in places)


def is_ready(venv: Path, lock: Path) -> bool:
    """Tell whether `venv` can be used for what `lock` lists.

    A folder without our note was made by somebody else (`uv sync`, say), who keeps it up to date.
    """
    if not venv_python(venv).exists():
        return False
    note = venv / NOTE_NAME
    if note.exists():
        return digest(lock) in note.read_text().split()
    return has_package(venv, "django")


def is_own(prefix: str, venv: Path) -> bool:
    """Tell whether `prefix`, the running interpreter's, is `venv` and was installed by this file."""
    return Path(prefix).resolve() == venv.resolve() and (venv / NOTE_NAME).exists()


def pip_complaint(lines: Sequence[str]) -> str:
    """Return what to tell somebody whose installation failed with these last `lines` from pip."""
    text = "\n".join(lines)
    if any(sign in text for sign in NETWORK_SIGNS):
        reason = "the package index could not be reached; is there a network connection?"
    else:
        reason = "pip reported an error."
    shown = "\n".join(f"  {line[:PIP_LINE_WIDTH]}" for line in lines[-PIP_LINES_SHOWN:])
    return f"Concord's packages could not be installed: {reason}\nThe end of pip's report:\n{shown}"


# --- Setting up ---


def say(text: str) -> None:
    """Tell the person what is going on, at once and beside the command's own output."""
    print(text, file=sys.stderr, flush=True)


def in_usable_venv() -> bool:
    """Tell whether this interpreter belongs to a virtual environment that has Django."""
    in_venv = sys.prefix != sys.base_prefix
    return in_venv and importlib.util.find_spec("django") is not None


def prepare(lock: Path) -> None:
    """Bring `.venv` to what `lock` lists; raise SetupError if that is not possible."""
    if is_ready(VENV, lock):
        return
    with only_one_setup():
        # Another start may have done the work while this one waited.
        if is_ready(VENV, lock):
            return
        if create_venv():
            say("Setting up Concord: installing its packages into .venv. This takes about a minute, once.")
        else:
            say("Setting up Concord: the list of packages has changed, bringing .venv up to date.")
        install(lock)
        say("Setting up Concord: done.")


@contextlib.contextmanager
def only_one_setup() -> Iterator[None]:
    """Hold the set-up lock, waiting for another start that has it; the system frees it if we die."""
    with SETUP_LOCK.open("a+") as handle:
        if not try_lock(handle):
            say("Setting up Concord: another start is at it, waiting for that one.")
            wait_for_lock(handle)
        yield


def try_lock(handle: IO[str]) -> bool:
    """Lock the open file if nobody has it; tell whether that worked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def wait_for_lock(handle: IO[str]) -> None:
    """Lock the open file, however long another process keeps it."""
    if sys.platform == "win32":
        import msvcrt

        # Windows has no endless wait: LK_LOCK gives up after ten seconds with OSError.
        while True:
            with contextlib.suppress(OSError):
                msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                return
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)


def create_venv() -> bool:
    """Make the folder, or take the one there is; mark it as unfinished and return whether it is new.

    It is built in its final place, because the scripts in a virtual environment hold its path and do not
    survive a move. The note comes first: whatever happens next, a half-made folder is never taken for a ready one.
    """
    note = VENV / NOTE_NAME
    if venv_python(VENV).exists() and note.exists() and note.read_text() != UNFINISHED:
        note.write_text(UNFINISHED)
        return False
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            "Python's venv module is missing; on Debian and Ubuntu install it with: sudo apt install python3-venv"
        )
    if note.exists():
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    note.write_text(UNFINISHED)
    # Started from inside the folder, sys.executable went with it a line ago.
    python = getattr(sys, "_base_executable", sys.executable)
    outcome = subprocess.run(
        [python, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if outcome.returncode != 0:
        raise SetupError(f"Python could not make a virtual environment: {outcome.stdout.strip()}")
    return True


def install(lock: Path) -> None:
    """Install exactly what `lock` lists, showing how far it is, and note it down."""
    total = sum("==" in line for line in lock.read_text().splitlines())
    # Only wheels: a source package would need a compiler, and run code before its hash says anything.
    command = [str(venv_python(VENV)), "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]
    command += ["--progress-bar", "off", "--no-input", "--retries", "2", "-r", str(lock)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line.rstrip())
            report_progress(lines, total)
    if pip.returncode != 0:
        raise SetupError(pip_complaint(lines))
    installed = [RUNTIME_LOCK, DEV_LOCK] if lock == DEV_LOCK else [lock]
    (VENV / NOTE_NAME).write_text("".join(digest(each) + "\n" for each in installed))


def report_progress(lines: Sequence[str], total: int) -> None:
    """Say how far pip is, when its latest line makes a difference to the person waiting."""
    if lines[-1].startswith("Collecting "):
        collected = sum(line.startswith("Collecting ") for line in lines)
        if collected % PACKAGES_PER_LINE == 0:
            say(f"  {collected} of {total} packages fetched")
    elif lines[-1].startswith("Installing collected packages"):
        say("  all packages fetched, installing")


def hand_over() -> NoReturn:
    """Run this command again with the interpreter of `.venv`."""
    if os.environ.get(HANDED_OVER):
        raise SetupError(
            "The environment in .venv does not fit its Python; delete the folder .venv and start again."
        )
    os.environ[HANDED_OVER] = "1"
    command = [str(venv_python(VENV)), str(ROOT / "manage.py"), *sys.argv[1:]]
    if sys.platform == "win32":
        # On Windows exec returns to the shell at once and loses the exit code.
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


# --- Running ---


def ensure_environment(command: str) -> None:
    """Return when Django can be imported here; otherwise set up `.venv` and start again inside it."""
    newer = next((name for name in NEWER_PYTHONS if shutil.which(name)), None)
    complaint = python_complaint(sys.version_info[:2], newer)
    if complaint:
        raise SetupError(complaint)
    lock = lock_for(command)
    if in_usable_venv() and (not is_own(sys.prefix, VENV) or is_ready(VENV, lock)):
        return
    try:
        prepare(lock)
    except OSError as error:
        raise SetupError(
            f"Concord cannot set up its environment in {ROOT}: {error.strerror or error}."
        ) from error
    hand_over()


def run_tests(arguments: Sequence[str]) -> int:
    """Run pytest on the project with `arguments`, paths in them counted from its root; return its exit code."""
    if importlib.util.find_spec("pytest") is None:
        raise SetupError(
            "This virtual environment has no pytest; install the test tools into it with: "
            "pip install --require-hashes -r requirements-dev.lock"
        )
    import pytest

    os.chdir(ROOT)
    return int(pytest.main(list(arguments)))


def settle_demo(arguments: Sequence[str]) -> None:
    """Set the variables that say where this demo keeps its things, which depends on its options."""
    from portal.demo import place

    os.environ.update(place.settle(arguments, os.environ))


def run_django(argv: Sequence[str]) -> int:
    """Run a command of Django's or ours; settings that cannot be used are told in their own sentence."""
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(list(argv))
    except ImproperlyConfigured as error:
        if "--traceback" in argv:
            raise
        say(str(error))
        return 1
    return 0


def main(argv: Sequence[str]) -> int:
    """Run the command in `argv` and return the exit code."""
    command = command_of(argv)
    try:
        ensure_environment(command)
        os.environ.pop(HANDED_OVER, None)
        for name, value in environment_for(command).items():
            os.environ.setdefault(name, value)
        if command == "test":
            return run_tests(argv[2:])
        if command == "demo":
            settle_demo(argv[2:])
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    return run_django(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
