"""What no call of ours may ever do: tenants, tokens, other accounts, the pace."""

import bisect
from collections.abc import Iterable, Iterator
from typing import Final

from tests.simulation import taint
from tests.simulation.errands import WRONG
from tests.simulation.invariants.truth import Truth, Wrong
from tests.simulation.ledger import Place
from tests.simulation.vendors.messages import Request
from tests.simulation.vendors.oauth import OAuth
from tests.simulation.vendors.session import TokenCall

USES_MAX: Final = 2
"""A refresh token is used once, and once more if that came to nothing (4.8)."""
WINDOW_S: Final = 1.0
IDENTITY_PATH: Final = "/api/me"
WAITED_FOR: Final = (IDENTITY_PATH, "/api/lists")
SECRETS: Final = (b"at-sim_", b"rt-sim_")


def stays_with_its_tenant(
    place: Place, request: Request, truth: Truth
) -> Iterator[Wrong]:
    """I11: nothing of one tenant's people is in a call for another's account."""
    for data in _parts(request):
        for person in sorted(taint.persons_in(data)):
            tenant = truth.people.tenant_of.get(person)
            if all(owned.tenant != tenant for owned, _ in truth.ends_at(place)):
                yield Wrong("I11", f"person {person} of {tenant} in a call for {place}")


def stays_with_its_account(
    place: Place, request: Request, truth: Truth
) -> Iterator[Wrong]:
    """I15: an account that nobody meant to connect is asked who it is, and no more."""
    del truth
    if place.account == WRONG and request.path != IDENTITY_PATH:
        yield Wrong("I15", f"{request.method} {request.path} at {place}")


def keeps_tokens_to_itself(
    place: Place, request: Request, truth: Truth
) -> Iterator[Wrong]:
    """I13: a token is in a header of its own, and nowhere else."""
    del truth
    for data in _parts(request):
        if SECRETS[0] in data or SECRETS[1] in data:
            yield Wrong("I13", f"a token in a call to {place}")


def check(place: Place, request: Request, truth: Truth) -> Iterator[Wrong]:
    """Yield what is wrong with a call to an account."""
    yield from stays_with_its_tenant(place, request, truth)
    yield from stays_with_its_account(place, request, truth)
    yield from keeps_tokens_to_itself(place, request, truth)


def tokens_used_once(oauth: OAuth, *, rotates: bool) -> Iterator[Wrong]:
    """I13: a refresh token that is replaced at each use is used once.

    A vendor that goes on to fail is asked again until it no longer does (hazard 110).
    So a failure counts only where it comes first, and leaves room for one answer.
    """
    if not rotates:
        return
    counts: dict[str, int] = {}
    for each in oauth.presented:
        if not each.has_failed or each.token not in counts:
            counts[each.token] = counts.get(each.token, 0) + 1
    for token, count in counts.items():
        if count > USES_MAX:
            yield Wrong("I13", f"{token} was presented {count} times")


def one_refresh_at_a_time(calls: Iterable[TokenCall]) -> Iterator[Wrong]:
    """I13: nobody refreshes while somebody waits for the same refresh."""
    last: dict[str, TokenCall] = {}
    for call in calls:
        if not call.refresh_token:
            continue
        before = last.get(call.refresh_token)
        if before is not None and (
            before.ended_at is None or call.sent_at < before.ended_at
        ):
            yield Wrong("I13", f"{call.refresh_token} is used twice at once")
        last[call.refresh_token] = call


def keeps_the_pace(sent: Iterable[Request], *, limit: float) -> Iterator[Wrong]:
    """I10: no second holds more calls than the vendor allows.

    Those that a person waits for do not count.
    """
    times = sorted(each.sent_at for each in unasked(sent))
    for number, moment in enumerate(times):
        count = bisect.bisect_left(times, moment + WINDOW_S) - number
        if count > limit:
            yield Wrong("I10", f"{count} calls in a second at {moment:.3f}")
            return


def unasked(sent: Iterable[Request]) -> Iterator[Request]:
    """Yield the calls that no person is waiting for."""
    return (each for each in sent if each.path not in WAITED_FOR)


def rows_of_others(tenant: str, data: Iterable[bytes], truth: Truth) -> Iterator[Wrong]:
    """I11: nothing of one tenant's people is in what is stored for another."""
    for each in data:
        for person in sorted(taint.persons_in(each)):
            owner = truth.people.tenant_of.get(person)
            if owner != tenant:
                yield Wrong("I11", f"person {person} of {owner} in a row of {tenant}")


def _parts(request: Request) -> list[bytes]:
    """Return whatever a call says but its headers, piece by piece."""
    found = [request.path.encode(), request.body]
    for name, values in request.query.items():
        found.append(name.encode())
        found += [value.encode() for value in values]
    return found
