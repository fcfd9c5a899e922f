"""Runs an app's operations against a vendor at once, without loop, bus or weather.

For tests of the vendors and the app alone; in the simulation the connector's own
transport drives.
"""

import itertools
from collections.abc import Iterator
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlencode

from services.connector.errors import CallFailed
from services.connector.port import Answer, Call, Facts, Operation
from tests.simulation.ledger import Ledger
from tests.simulation.vendors import catalogue
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.book import Book
from tests.simulation.vendors.messages import Request
from tests.simulation.vendors.oauth import REDIRECT_URI
from tests.simulation.vendors.ways import Ways

T = TypeVar("T")

ACCOUNT: Final = "acme"
CLIENT: Final = ("client-1", "secret-1")
VERIFIER: Final = "v" * 43
CHALLENGE: Final = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"


class Driver:
    """One vendor with one account, and an app that talks to it."""

    def __init__(self, ways: Ways, *, start: float = 1_767_225_600.0) -> None:
        self.time = start
        self.ledger = Ledger()
        self.vendor = Vendor(ways, ledger=self.ledger, now=lambda: self.time)
        self.book: Book = self.vendor.open_book(ACCOUNT)
        self.entry = catalogue.entry(self.vendor)
        self.app = self.entry.app_class(
            self.entry.manifest, Facts(base_url=self.entry.manifest.base_url)
        )
        self.vendor.oauth.clients[CLIENT[0]] = CLIENT[1]
        self.token = ""

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

    def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end."""
        try:
            call = next(operation)
            while True:
                answer = self.answer(call)
                if answer.status in call.accepts:
                    call = operation.send(answer)
                else:
                    call = operation.throw(self.app.meaning_of(answer))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def answer(self, call: Call) -> Answer:
        """Make one call."""
        headers = {name.lower(): value for name, value in call.headers}
        headers["authorization"] = f"Bearer {self.token}"
        response = self.vendor.handle(
            Request(
                method=call.method,
                path="/api" + call.path,
                query=parse_qs(urlencode(call.query)),
                headers=headers,
                body=call.body or b"",
                sent_at=self.time,
            )
        )
        return Answer(
            status=response.status,
            headers={k.lower(): v for k, v in response.headers.items()},
            body=response.body,
        )

    def pages(self, cursor: str | None = None) -> Iterator:
        """Yield the pages of a scan, or of what changed since a cursor."""
        is_scan = cursor is None
        for _ in itertools.count():
            page = self.run(
                self.app.scan(cursor) if is_scan else self.app.changes(cursor)
            )
            yield page
            if page.next is None:
                return
            cursor = page.next

    def authorise(self) -> str:
        """Take a code and return the tokens that it gives, as JSON."""
        url = "https://x.example/?" + urlencode(
            {
                "client_id": CLIENT[0],
                "redirect_uri": REDIRECT_URI,
                "state": "s",
                "code_challenge": CHALLENGE,
                "code_challenge_method": "S256",
            }
        )
        _, code = self.vendor.oauth.authorise(url, ACCOUNT, now=self.time)
        return self.post_token(
            grant_type="authorization_code",
            code=code,
            code_verifier=VERIFIER,
            redirect_uri=REDIRECT_URI,
        )

    def post_token(self, **form: str):
        """Call the token endpoint."""
        form = {"client_id": CLIENT[0], "client_secret": CLIENT[1], **form}
        return self.vendor.handle(
            Request(method="POST", path="/oauth/token", form=form, sent_at=self.time)
        )


__all__ = ["ACCOUNT", "CallFailed", "Driver"]
