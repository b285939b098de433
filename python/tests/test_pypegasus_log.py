"""Where the log of `charioteer.pypegasus` goes."""

from __future__ import annotations

import logging
import logging.handlers
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from charioteer.pypegasus import _logging, configure_logging, log_to_file

NAME = "charioteer.pypegasus"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger, root = logging.getLogger(NAME), logging.getLogger()
    before, of_root = (logger.level, logger.propagate), (root.level, list(root.handlers))
    yield
    _logging._apply([], before[0])
    logger.propagate = before[1]
    assert (root.level, list(root.handlers)) == of_root


def handlers() -> list[logging.Handler]:
    """The handlers of our logger but the one that does nothing."""
    return [one for one in logging.getLogger(NAME).handlers if not isinstance(one, logging.NullHandler)]


CONF = """\
[loggers]
keys=root

[logger_root]
level=WARNING
handlers=file,%(more)s

[handlers]
keys=file,%(more)s

[handler_file]
class=handlers.RotatingFileHandler
formatter=short
args=('told.log', 'a', 2*1024*1024, 3)

[handler_%(more)s]
class=StreamHandler
level=ERROR
args=(sys.stderr,)

[formatters]
keys=short

[formatter_short]
format=%%(levelname)s: %%(message)s
"""


def test_the_root_section_of_a_logger_conf_is_applied_to_our_logger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.conf").write_text(CONF % {"more": "screen"})
    configure_logging("my.conf")
    logger = logging.getLogger(NAME)
    logger.info("not this")
    logger.warning("this")
    assert (tmp_path / "told.log").read_text() == "WARNING: this\n"
    file, screen = handlers()
    assert isinstance(file, logging.handlers.RotatingFileHandler) and isinstance(screen, logging.StreamHandler)
    assert (file.maxBytes, file.backupCount) == (2 << 20, 3)
    assert (screen.level, screen.stream) == (logging.ERROR, sys.stderr)
    assert not logger.propagate


def test_a_logger_conf_in_the_working_directory_is_honoured_at_import(tmp_path: Path) -> None:
    (tmp_path / "logger.conf").write_text(CONF % {"more": "screen"})
    program = (
        "import logging, charioteer.pypegasus.pgclient as p; p.logger.warning('hello');"
        "assert not logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "told.log").read_text() == "WARNING: hello\n"


def test_without_one_nothing_is_written_and_nothing_changed(tmp_path: Path) -> None:
    program = (
        "import logging, charioteer.pypegasus.pgclient as p;"
        "p.logger.error('lost'); assert p.logger.propagate and not logging.getLogger().handlers"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert done.stdout == done.stderr == b""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("args=(sys.stderr,)", "args=(open('stolen', 'w'),)"),
        ("class=StreamHandler", "class=os.system"),
        ("class=StreamHandler", "class=no.such.Handler"),
        ("level=WARNING", "level=LOUD"),
        ("handlers=file", "handlers=nowhere"),
        ("[logger_root]", "[logger_other]"),
    ],
)
def test_a_logger_conf_that_makes_no_sense_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logger.conf").write_text((CONF % {"more": "screen"}).replace(*wrong))
    with pytest.raises(ValueError):
        configure_logging()
    _logging.configure_from_working_directory()
    assert not (tmp_path / "stolen").exists()


def test_one_call_does_what_the_original_does_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log_to_file()
    logging.getLogger(NAME).info("hello")
    (handler,) = handlers()
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert (handler.maxBytes, handler.backupCount) == (100 << 20, 10)
    assert "[INFO] test_pypegasus_log.py:" in (tmp_path / "pegasus.log").read_text()
    log_to_file("other.log")
    assert len(handlers()) == 1
