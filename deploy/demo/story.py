"""What the demo does, step by step, and the figures it ends with."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.demo import agreement
from deploy.demo.agreement import Agreement
from deploy.demo.browser import Browser
from deploy.demo.people import Crowd
from deploy.demo.rest import Tandem
from deploy.demo.vendors import CardDav, ConstantContact

SYNC_TIMEOUT_S: Final = 600.0
EDIT_TIMEOUT_S: Final = 60.0


class ItWentWrong(Exception):
    """The demo did not show what it is there to show."""


@dataclass(kw_only=True)
class Outcome:
    """The figures of the last table."""

    status: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    """Made during the first sync, by app."""
    agreement: Agreement | None = None


async def _count_nothing() -> dict[str, int]:
    return {}


@dataclass(kw_only=True)
class Story:
    """One run of the demo against a running installation."""

    tandem: Tandem
    left: ConstantContact
    right: CardDav
    crowd: Crowd
    client: dict[str, str]
    """The client id and secret, and the emulator's addresses."""
    card_login: dict[str, str]
    say: Callable[[str], None]
    watch: Callable[[dict[str, Any]], None]
    count_calls: Callable[[], Awaitable[dict[str, int]]] = _count_nothing
    """How many calls Tandem has made to each app so far."""
    outcome: Outcome = field(default_factory=Outcome)
    connection_id: str = ""

    async def run(self) -> Outcome:
        """Tell the whole story."""
        await self.fill()
        await self.connect()
        await self.first_sync()
        await self.edit_both_sides()
        await self.delete_on_both_sides()
        self.outcome.agreement = await agreement.compare(self.left, self.right)
        return self.outcome

    async def fill(self) -> None:
        """Fill both apps."""
        self.say(
            f"Filling Constant Contact with {len(self.crowd.left)} and the address book"
            f" with {len(self.crowd.right)} people, {self.crowd.shared_count} of them"
            " the same."
        )
        await self.left.fill(self.crowd.left)
        await self.right.make_book()
        await self.right.fill(self.crowd.right)

    async def connect(self) -> None:
        """Authorise both accounts and connect them."""
        self.say("Authorising Constant Contact as a person does, in a browser.")
        await self.tandem.call(
            "PUT", "/v1/apps/constant_contact/client", body=self.client
        )
        begun = await self.tandem.call(
            "POST", "/v1/accounts/authorisations", body={"app": "constant_contact"}
        )
        async with Browser() as browser:
            await browser.agree(begun["authorise_url"])
        self.say("Adding the address book with user name and password.")
        await self.tandem.call(
            "POST", "/v1/accounts", body={"app": "carddav", **self.card_login}
        )
        accounts = await self.tandem.pages("/v1/accounts")
        by_app = {account["app"]: account["account_id"] for account in accounts}
        connection = await self.tandem.call(
            "POST",
            "/v1/connections",
            body={
                "name": "Newsletter and address book",
                "left": {"account_id": by_app["constant_contact"]},
                "right": {"account_id": by_app["carddav"]},
                "winner": "left",
            },
        )
        self.connection_id = connection["connection_id"]
        fields = ", ".join(m["label"] for m in connection["mappings"])
        self.say(f"Connected. Mapped fields: {fields}.")

    async def first_sync(self) -> None:
        """Start, and watch until it is live."""
        self.say("First sync:")
        began, before = time.monotonic(), await self.count_calls()
        await self.tandem.call("POST", f"/v1/connections/{self.connection_id}/start")
        self.outcome.status = await self.tandem.until(
            self.connection_id,
            state="live",
            timeout_s=SYNC_TIMEOUT_S,
            watch=self.watch,
        )
        self.outcome.seconds["first sync"] = time.monotonic() - began
        after = await self.count_calls()
        self.outcome.calls = {app: after[app] - before.get(app, 0) for app in after}

    async def edit_both_sides(self) -> None:
        """Edit one contact on each side and wait for it to arrive on the other."""
        shared = [p for p in self.crowd.left if p.emails]
        first, second = shared[0], shared[1]
        self.say(f"{first.emails[0]} gets another job title in Constant Contact…")
        began = time.monotonic()
        changes = {"job_title": "Chief Demonstrator"}
        await self.left.act(
            {"act": "edit", "email": first.emails[0], "changes": changes}
        )
        await self._arrives(
            "left to right", lambda: self._card_says(first.emails[0], "Chief Demo")
        )
        self.say(f"  …and has it in the address book {_since(began)} later.")
        self.say(f"{second.emails[0]} moves to another company in the address book…")
        began = time.monotonic()
        await self._edit_card(second.emails[0], start="ORG:", value="Neue Firma AG")
        await self._arrives(
            "right to left",
            lambda: self._contact_says(
                second.emails[0], name="company_name", text="Neue Firma"
            ),
        )
        self.say(f"  …and has it in Constant Contact {_since(began)} later.")

    async def delete_on_both_sides(self) -> None:
        """Delete one contact on each side; the other side keeps it."""
        shared = [p for p in self.crowd.left[: self.crowd.shared_count] if p.emails]
        gone_left, gone_right = shared[2].emails[0], shared[3].emails[0]
        self.say(f"Deleting {gone_left} in Constant Contact,")
        self.say(f"and {gone_right} in the address book.")
        await self.left.act({"act": "delete", "email": gone_left})
        found = await self.right.card_of(gone_right)
        if found is None:
            raise ItWentWrong(f"{gone_right} has no card")
        await self.right.delete(found[0])
        await self._arrives("deletions", lambda: self._has_deleted(2))
        if await self.right.card_of(gone_left) is None:
            raise ItWentWrong(f"{gone_left} was deleted in the address book too")
        if not await self._contact_says(gone_right, name="contact_id", text=""):
            raise ItWentWrong(f"{gone_right} was deleted in Constant Contact too")
        self.say("  Both are kept on the other side, and no longer synced.")
        # What is deleted on one side is left out of the last comparison: the person
        # puts it right again on both sides.
        await self.left.act({"act": "delete", "email": gone_right})
        await self.right.delete((await self.right.card_of(gone_left) or ("", ""))[0])

    async def _arrives(self, what: str, is_there: Callable[[], Any]) -> None:
        began = time.monotonic()
        await self.tandem.call("POST", f"/v1/connections/{self.connection_id}/sync")
        while not await is_there():
            if time.monotonic() - began > EDIT_TIMEOUT_S:
                raise ItWentWrong(f"{what}: not there after {EDIT_TIMEOUT_S:g} s")
            await self.tandem.until(
                self.connection_id, state="live", timeout_s=EDIT_TIMEOUT_S
            )
        self.outcome.seconds[what] = time.monotonic() - began

    async def _card_says(self, email: str, text: str) -> bool:
        found = await self.right.card_of(email)
        return found is not None and text in found[1]

    async def _contact_says(self, email: str, *, name: str, text: str) -> bool:
        return any(
            text in str(contact.get(name, ""))
            for contact in await self.left.contacts()
            if contact.get("email_address", {}).get("address", "").lower()
            == email.lower()
            and not contact.get("deleted_at")
        )

    async def _edit_card(self, email: str, *, start: str, value: str) -> None:
        found = await self.right.card_of(email)
        if found is None:
            raise ItWentWrong(f"{email} has no card")
        path, card = found
        lines = [line for line in card.splitlines() if not line.startswith(start)]
        lines.insert(-1, start + value)
        await self.right.put(path, "\r\n".join([*lines, ""]))

    async def _has_deleted(self, count: int) -> bool:
        path = f"/v1/connections/{self.connection_id}/status"
        status = await self.tandem.call("GET", path)
        return int(status["counts"].get("deleted", 0)) >= count


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
