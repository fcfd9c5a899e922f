"""What Mailchimp pushes: forms, one for each change by people; nothing signs them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.hooks import Hook, Request
from tests.emulators.mailchimp.account import Account
from tests.emulators.mailchimp.wire import Member

Form = dict[str, str]
SUBSCRIBED: Final = "subscribed"
LEFT: Final = {
    "unsubscribed": {"type": "unsubscribe", "data[action]": "unsub"},
    "archive": {"type": "unsubscribe", "data[action]": "delete"},
    "forget": {"type": "unsubscribe", "data[action]": "delete"},
    "cleaned": {"type": "cleaned", "data[reason]": "hard"},
}


class Hooks(hooks.Hooks):
    """Tells of all audiences of an account, but not of what applications do."""

    asks_by_get = True

    def is_told(self, line: JournalLine) -> bool:
        """Tell whether a person did it, as addresses are entered here."""
        return line.who == "user"

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return the forms; of tags, and of who is not subscribed, nothing is told."""
        list_id, _, contact_id = str(line.contact_id).partition("/")
        member = account.audiences[list_id].members[contact_id]
        told = {"fired_at": line.at.replace("T", " ").rstrip("Z")} | _told(member)
        match line.operation:
            case "create" | "bring_back" if member.status == SUBSCRIBED:
                return [{"type": "subscribe"} | told]
            case "edit":
                return [form | told for form in _edited(member, line)]
            case "unsubscribed" | "archive" | "forget" | "cleaned":
                return [LEFT[line.operation] | told]
        return []

    def request(self, _hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push, which proves nothing."""
        (form,) = events
        kind = "application/x-www-form-urlencoded"
        return Request(urlencode(form).encode(), {"Content-Type": kind})


def _edited(member: Member, line: JournalLine) -> Iterable[Form]:
    fields = set(line.fields)
    if "email_address" in fields:
        yield {"type": "upemail", "data[new_email]": member.email_address}
    if "status" in fields and member.status in LEFT:
        yield LEFT[member.status]
    if fields - {"email_address", "status"}:
        yield {"type": "profile"}


def _told(member: Member) -> Form:
    """Return a member as forms have them."""
    found = {
        "data[id]": member.hash[:10],
        "data[list_id]": member.list_id,
        "data[email]": member.email_address,
        "data[email_type]": "html",
        "data[merges][EMAIL]": member.email_address,
    }
    for tag, value in member.merge_fields.items():
        if isinstance(value, Mapping):
            for part, text in value.items():
                found[f"data[merges][{tag}][{part}]"] = str(text)
        else:
            found[f"data[merges][{tag}]"] = str(value)
    return found
