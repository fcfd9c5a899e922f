"""Apps are found by their folder, and a broken one takes nobody else down."""

from pathlib import Path

import pytest

from proto.ids import AppId
from services.connector import registry
from services.connector.errors import UnknownApp

GOOD = (registry.APPS / "constant_contact" / "manifest.toml").read_text()


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
    folder(tmp_path, "constant_contact", GOOD)
    folder(tmp_path, "nonsense", "app = [")
    folder(tmp_path, "unknown_key", GOOD + '\nsurprise = "x"\n')
    folder(tmp_path, "another_name", GOOD)
    folder(tmp_path, "_template", GOOD)
    folder(tmp_path, "no_code", GOOD.replace('"constant_contact"', '"no_code"'))
    found = registry.load(tmp_path)
    assert [entry.manifest.app for entry in found] == ["constant_contact"]
    assert found.entry(AppId("constant_contact")).manifest.name == "Constant Contact"
    with pytest.raises(UnknownApp):
        found.entry(AppId("no_code"))


@pytest.mark.parametrize("claim", ["create_batch", "update_batch"])
def test_an_app_that_claims_batches_and_has_none_is_left_out(tmp_path, claim):
    claiming = GOOD.replace("get_batch = 1", f"get_batch = 1\n{claim} = 2")
    folder(tmp_path, "constant_contact", claiming)
    assert list(registry.load(tmp_path)) == []
