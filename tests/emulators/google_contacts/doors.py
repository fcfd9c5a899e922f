"""The authorize and token endpoints, as far as they are this vendor's own.

A refresh token comes only with `access_type=offline`, and for who agreed before only
with `prompt=consent`, too. People may agree to some of the scopes and not to others.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from tests.emulators.core.access import Access
from tests.emulators.core.http import Call, Reply, Router

OFFLINE = "(offline)"
"""Stands among the granted scopes for a refresh token, and is told to nobody."""


class Doors:
    """Let people in, and send them back."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._agreed: set[tuple[str, str]] = set()

    def register(self, router: Router, *, authorize: str, token: str) -> None:
        """Take the place of the endpoints that all vendors have."""
        router.add("POST", authorize, self.decide)
        router.add("POST", token, self.give_tokens)

    def decide(self, call: Call) -> Reply:
        """Take a decision, with the scopes that were ticked (`granted`)."""
        fields = call.form()
        scopes = fields.get("scope", "").split()
        if "granted" in fields:
            scopes = [one for one in scopes if one in fields["granted"].split()]
        if not scopes:
            fields["decision"] = "deny"
        who = (fields.get("client_id", ""), fields.get("account_id", ""))
        is_asked_anew = "consent" in fields.get("prompt", "").split()
        if fields.get("access_type") == "offline" and (
            is_asked_anew or who not in self._agreed
        ):
            scopes.append(OFFLINE)
        if fields.get("decision") == "approve":
            self._agreed.add(who)
        fields["scope"] = " ".join(scopes)
        return self._access.decide(_with_form(call, fields))

    def give_tokens(self, call: Call) -> Reply:
        """Exchange a code or renew; scopes are told without our own sign."""
        reply = self._access.give_tokens(call)
        body = msgspec.json.decode(reply.body)
        if "scope" in body:
            told = [one for one in body["scope"].split() if one != OFFLINE]
            body["scope"] = " ".join(told)
        return reply._replace(body=msgspec.json.encode(body))


def _with_form(call: Call, fields: Mapping[str, str]) -> Call:
    return Call(
        method=call.method,
        target=call.path,
        headers=call.headers,
        body=urlencode(fields).encode(),
    )
