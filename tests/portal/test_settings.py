"""The settings: production by default, loud about what they cannot read, and the demo's keys kept.

Each case reads the settings in a process of its own, as a web server would.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from portal.environment import fernet_keys, flag, kept_key, secret, web_address, whole, words

ROOT = Path(__file__).resolve().parents[2]
KEY = Fernet.generate_key().decode()
PRODUCTION = {"SECRET_KEY": "x" * 60, "CREDENTIAL_KEYS": KEY, "ALLOWED_HOSTS": "concord.example, 10.0.0.5"}

SHOW = """
import json, sys
from portal import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def run(folder: Path, environment: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data"), **environment}
    command = [sys.executable, "-c", SHOW, *names]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def read(folder: Path, environment: dict[str, str], *names: str) -> dict:
    done = run(folder, environment, *names)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- Whole settings ---


@pytest.fixture
def without_env_file() -> None:
    """Skip where the folder has a production of its own, whose .env would be read."""
    if (ROOT / ".env").exists():
        pytest.skip("there is a .env in the project's folder")
    return


@pytest.mark.usefixtures("without_env_file")
def test_production_is_the_default_and_safe(tmp_path: Path) -> None:
    names = [
        *("DEBUG", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"),
        *("SECURE_HSTS_SECONDS", "PORTAL_BASE_URL", "SYNC_PRIVATE_HOSTS", "ANONYMOUS_USER_NAME"),
    ]

    assert read(tmp_path, PRODUCTION, *names) == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["concord.example", "10.0.0.5"],
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "PORTAL_BASE_URL": "https://concord.example",
        "SYNC_PRIVATE_HOSTS": [],
        "ANONYMOUS_USER_NAME": None,
    }


@pytest.mark.usefixtures("without_env_file")
def test_the_embedded_database_and_broker_are_durable_and_private(tmp_path: Path) -> None:
    found = read(tmp_path, PRODUCTION, "DATABASES", "CELERY_BROKER_URL", "CELERY_BROKER_TRANSPORT_OPTIONS")

    database = found["DATABASES"]["default"]
    assert database["NAME"] == str(tmp_path / "data" / "concord.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in database["OPTIONS"]["init_command"]
    assert found["CELERY_BROKER_URL"] == "filesystem://"
    queue = Path(found["CELERY_BROKER_TRANSPORT_OPTIONS"]["data_folder_in"])
    assert queue.is_dir()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.usefixtures("without_env_file")
def test_tasks_are_wake_ups_that_end_before_their_lane_can_be_taken_over(tmp_path: Path) -> None:
    names = [
        *("CELERY_TASK_ACKS_LATE", "CELERY_TASK_REJECT_ON_WORKER_LOST", "CELERY_TASK_IGNORE_RESULT"),
        *("CELERY_WORKER_PREFETCH_MULTIPLIER", "CELERY_TASK_SOFT_TIME_LIMIT", "CELERY_TASK_TIME_LIMIT"),
        "SYNC_LANE_LEASE_S",
    ]
    found = read(tmp_path, {**PRODUCTION, "SYNC_LANE_LEASE_S": "90"}, *names)

    assert list(found.values()) == [False, False, True, 1, 80, 85, 90]


@pytest.mark.usefixtures("without_env_file")
def test_postgres_keeps_its_connections(tmp_path: Path) -> None:
    environment = {**PRODUCTION, "DATABASE_URL": "postgres://concord:p%40ss@db.example:5433/concord"}
    database = read(tmp_path, environment, "DATABASES")["DATABASES"]["default"]

    assert {name: database[name] for name in ("ENGINE", "HOST", "PORT", "PASSWORD", "CONN_MAX_AGE")} == {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "db.example",
        "PORT": 5433,
        "PASSWORD": "p@ss",
        "CONN_MAX_AGE": 60,
    }


@pytest.mark.usefixtures("without_env_file")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set; .env.example says what it is for."),
        ({"CREDENTIAL_KEYS": ""}, "CREDENTIAL_KEYS is not set;"),
        ({"CREDENTIAL_KEYS": f"{KEY},short"}, "Key 2 in CREDENTIAL_KEYS is not a Fernet key"),
        ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS is not set;"),
        ({"DEBUG": "flase"}, "DEBUG must be 1 or 0, and it is 'flase'."),
        ({"SYNC_POLL_S": "soon"}, "SYNC_POLL_S must be a whole number from 1 up, and it is 'soon'."),
        ({"SYNC_LANE_LEASE_S": "20"}, "SYNC_LANE_LEASE_S must be at least 10 seconds more"),
        ({"PORTAL_BASE_URL": "concord.example"}, "PORTAL_BASE_URL must be an address such as https://"),
        (
            {"DATABASE_URL": "mysql://db.example/concord"},
            "DATABASE_URL must begin with sqlite:/// or postgres://.",
        ),
        ({"DATABASE_URL": "concord.sqlite3"}, "DATABASE_URL must begin with sqlite:/// or postgres://."),
        (
            {"SECRET_KEY": "", "SECRET_KEY_FILE": "/nowhere"},
            "SECRET_KEY_FILE names /nowhere, which cannot be read",
        ),
    ],
)
def test_what_cannot_be_read_stops_the_start_with_one_sentence(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    done = run(tmp_path, {**PRODUCTION, **change})

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"django.core.exceptions.ImproperlyConfigured: {sentence}")


@pytest.mark.usefixtures("without_env_file")
def test_a_faulty_secret_is_not_repeated_in_the_message(tmp_path: Path) -> None:
    done = run(tmp_path, {**PRODUCTION, "CREDENTIAL_KEYS": "hunter2-hunter2"})

    assert "hunter2" not in done.stderr


def test_the_demo_is_for_this_machine_and_keeps_its_keys(tmp_path: Path) -> None:
    names = [
        "SECRET_KEY",
        "CREDENTIAL_KEYS",
        "ALLOWED_HOSTS",
        "SESSION_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "DEBUG",
    ]
    first = read(tmp_path, {"CONCORD_DEMO": "1"}, *names)
    second = read(tmp_path, {"CONCORD_DEMO": "1", "ALLOWED_HOSTS": "*"}, *names)

    assert first == second
    assert list(first.values())[2:] == [["localhost", "127.0.0.1"], False, False, False]
    Fernet(first["CREDENTIAL_KEYS"][0])
    for name in ("secret_key", "credential_key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_the_tests_leave_nothing_on_disk(tmp_path: Path) -> None:
    found = read(tmp_path, {"CONCORD_TEST": "1"}, "DATABASES", "CELERY_BROKER_URL")

    assert found["DATABASES"]["default"]["NAME"] == ":memory:"
    assert found["CELERY_BROKER_URL"] == "memory://"
    assert list(tmp_path.iterdir()) == []


def test_every_variable_is_explained_in_the_example_file() -> None:
    text = (ROOT / ".env.example").read_text()
    sources = (ROOT / "portal" / "settings.py").read_text()
    asked = {
        part.split('"')[0]
        for call in (
            'flag("',
            'whole("',
            'words("',
            'secret("',
            'fernet_keys("',
            'web_address("',
            'env.str("',
        )
        for part in sources.replace("\n        ", "").replace("\n    ", "").split(call)[1:]
    }

    explained = {
        line.lstrip("#").split("=")[0]
        for line in text.splitlines()
        if "=" in line and " " not in line.split("=")[0]
    }
    assert asked - {"CONCORD_DEMO", "CONCORD_TEST"} == explained


# --- Single values ---


def test_a_secret_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "key"))

    assert secret("A_SECRET") == "from a file"

    monkeypatch.setenv("A_SECRET", "from the environment")
    with pytest.raises(ImproperlyConfigured, match="A_SECRET and A_SECRET_FILE are both set"):
        secret("A_SECRET")


@pytest.mark.parametrize(("text", "meaning"), [("1", True), ("Yes", True), ("off", False), ("", False)])
def test_a_flag_understands_the_usual_words(
    monkeypatch: pytest.MonkeyPatch, text: str, meaning: bool
) -> None:
    monkeypatch.setenv("A_FLAG", text)

    assert flag("A_FLAG") is meaning


@pytest.mark.parametrize("text", ["-5", "1.5", "0", "ten", "²"])
def test_a_number_is_whole_and_large_enough(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("A_NUMBER", text)

    with pytest.raises(ImproperlyConfigured, match="A_NUMBER must be a whole number from 1 up"):
        whole("A_NUMBER", default=3)


def test_lists_and_addresses_lose_what_does_not_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_LIST", " one,, two ")
    monkeypatch.setenv("AN_ADDRESS", "https://concord.example/")
    monkeypatch.setenv("SOME_KEYS", f" {KEY} , {KEY} ")

    assert words("A_LIST") == ["one", "two"]
    assert web_address("AN_ADDRESS") == "https://concord.example"
    assert fernet_keys("SOME_KEYS") == [KEY, KEY]


def test_a_key_is_made_once(tmp_path: Path) -> None:
    made = iter(["first", "second"])

    assert [kept_key(tmp_path / "key", lambda: next(made)) for _ in range(2)] == ["first", "first"]
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_of_two_processes_that_start_together_both_use_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "key"

    def make_while_another_is_faster() -> str:
        file.write_text("the other's")
        return "mine"

    assert kept_key(file, make_while_another_is_faster) == "the other's"
    assert [left.name for left in tmp_path.iterdir()] == ["key"]
