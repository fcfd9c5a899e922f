"""Where canaries belong: the whole list. Whatever is not here may hold none.

A table or a message that is new is found, and fails until somebody has decided.
"""

from collections.abc import Mapping
from typing import Final

from proto.subjects import SERVICES
from tests.security.canaries.words import CONTACT, PERSON, RECORD_ID

NOTHING: Final = frozenset[str]()
_IDS: Final = frozenset({RECORD_ID})
_CONTACTS: Final = frozenset({CONTACT, RECORD_ID})
_PEOPLE: Final = frozenset({PERSON})
_OF_EACH: Final = {
    # What is under way between services, and what an operator has to look at.
    "outbox": _CONTACTS,
    "dead_letters": _CONTACTS,
    "inbox": NOTHING,
    "attempts": NOTHING,
    "migrations": NOTHING,
}
_TABLES: Final = {
    "api.api_keys": NOTHING,
    "api.audit_entries": NOTHING,
    "api.audit_heads": NOTHING,
    "api.authorisations": NOTHING,
    "api.enrolments": NOTHING,
    "api.guesses": NOTHING,
    "api.half_sessions": NOTHING,
    "api.identities": NOTHING,
    "api.invitations": _PEOPLE,
    "api.oidc_sign_ins": NOTHING,
    "api.password_resets": NOTHING,
    "api.people": _PEOPLE,
    "api.recovery_codes": NOTHING,
    "api.second_factors": NOTHING,
    "api.sessions": NOTHING,
    "api.tenants": NOTHING,
    "auth.accounts": NOTHING,
    "auth.app_clients": NOTHING,
    "auth.authorisations": NOTHING,
    "auth.credentials": NOTHING,
    "connector.accounts": NOTHING,
    "connector.shared_limits": NOTHING,
    "connector.wanted_reads": _IDS,
    "connector.writes": _CONTACTS,
    "reconciler.accounts": NOTHING,
    "reconciler.connections": NOTHING,
    "reconciler.dirty": _IDS,
    "reconciler.emails": _CONTACTS,
    "reconciler.erasures": NOTHING,
    "reconciler.intents": _CONTACTS,
    "reconciler.links": _CONTACTS,
    "reconciler.losses": _CONTACTS,
    "reconciler.observations": _CONTACTS,
    "reconciler.scan_parts": NOTHING,
    "reconciler.scans": NOTHING,
    "reconciler.suppressions": NOTHING,
}
TABLES: Final[Mapping[str, frozenset[str]]] = {
    **_TABLES,
    **{f"{s}.{name}": held for s in SERVICES for name, held in _OF_EACH.items()},
}
"""No secret is in any: what auth and the api seal is not readable there."""

MESSAGES: Final[Mapping[str, frozenset[str]]] = {
    # Between reading, planning and writing: in memory, for an hour at most.
    "evt.connector.contacts_observed.v1": _CONTACTS,
    "evt.connector.contacts_written.v1": _CONTACTS,
    "job.connector.write_contacts.v1": _CONTACTS,
    "job.connector.read_records.v1": _IDS,
    # Shown to a person who may see it.
    "answer to cmd.reconciler.list_records.v1": _CONTACTS,
    # On their way to auth, which seals them.
    "cmd.auth.set_app_client.v1": frozenset({"client_secret"}),
    "cmd.auth.add_account.v1": frozenset({"password"}),
    "cmd.auth.begin_authorisation.v1": frozenset({"browser"}),
    "answer to cmd.auth.begin_authorisation.v1": frozenset({"state"}),
    "cmd.auth.complete_authorisation.v1": frozenset({"state", "browser", "code"}),
    # From auth to the connector, which keeps them in memory alone.
    "answer to cmd.auth.issue_token.v1": frozenset({"password", "access_token"}),
}
"""By subject without ids. None of them is public, and none with a secret is in a
stream: commands are not stored."""

FILES: Final = _CONTACTS | _PEOPLE
"""What Postgres' own files may hold: nothing of them is encrypted by us but secrets."""


def of_message(subject: str) -> frozenset[str]:
    """Return what a message may hold."""
    prefix = "answer to " if subject.startswith("answer to ") else ""
    base = ".".join(subject.removeprefix(prefix).split(".")[:4])
    return MESSAGES.get(prefix + base, NOTHING)
