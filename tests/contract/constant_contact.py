"""Constant Contact's fixtures as answers, shared by the tests of its operations."""

import json

from proto.ids import RecordId
from services.connector.apps.constant_contact.app import App
from services.connector.port import Call, Snapshot
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, drive

FOLDER = emulated_account.folder_of("constant_contact")
NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
fixture = shown.body
SINCE = "2026-02-11T11:59:00.000Z"
"""The overlap before ``NOW``."""

ZOE = RecordId("5a0f6e3c-2d41-4b7a-9c55-0d1e2f3a4b5c")


def new_app() -> App:
    app: App = emulated_account.new_app("constant_contact")
    return app


def app_that_knows_its_account() -> App:
    """Return an app that has read custom fields and tags already."""
    app = new_app()
    drive(app.describe_fields(), [shown("custom_fields")])
    drive(app.get([ZOE]), [shown("contact_full"), shown("tags")])
    return app


def read(app: App, name: str = "contact_full") -> Snapshot:
    record_id = json.loads(fixture(name))["contact_id"]
    (snapshot,), _ = drive(app.get([record_id]), [shown(name)])
    return snapshot


def sent(call: Call) -> dict:
    assert call.body is not None
    return json.loads(call.body)
