"""The API of the original Python client of Apache Pegasus, module by module.

A program that was written for ``pypegasus`` runs when its imports begin with ``charioteer.pypegasus`` instead: `pgclient` has the client,
`base.ttypes` and `rrdb.ttypes` the types, `utils.tools` the options. It may go on with Twisted, or use asyncio.

The log is that of the logger ``charioteer.pypegasus``. A ``logger.conf`` in the working directory is honoured; `log_to_file` does what
the original does by default.
"""

from charioteer.pypegasus._logging import configure_logging, log_to_file
from charioteer.pypegasus._results import AlreadyCalledError, CancelledError, Failure, Result

__all__ = [
    "AlreadyCalledError",
    "CancelledError",
    "Failure",
    "Result",
    "configure_logging",
    "log_to_file",
]
