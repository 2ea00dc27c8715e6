"""One JSON object a line, for `DOUGONG_LOG=json`."""

from __future__ import annotations

import datetime as dt
import json
import logging

from dougong_registry.logs.requests import request_id

EXTRA = ("method", "path", "status", "duration_ms")
"""Fields of the line that is written for each request."""


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the request it belongs to, the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if found := request_id.get():
            line["request_id"] = found
        line |= {name: getattr(record, name) for name in EXTRA if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
