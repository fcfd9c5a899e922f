"""What is wrong with a client is read from answers beside those to wrong controls."""

import pytest

from proto.auth import ClientPart, Verdict
from services.auth import verdicts
from services.auth.oauth import NoGrant, TokenGrant, Why
from services.auth.verdicts import Look, Looks, Seen, Sight

CALLBACK = "https://us.example/oauth/callback/mail"
SCOPES = ("contact_data", "offline_access")
CODE_REFUSED = NoGrant(why=Why.REFUSED, reason="invalid_grant")
CLIENT_REFUSED = NoGrant(why=Why.CLIENT_REFUSED, reason="invalid_client")
AWAY = NoGrant(why=Why.NOT_TAKEN, reason="status 502")
SHOWN = Look(sight=Sight.SHOWN)
REFUSED = Look(sight=Sight.REFUSED)
ACCEPTED, WRONG, UNKNOWN = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.UNKNOWN


def back(error: str) -> Look:
    return Look(sight=Sight.SENT_BACK, error=error)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, verdicts.NOTHING),
        (Seen(status=200), SHOWN),
        (Seen(status=302, location="https://app.example/login?x=1"), SHOWN),
        (Seen(status=303, location="/interaction/fhj39Hf"), SHOWN),
        (
            Seen(status=302, location=f"{CALLBACK}?error=invalid_scope&state=s"),
            back("invalid_scope"),
        ),
        (Seen(status=302, location=f"{CALLBACK}?code=c"), back("")),
        # A page of ours at another path is not where it was to be sent back.
        (Seen(status=302, location=f"{CALLBACK}/more?error=invalid_scope"), SHOWN),
        (
            Seen(status=302, location="https://app.example/signin/oauth/error?e=x"),
            REFUSED,
        ),
        (Seen(status=302, location="https://[broken"), verdicts.NOTHING),
        (Seen(status=400), REFUSED),
        (Seen(status=401), REFUSED),
        (Seen(status=404), REFUSED),
        (Seen(status=403), verdicts.NOTHING),
        (Seen(status=429), verdicts.NOTHING),
        (Seen(status=503), verdicts.NOTHING),
        (Seen(status=304), verdicts.NOTHING),
    ],
)
def test_a_page_is_seen_for_what_it_is(seen: Seen | None, expected: Look) -> None:
    assert verdicts.look(seen, redirect_uri=CALLBACK) == expected


def judged(
    *,
    ours: TokenGrant | NoGrant = CODE_REFUSED,
    control: TokenGrant | NoGrant = CLIENT_REFUSED,
    page: Look = SHOWN,
    other_redirect: Look = REFUSED,
    other_scope: Look | None = None,
    scopes: tuple[str, ...] = SCOPES,
) -> dict[ClientPart, Verdict]:
    findings = verdicts.judge(
        ours=ours,
        control=control,
        looks=Looks(
            ours=page,
            other_redirect=other_redirect,
            other_scope=other_scope or back("invalid_scope"),
        ),
        redirect_uri=CALLBACK,
        scopes=scopes,
    )
    for finding in findings:
        assert (finding.detail == "") is (finding.verdict is ACCEPTED)
    return {finding.part: finding.verdict for finding in findings}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (ACCEPTED, ACCEPTED, ACCEPTED)),
        ({"ours": CLIENT_REFUSED}, (WRONG, ACCEPTED, ACCEPTED)),
        # Who does not know the client shows its error page too: no word on the rest.
        ({"ours": CLIENT_REFUSED, "page": REFUSED}, (WRONG, UNKNOWN, UNKNOWN)),
        ({"page": back("unauthorized_client")}, (WRONG, ACCEPTED, UNKNOWN)),
        ({"page": REFUSED}, (ACCEPTED, WRONG, UNKNOWN)),
        ({"page": back("invalid_scope")}, (ACCEPTED, ACCEPTED, WRONG)),
        ({"page": back("login_required")}, (ACCEPTED, ACCEPTED, UNKNOWN)),
        # Where the wrong control fares no worse, nothing has been looked at.
        ({"control": CODE_REFUSED}, (UNKNOWN, ACCEPTED, ACCEPTED)),
        ({"other_redirect": SHOWN}, (ACCEPTED, UNKNOWN, ACCEPTED)),
        ({"other_redirect": verdicts.NOTHING}, (ACCEPTED, UNKNOWN, ACCEPTED)),
        ({"other_scope": SHOWN}, (ACCEPTED, ACCEPTED, UNKNOWN)),
        ({"other_scope": REFUSED}, (ACCEPTED, ACCEPTED, ACCEPTED)),
        # An app that is away has not spoken.
        ({"ours": AWAY, "control": AWAY}, (UNKNOWN, ACCEPTED, ACCEPTED)),
        ({"control": AWAY}, (UNKNOWN, ACCEPTED, ACCEPTED)),
        ({"page": verdicts.NOTHING}, (ACCEPTED, UNKNOWN, UNKNOWN)),
        ({"ours": TokenGrant(access_token="a")}, (UNKNOWN, ACCEPTED, ACCEPTED)),
    ],
)
def test_each_part_is_judged_by_what_tells_it_apart(
    given: dict[str, Look], expected: tuple[Verdict, ...]
) -> None:
    assert tuple(judged(**given).values()) == expected


def test_scopes_that_are_not_asked_for_are_not_judged() -> None:
    """An app that settles them with the client may well refuse the made-up one."""
    assert judged(scopes=())[ClientPart.SCOPES] is UNKNOWN


def test_what_to_do_is_said() -> None:
    def detail(part: ClientPart, **answers: object) -> str:
        standard = {"ours": CODE_REFUSED, "control": CLIENT_REFUSED}
        looks = {"ours": SHOWN, "other_redirect": REFUSED, "other_scope": SHOWN}
        looks |= {"ours": answers.pop("page", SHOWN)}
        findings = verdicts.judge(
            **{**standard, **answers},
            looks=Looks(**looks),
            redirect_uri=CALLBACK,
            scopes=SCOPES,
        )
        return next(each.detail for each in findings if each.part is part)

    assert "invalid_client" in detail(ClientPart.SECRET, ours=CLIENT_REFUSED)
    assert CALLBACK in detail(ClientPart.REDIRECT_URI, page=REFUSED)
    scopes = detail(ClientPart.SCOPES, page=back("invalid_scope"))
    assert "contact_data offline_access" in scopes
