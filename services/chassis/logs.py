"""Structured logs to stdout: a fixed phrase, and keys from an allow-list.

A key that is not on the list keeps its name and loses its value, so that no
contact's field and no secret reaches a log by being passed along. Of what libraries
log, only who failed and where is taken over.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError

_KEYS: Final = """
    event level timestamp service version port host signal reason code retry
    tenant_id account_id connection_id link_id intent_id scan_id message_id sync_id
    app side state attempt attempts count record_count part part_count seconds
    delay_s since_s subject stream consumer receiver sender table query migration
    fields outcome outcomes status method path meaning error_type exception created
    updated linked held planned written failed duplicates excluded request_id
    key_id variable process pid exit_code replica lease_version kind calls
    actor remote
"""
KEYS: Final = frozenset(_KEYS.split())

HIDDEN: Final = "***"


def configure(
    service: str, level: str = "info", *, stream: TextIO = sys.stdout
) -> None:
    """Set up logging of the whole process; call once, before anything logs."""
    threshold = getattr(logging, level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _describe_exception,
            hide_unlisted,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.ERROR, handlers=[_OfLibraries()], force=True)


class _OfLibraries(logging.Handler):
    """Takes over what libraries log as errors, without their words: those hold values.

    It is where a task ends that nobody waited for, and where a request is refused
    that is no HTTP.
    """

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            log.info("request_malformed", error_type=type(error).__name__)
        else:
            log.error("library_failed", kind=record.name, exc_info=error)


def hide_unlisted(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop the values of keys that are not on the allow-list (hazard 119)."""
    for key in entry:
        if key not in KEYS:
            entry[key] = HIDDEN
    return entry


def _describe_exception(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace an exception by its type and its frames: a message may hold values."""
    found = entry.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found
    if isinstance(error, BaseException):
        entry["error_type"] = type(error).__name__
        entry["exception"] = _frames(error)
    return entry


def _frames(error: BaseException) -> list[str]:
    lines: list[str] = []
    while error is not None:
        trace = error.__traceback__
        lines.append(type(error).__name__)
        while trace is not None:
            code = trace.tb_frame.f_code
            lines.append(f"  {code.co_filename}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        following = error.__cause__ or error.__context__
        if following is None:
            break
        error = following
    return lines
