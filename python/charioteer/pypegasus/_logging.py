"""Where the log goes: nowhere of its own, to what a ``logger.conf`` says, or to the original's rotating file.

Only the logger ``charioteer.pypegasus`` is ever changed. `logging.config.fileConfig` is not used, since it takes hold of the root
logger, closes the handlers of others, and evaluates whatever the file says.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import logging
import logging.handlers
import operator
import os
import sys
from typing import Any

NAME = "charioteer.pypegasus"

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def configure_logging(path: str | "os.PathLike[str]" = "logger.conf") -> None:
    """Applies the root section of such a file as `logging.config.fileConfig` reads to the logger ``charioteer.pypegasus``.

    The handlers that an earlier call has added are closed and taken away. Raises ``OSError`` where the file can't be read, and
    ``ValueError`` where it says something that can't be done.
    """
    parser = configparser.RawConfigParser()
    with open(path, encoding="utf8") as file:
        parser.read_file(file)
    handlers: list[logging.Handler] = []
    try:
        section = parser["logger_root"]
        level = _level(section.get("level", "NOTSET"))
        for name in _names(section.get("handlers", "")):
            handlers.append(_handler(parser, name))
    except (KeyError, TypeError, SyntaxError, ValueError) as error:
        for handler in handlers:
            handler.close()
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    _apply(handlers, level)


def configure_from_working_directory() -> None:
    """Applies ``logger.conf`` of the working directory, where there is one; what is wrong with it is told in the log."""
    if not os.path.isfile("logger.conf"):
        return
    try:
        configure_logging("logger.conf")
    except (OSError, ValueError, configparser.Error) as error:
        logging.getLogger(NAME).warning("logger.conf is passed over: %s", error)


def log_to_file(
    path: str | "os.PathLike[str]" = "pegasus.log",
    level: int = logging.INFO,
    max_bytes: int = 100 * 1024 * 1024,
    backups: int = 10,
) -> None:
    """What the original client does whenever it is imported: writes the log to a file, which is rotated, and nowhere else."""
    handler = logging.handlers.RotatingFileHandler(path, "a", max_bytes, backups, encoding="utf8")
    text = "%(asctime)s [%(thread)d] [%(levelname)s] %(filename)s:%(lineno)d %(message)s"
    handler.setFormatter(logging.Formatter(text, "%Y-%m-%d %H:%M:%S"))
    _apply([handler], level)


# Without it, what nobody takes would be written to the standard error.
logging.getLogger(NAME).addHandler(logging.NullHandler())

_ours: list[logging.Handler] = []


def _apply(handlers: list[logging.Handler], level: int) -> None:
    logger = logging.getLogger(NAME)
    for handler in _ours:
        logger.removeHandler(handler)
        handler.close()
    _ours[:] = handlers
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(level)
    # The root logger tells nobody else, and so does the one that stands for it.
    logger.propagate = not handlers


def _level(name: str) -> int:
    level: Any = int(name) if name.isdigit() else logging.getLevelName(name)
    if not isinstance(level, int):
        raise ValueError(f"there is no level {name}")
    return level


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _handler(parser: configparser.RawConfigParser, name: str) -> logging.Handler:
    section = parser[f"handler_{name}"]
    kind = _named(section["class"])
    if not (isinstance(kind, type) and issubclass(kind, logging.Handler)):
        raise ValueError(f"handler_{name}: {section['class']} is no handler")
    handler = kind(*_value(section.get("args", "()")), **_value(section.get("kwargs", "{}")))
    if "level" in section:
        handler.setLevel(section["level"])
    if section.get("formatter"):
        handler.setFormatter(_formatter(parser, section["formatter"]))
    return handler


def _formatter(parser: configparser.RawConfigParser, name: str) -> logging.Formatter:
    section = parser[f"formatter_{name}"]
    kind = _named(section.get("class", "logging.Formatter"))
    if not (isinstance(kind, type) and issubclass(kind, logging.Formatter)):
        raise ValueError(f"formatter_{name}: {section['class']} is no formatter")
    style: Any = section.get("style", "%")
    return kind(section.get("format"), section.get("datefmt"), style)


def _named(name: str) -> Any:
    """The class of this name, looked for in `logging` first, as `fileConfig` does."""
    module, _, attribute = name.rpartition(".")
    for place in (f"logging.{module}".rstrip("."), module):
        try:
            return getattr(importlib.import_module(place), attribute)
        except (ImportError, AttributeError, ValueError):
            continue
    raise ValueError(f"there is no {name}")


def _value(text: str) -> Any:
    """What a literal stands for; sums, products and the standard streams are understood too."""
    return _evaluated(ast.parse(text.strip(), mode="eval").body)


def _evaluated(node: ast.AST) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_evaluated(item) for item in node.elts)
    if isinstance(node, ast.List):
        return [_evaluated(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_evaluated(key): _evaluated(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
    streams: dict[str, Any | None] = {"sys.stdout": sys.stdout, "sys.stderr": sys.stderr}
    if isinstance(node, ast.Attribute) and ast.unparse(node) in streams:
        return streams[ast.unparse(node)]
    return ast.literal_eval(node)
