"""The committed NATS permissions say what the messages in `proto` say."""

import pytest

from deploy.nats import permissions
from proto.base import Command
from proto.subjects import (
    SERVICES,
    all_messages,
    filter_subject,
    publishers_of,
    receivers_of,
)


def test_the_committed_file_is_what_proto_says():
    """Run `python -m deploy.nats` after a change of messages."""
    assert permissions.PATH.read_text() == permissions.render()


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_is_allowed_everything(service: str):
    """No entry starts with a wildcard; a tail is open only below an own name."""
    allowed = permissions.of_service(service)
    for subject in (*allowed.publish, *allowed.subscribe):
        assert not subject.startswith((">", "*"))
        if subject.endswith(">"):
            assert subject.startswith(("$JS.ACK.", f"_INBOX_{service}."))


def test_secrets_travel_between_auth_and_the_connector_alone():
    """Only the connector may ask for a token, and only auth may hear it ask."""
    issue_token = next(c for c in all_messages() if c.__name__ == "IssueToken")
    subject = filter_subject(issue_token)
    lists = {service: permissions.of_service(service) for service in SERVICES}
    asking = {s for s, allowed in lists.items() if subject in allowed.publish}
    hearing = {
        s for s, allowed in lists.items() if f"{subject} {s}" in allowed.subscribe
    }
    assert asking == {"connector"}
    assert hearing == {"auth"}


def test_every_receiver_may_confirm_to_every_sender():
    """A receipt that cannot be sent would make its sender repeat for ever."""
    for message_class in all_messages():
        if issubclass(message_class, Command):
            continue
        for receiver in receivers_of(message_class):
            allowed = permissions.of_service(receiver)
            for sender in publishers_of(message_class):
                assert f"rcpt.{sender}" in allowed.publish
                heard = permissions.of_service(sender).subscribe
                assert f"rcpt.{sender} {sender}" in heard
