"""The account summary and the activities: small resources that only are read."""

import datetime

import msgspec

from tests.emulators.constant_contact.account import Account, Activity
from tests.emulators.constant_contact.catalogue import Catalogue, page_of
from tests.emulators.constant_contact.listing import (
    Links,
    Place,
    check_parameters,
    open_place,
)
from tests.emulators.core.clock import stamp
from tests.emulators.core.http import Call, Reply, Router, json_reply

LIMIT_MAX = 500
SHOWN_DAYS = 10
STATES = ("cancelled", "completed", "failed", "processing", "timed_out")
"""Those that can be filtered for: `initialized` is not among them."""


class ActivitiesPage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One page of activities."""

    activities: list[Activity]
    links: Links | None = msgspec.field(default=None, name="_links")


class General(Catalogue):
    """Serve what belongs to an account as a whole."""

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        router.add("GET", "/v3/account/summary", self.summary, scope="account_read")
        router.add("GET", "/v3/activities", self.activities, scope="contact_data")
        router.add(
            "GET", "/v3/activities/{activity_id}", self.activity, scope="contact_data"
        )

    def summary(self, call: Call) -> Reply:
        """Return who the account is; its encoded id never changes."""
        query = call.query()
        check_parameters(query, frozenset({"extra_fields"}))
        place = Place(path=call.path, query=query)
        extras = place.choices("extra_fields", ("physical_address", "company_logo"))
        body = _summary(self._account(call))
        if "physical_address" in extras:
            body["physical_address"] = _ADDRESS
        return json_reply(body)

    def activities(self, call: Call) -> Reply:
        """Return a page of the activities of the last days, oldest first."""
        place = open_place(call, parameters=frozenset({"limit", "state"}))
        limit = place.limit(LIMIT_MAX)
        wanted = place.choice("state", STATES, default="")
        account = self._account(call)
        since_s = account.clock.now() - datetime.timedelta(SHOWN_DAYS).total_seconds()
        found = [
            one
            for one in account.activities.values()
            if one.created_at >= stamp(int(since_s)) and wanted in ("", one.state)
        ]
        shown, links = page_of(found, place, limit=limit, call=call)
        copies = [msgspec.structs.replace(one) for one in shown]
        for one in shown:
            _progress(one, account)
        return json_reply(ActivitiesPage(activities=copies, links=links))

    def activity(self, call: Call) -> Reply:
        """Return how far an activity is.

        What is done at once is told a step further at each look.
        """
        account = self._account(call)
        activity = self._item(call, account.activities)
        shown = msgspec.structs.replace(activity)
        _progress(activity, account)
        return json_reply(shown)


_ADDRESS = {
    "address_line1": "12 Harbour Street",
    "city": "Boston",
    "state_code": "MA",
    "postal_code": "02110",
    "country_code": "US",
}


def _summary(account: Account) -> dict[str, object]:
    slug = account.account_id
    return {
        "contact_email": f"owner-{slug}@example.com",
        "contact_phone": "6175550100",
        "country_code": "US",
        "encoded_account_id": account.account_id,
        "first_name": "Robin",
        "last_name": "Owner",
        "organization_name": account.name,
        "organization_phone": "617-555-0100",
        "state_code": "MA",
        "time_zone_id": "US/Eastern",
        "website": f"https://{slug}.example.com",
    }


def _progress(activity: Activity, account: Account) -> None:
    if activity.status is not None:
        # An import: it goes by the clock.
        return
    if activity.state == "initialized":
        activity.state, activity.percent_done = "processing", 50
    elif activity.state == "processing":
        activity.state, activity.percent_done = "completed", 100
    activity.updated_at = account.clock.stamp()
