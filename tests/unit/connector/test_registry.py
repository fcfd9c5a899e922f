"""Apps are found by their folder, and a broken one takes nobody else down."""

from pathlib import Path

import pytest

from proto.ids import AppId
from services.connector import registry
from services.connector.errors import UnknownApp

APP = next(
    manifest.app
    for manifest, app in registry.load()
    if not hasattr(app, "create_many") and not hasattr(app, "update_many")
)
"""An app without batches; any of them will do."""
GOOD = (registry.APPS / APP / "manifest.toml").read_text()


def folder(root: Path, name: str, manifest: str) -> None:
    (root / name).mkdir()
    (root / name / "manifest.toml").write_text(manifest)


def test_every_app_of_the_catalogue_loads():
    found = [entry.manifest.app for entry in registry.load()]
    folders = {path.parent.name for path in registry.APPS.glob("[!_]*/manifest.toml")}
    assert set(found) == folders
    assert found
    names = [entry.manifest.name.lower() for entry in registry.load()]
    assert names == sorted(names)


def test_a_broken_app_is_left_out(tmp_path):
    folder(tmp_path, APP, GOOD)
    folder(tmp_path, "nonsense", "app = [")
    folder(tmp_path, "unknown_key", GOOD + '\nsurprise = "x"\n')
    folder(tmp_path, "another_name", GOOD)
    folder(tmp_path, "_template", GOOD)
    folder(tmp_path, "no_code", GOOD.replace(f'"{APP}"', '"no_code"'))
    found = registry.load(tmp_path)
    assert [entry.manifest.app for entry in found] == [APP]
    assert found.entry(APP).manifest == registry.load().entry(APP).manifest
    with pytest.raises(UnknownApp):
        found.entry(AppId("no_code"))


@pytest.mark.parametrize("claim", ["create_batch", "update_batch"])
def test_an_app_that_claims_batches_and_has_none_is_left_out(tmp_path, claim):
    claiming = GOOD.replace("[capabilities]", f"[capabilities]\n{claim} = 2")
    folder(tmp_path, APP, claiming)
    assert list(registry.load(tmp_path)) == []
