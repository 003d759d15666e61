"""How a log line looks: time, level, logger, event, then the facts as name=value.  Never a secret."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from portal.masking import masked

# What every record has; anything else was handed over as `extra`.
ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Objects that Django adds to its own records; what they print is long, and the message names them already.
NOISE = frozenset({"request", "server_time", "sql", "params", "data"})


class LineFormatter(logging.Formatter):
    """One record, one line (and the traceback, where there is one)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as `2026-11-23T10:12:00Z INFO integrations.engine lane_stalled lane_id=3 attempt=4`."""
        moment = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        facts = {name: value for name, value in vars(record).items() if name not in ORDINARY | NOISE}
        words = [moment.replace("+00:00", "Z"), record.levelname, record.name, record.getMessage()]
        words += [f"{name}={value}" for name, value in masked(facts).items()]
        # A line break in a value would let its author write log lines of his own.
        line = " ".join(words).replace("\r", "\\r").replace("\n", "\\n")
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
