"""HubSpot's fixtures as answers, shared by the tests of its operations."""

from proto.ids import FieldId, RecordId
from services.connector.apps.hubspot.app import App
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, drive
from tests.contract.hubspot_account import FOLDER

NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
NOW_MS = 1_770_811_200_000
ZOE = RecordId("30151")
JOB = FieldId("jobtitle")
shown = Fixtures(FOLDER, headers=NOW)


def app_that_knows_its_account(*, lists: str) -> App:
    """Return an app that has read the account's properties, and these lists."""
    app: App = emulated_account.new_app("hubspot")
    drive(app.describe_fields(), [shown("properties")])
    drive(app.list_containers(), [shown(lists)])
    return app
