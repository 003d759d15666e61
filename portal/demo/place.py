"""Where a demo keeps its things: decided from its options, before the settings are read.  No Django.

Whoever tries the demo may have a production's variables in the same shell, so a demo never works in what they name:
it has a folder of its own inside DATA_DIR, a schema of its own in a PostgreSQL database, and a queue of its own on a
shared broker.  With --once all three are new and removed at the end, so that a demo that runs is not disturbed.
"""

from __future__ import annotations

import argparse
import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where the portal and each kind of sandbox listen when nobody says otherwise.
PORTS: Mapping[str, int] = {
    "portal": 8000,
    "zendesk": 8101,
    "jira": 8102,
    "servicenow": 8103,
    "azure_devops": 8104,
}

# Tells the command, and whoever cleans up, that the place is for one run only.
PASSING = "CONCORD_DEMO_PASSING"
SCHEMA = "CONCORD_DEMO_SCHEMA"


LABELS: Mapping[str, str] = {
    "portal": "portal",
    "zendesk": "Zendesk sandbox",
    "jira": "Jira sandbox",
    "servicenow": "ServiceNow sandbox",
    "azure_devops": "Azure DevOps sandbox",
}


def port_option(name: str) -> str:
    """The option that says where this one of `PORTS` listens."""
    return "--port" if name == "portal" else f"--{name.replace('_', '-')}-port"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `manage.py demo`."""
    parser.add_argument(
        "--once",
        action="store_true",
        help="play the story on free ports in a place of its own, compare everything with what it should be, "
        "print the verdict, stop; exit code 0 when all of it holds, otherwise 1",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="begin with an empty database; without it people, partners, rules and articles are kept from the last "
        "demo, while tickets begin anew as the sandboxes do",
    )
    for name, default in PORTS.items():
        parser.add_argument(
            port_option(name),
            dest=f"{name}_port",
            metavar="PORT",
            type=_port,
            help=f"where the {LABELS[name]} listens, default {default}; 0 takes a free one",
        )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


class _Quiet(argparse.ArgumentParser):
    """Leaves wrong options to Django's parser, which sees them again and explains them."""

    def error(self, message: str) -> None:  # type: ignore[override]  # Django's does not return
        raise _Wrong


class _Wrong(Exception):
    pass


def settle(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables a demo with these arguments needs; makes its folder.  SystemExit with a sentence when it cannot."""
    parser = _Quiet(add_help=False)
    add_options(parser)
    parser.add_argument("-h", "--help", action="store_true")
    try:
        options, _ = parser.parse_known_args(list(arguments))
    except _Wrong:
        return {}
    if options.help:
        return {}
    if os.name == "nt":
        raise SystemExit("The demo needs Linux or macOS; on Windows start it inside WSL.")
    once = bool(options.once)
    folder = _folder(once, environ)
    mark = secrets.token_hex(4)
    return {
        "DATA_DIR": str(folder),
        "CELERY_QUEUE": f"concord-demo-{mark}" if once else "concord-demo",
        PASSING: "1" if once else "",
        **_database(folder, f"concord_demo_{mark}" if once else "concord_demo", environ),
    }


def _folder(once: bool, environ: Mapping[str, str]) -> Path:
    folder = ROOT / ".demo"
    if environ.get("DATA_DIR"):
        folder = Path(environ["DATA_DIR"]).absolute() / "demo"
    try:
        if once:
            passing = tempfile.mkdtemp(prefix="concord-demo-")
            atexit.register(shutil.rmtree, passing, ignore_errors=True)
            return Path(passing)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Asking for the right is not enough: root may, on a file system that is read-only nobody may.
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SystemExit(
            f"The demo keeps its things in {error.filename or folder}, which cannot be written: {error.strerror}."
        ) from error


def _database(folder: Path, schema: str, environ: Mapping[str, str]) -> dict[str, str]:
    """PostgreSQL as given, in a schema of our own; otherwise SQLite in our own folder."""
    given = environ.get("DATABASE_URL", "")
    file_name = environ.get("DATABASE_URL_FILE", "")
    if file_name and not given:
        try:
            given = Path(file_name).read_text().strip()
        except OSError as error:
            raise SystemExit(f"DATABASE_URL_FILE cannot be read: {error.strerror}.") from error
    scheme = given.partition(":")[0]
    if scheme in ("postgres", "postgresql"):
        joint = "&" if "?" in given else "?"
        address = f"{given}{joint}options=-csearch_path%3D{schema}"
        return {"DATABASE_URL": address, "DATABASE_URL_FILE": "", SCHEMA: schema}
    if scheme in ("", "sqlite"):
        return {
            "DATABASE_URL": f"sqlite:///{folder / 'concord.sqlite3'}",
            "DATABASE_URL_FILE": "",
            SCHEMA: "",
        }
    # The settings say what is wrong with it.
    return {}


def is_passing() -> bool:
    """Whether this place is for one run only."""
    return bool(os.environ.get(PASSING))


def schema() -> str:
    """Our own schema in PostgreSQL; empty for SQLite."""
    return os.environ.get(SCHEMA, "")
