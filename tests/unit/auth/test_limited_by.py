"""What tells clients apart to whoever counts their calls."""

import msgspec
import pytest

from services.auth.oauth import Registration

OURS = Registration(
    client_id="client",
    client_secret="secret",
    client_auth="basic",
    authorise_url="https://app.example/authorise",
    token_url="https://app.example/token",
    api_url="",
    scopes=("read",),
    issuer="",
    sends_issuer=False,
)


@pytest.mark.parametrize("field", ["client_id", "token_url", "api_url"])
def test_another_client_or_another_server_is_limited_apart(field):
    """A server of one's own vouches for any client's name, and must share nothing."""
    other = msgspec.structs.replace(OURS, **{field: "https://other.example"})
    assert other.limited_by != OURS.limited_by


def test_a_new_secret_is_the_same_client_and_nothing_is_told_of_either():
    other = msgspec.structs.replace(OURS, client_secret="another", scopes=())
    assert other.limited_by == OURS.limited_by
    assert not {OURS.client_id, OURS.client_secret} & {OURS.limited_by}
    assert "client" not in OURS.limited_by
