"""Finds the apps: a folder with a manifest and a class ``App`` in ``app.py``.

The only place that loads code by name. An app that cannot be loaded is logged and
left out, so that it takes nobody else down.
"""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import structlog

from proto.ids import AppId
from services.connector import manifest as manifests
from services.connector.errors import UnknownApp
from services.connector.manifest import Manifest
from services.connector.port import App

log = structlog.get_logger()

APPS: Final = Path(__file__).parent / "apps"
_PACKAGE: Final = "services.connector.apps"
_OPERATIONS: Final = tuple(name for name in vars(App) if not name.startswith("_"))
_UNLOADABLE: Final = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OSError,
    msgspec.MsgspecError,
)


class Entry(NamedTuple):
    """An app of the catalogue: its facts, and the class that knows its API."""

    manifest: Manifest
    app_class: type[App]


class Registry:
    """The apps of this process, by id."""

    def __init__(self, entries: Mapping[AppId, Entry]) -> None:
        self._entries = dict(entries)

    def entry(self, app: AppId) -> Entry:
        """Return an app.

        Raises:
            UnknownApp: There is none of this name.
        """
        try:
            return self._entries[app]
        except KeyError:
            raise UnknownApp(app) from None

    def __iter__(self) -> Iterator[Entry]:
        """Go through the apps by name, in the order people read."""
        ordered = sorted(self._entries.values(), key=lambda e: e.manifest.name.lower())
        return iter(ordered)


def load(folder: Path = APPS) -> Registry:
    """Load every app below ``folder``; names that begin with ``_`` are no apps."""
    entries: dict[AppId, Entry] = {}
    for path in sorted(folder.glob("[!_.]*/manifest.toml")):
        name = AppId(path.parent.name)
        try:
            entries[name] = _load(name, path)
        except _UNLOADABLE as err:
            log.error("app_left_out", app=name, error_type=type(err).__name__)
    log.info("apps_loaded", count=len(entries))
    return Registry(entries)


def _load(name: AppId, path: Path) -> Entry:
    manifest = manifests.load(path)
    if manifest.app != name:
        raise ValueError("the manifest is of another app")
    module = importlib.import_module(f"{_PACKAGE}.{name}.app")
    app_class: type[App] = module.App
    capabilities = manifest.capabilities
    needed = [
        *_OPERATIONS,
        *(["create_many"] if capabilities.create_batch > 1 else []),
        *(["update_many"] if capabilities.update_batch > 1 else []),
        *(["hear"] if manifest.push is not None else []),
    ]
    missing = [op for op in needed if not callable(getattr(app_class, op, None))]
    if missing:
        raise AttributeError(f"operations are missing: {', '.join(missing)}")
    return Entry(manifest, app_class)
