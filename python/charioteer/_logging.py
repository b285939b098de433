"""Takes what the core tells of itself to the loggers below `charioteer`, on a thread of its own.

Only loggers of these names are touched, and none of them is changed.
"""

from __future__ import annotations

import atexit
import logging
import threading

from . import _charioteer

#: How many seconds may pass until it is noticed that a logger listens, or does not any more.
_LOOKS_EVERY = 1.0

#: The core's loggers; whoever listens to one of them is told.
_NAMES = (
    "charioteer",
    "charioteer.memcached",
    "charioteer.net",
    "charioteer.pegasus",
    "charioteer.pypegasus",
    "charioteer.testing",
    "charioteer.tikv",
)


def _listened() -> int:
    """From which level on any of the loggers would take what it is told."""
    level = min(logging.getLogger(name).getEffectiveLevel() for name in _NAMES)
    return min(max(level, logging.root.manager.disable + 1), 255)


def _carry() -> None:
    while True:
        told = _charioteer._next_logs(_LOOKS_EVERY)
        if told is None:
            return
        for level, name, message in told:
            logging.getLogger(name).log(level, "%s", message)
        _charioteer._log_level(_listened())


def start() -> None:
    """Begins; called when a process makes its first client."""
    _charioteer._log_level(_listened())
    thread = threading.Thread(target=_carry, name="charioteer-logging", daemon=True)
    thread.start()

    def stop() -> None:
        _charioteer._stop_logs()
        thread.join(timeout=1.0)

    atexit.register(stop)
