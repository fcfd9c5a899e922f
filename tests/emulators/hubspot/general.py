"""Whose account it is, and the subscriptions of an address, as far as all of them."""

from tests.emulators.core.account import account_of
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import stamp
from tests.emulators.hubspot.writing import Writer

DETAILS = "/account-info/v3/details"
UNSUBSCRIBE = "/communication-preferences/v4/statuses/{subscriberIdString}"
SUBSCRIPTION_ID = 71_042


class General:
    """Serve what is not about contacts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        path = f"{UNSUBSCRIBE}/unsubscribe-all"
        router.add("GET", DETAILS, self.details, scope="oauth")
        scope = "communication_preferences.read_write"
        router.add("POST", path, self.unsubscribe, scope=scope)

    def details(self, call: Call) -> Reply:
        """Return the account."""
        account = account_of(call, self._accounts)
        return json_reply(
            {
                "portalId": account.portal_id,
                "accountType": "STANDARD",
                "timeZone": "Europe/Berlin",
                "companyCurrency": "EUR",
                "additionalCurrencies": [],
                "utcOffset": "+01:00",
                "utcOffsetMilliseconds": 3_600_000,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    def unsubscribe(self, call: Call) -> Reply:
        """Keep an address from all mail, whether a contact has it or not."""
        account = account_of(call, self._accounts)
        if call.query().get("channel") != "EMAIL":
            raise problems.bad("channel has to be EMAIL")
        email, now = call.args[0], stamp(account.now_ms())
        try:
            Writer(account, who="api").unsubscribe(email)
        except problems.Refused as refused:
            return problems.reply_of(refused.fault)
        status = {
            "channel": "EMAIL",
            "source": "API",
            "status": "UNSUBSCRIBED",
            "subscriberIdString": email,
            "subscriptionId": SUBSCRIPTION_ID,
            "timestamp": now,
            "setStatusSuccessReason": "UNSUBSCRIBE_FROM_ALL_OCCURRED",
        }
        return json_reply(
            {
                "status": "COMPLETE",
                "results": [status],
                "startedAt": now,
                "completedAt": now,
            }
        )
