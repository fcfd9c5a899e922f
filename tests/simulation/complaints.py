"""What services log as an error: in a simulation, each is a fault until explained.

Outages are warnings and say nothing here. Whoever runs a simulation listens to it.
"""

import logging
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

Listener = Callable[[str, str], None]
"""Told the event and the rest of it, with the frames of an exception."""

_listeners: list[Listener] = []


def configure() -> None:
    """Have errors heard, and nothing else made of what is logged, in this process."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _hear],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=True,
    )


def listen(listener: Listener) -> None:
    """Be told of every error from now on, instead of whoever was before."""
    _listeners[:] = [listener]


def _hear(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event = entry.pop("event")
    frames = traceback.format_exc() if entry.pop("exc_info", None) else ""
    rest = " ".join(f"{name}={value}" for name, value in sorted(entry.items()))
    for listener in _listeners:
        listener(event, f"{rest}\n{frames}".strip())
    raise structlog.DropEvent
