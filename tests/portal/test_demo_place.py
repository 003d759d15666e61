"""Where a demo keeps its things, whatever else the shell's variables name."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.sandbox.kinds import DEFAULT_PORTS
from portal.demo import place

PRODUCTION = "postgres://concord:secret@db.example:5432/concord"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Has temporary folders made where the test sees them, and keeps the project's own folder out of it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(place, "ROOT", tmp_path)
    return tmp_path


def test_by_itself_it_has_a_folder_with_sqlite(tmp_path: Path) -> None:
    settled = place.settle([], {})

    assert settled["DATA_DIR"] == str(tmp_path / ".demo")
    assert settled["DATABASE_URL"] == f"sqlite:///{tmp_path}/.demo/concord.sqlite3"
    assert (tmp_path / ".demo").is_dir()


def test_it_never_works_in_the_schema_of_the_database_that_is_named() -> None:
    settled = place.settle([], {"DATABASE_URL": PRODUCTION})

    assert settled["DATABASE_URL"] == f"{PRODUCTION}?options=-csearch_path%3Dconcord_demo"
    assert settled[place.SCHEMA] == "concord_demo"


def test_options_of_the_address_stay() -> None:
    settled = place.settle([], {"DATABASE_URL": f"{PRODUCTION}?sslmode=require"})

    assert settled["DATABASE_URL"] == f"{PRODUCTION}?sslmode=require&options=-csearch_path%3Dconcord_demo"


def test_a_database_that_a_file_names_is_meant_as_well(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(PRODUCTION + "\n")

    settled = place.settle([], {"DATABASE_URL_FILE": str(tmp_path / "url")})

    assert settled["DATABASE_URL"].startswith(PRODUCTION + "?options=")
    assert settled["DATABASE_URL_FILE"] == ""


def test_an_sqlite_file_that_is_named_is_left_alone(tmp_path: Path) -> None:
    settled = place.settle([], {"DATABASE_URL": "sqlite:////srv/concord/concord.sqlite3"})

    assert settled["DATABASE_URL"] == f"sqlite:///{tmp_path}/.demo/concord.sqlite3"


def test_the_data_folder_that_is_named_gets_one_for_the_demo(tmp_path: Path) -> None:
    settled = place.settle([], {"DATA_DIR": str(tmp_path / "srv")})

    assert settled["DATA_DIR"] == str(tmp_path / "srv" / "demo")


def test_another_kind_of_database_is_left_to_the_settings_to_refuse() -> None:
    assert "DATABASE_URL" not in place.settle([], {"DATABASE_URL": "mysql://db.example/concord"})


def test_once_has_a_place_that_nobody_else_has() -> None:
    one, other = (place.settle(["--once"], {"DATABASE_URL": PRODUCTION}) for _ in range(2))

    for name in ("DATA_DIR", "DATABASE_URL", "CELERY_QUEUE", place.SCHEMA):
        assert one[name] != other[name]
    assert one[place.PASSING] == "1"


def test_without_once_the_place_stays() -> None:
    assert place.settle([], {})[place.PASSING] == ""
    assert place.settle([], {}) == place.settle(["--fresh"], {})


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SystemExit, match=r"^The demo keeps its things in .*, which cannot be written: .*\.$"):
        place.settle([], {"DATA_DIR": str(tmp_path / "file")})


def test_every_sandbox_has_a_port_that_can_be_chosen() -> None:
    parser = argparse.ArgumentParser()
    place.add_options(parser)

    chosen = vars(parser.parse_args(["--port", "1", "--azure-devops-port", "4"]))

    assert {kind: place.PORTS[kind] for kind in DEFAULT_PORTS} == dict(DEFAULT_PORTS)
    assert [chosen[f"{name}_port"] for name in place.PORTS] == [1, None, None, None, 4]
    assert set(place.LABELS) == set(place.PORTS)


@pytest.mark.parametrize("arguments", [["--help"], ["--port", "many"], ["--port"]])
def test_what_the_command_will_explain_itself_makes_no_folder(arguments: list[str], tmp_path: Path) -> None:
    assert place.settle(arguments, {}) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["-v", "2"], ["--traceback"], ["--settings=portal.settings"]])
def test_options_of_every_command_are_passed_over(arguments: list[str]) -> None:
    assert place.settle(arguments, {}) == place.settle([], {})


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("8000", 8000), ("65535", 65535)])
def test_a_port_is_a_whole_number_that_exists(text: str, port: int) -> None:
    parser = argparse.ArgumentParser()
    place.add_options(parser)

    assert parser.parse_args(["--port", text]).portal_port == port


@pytest.mark.parametrize("text", ["65536", "-1", "http", ""])
def test_anything_else_is_no_port(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    place.add_options(parser)

    with pytest.raises(SystemExit):
        parser.parse_args([f"--port={text}"])
    assert "is not a port from 0 to 65535" in capsys.readouterr().err
