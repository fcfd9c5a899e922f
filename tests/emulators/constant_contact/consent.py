"""How the permission to send mail moves; pure, each step returns a new address."""

from msgspec.structs import replace

from tests.emulators.constant_contact.problems import invalid
from tests.emulators.constant_contact.wire import EmailAddress, EmailIn

_NOT_OPTED_OUT = {
    "opt_out_source": None,
    "opt_out_date": None,
    "opt_out_reason": None,
}
_CONFIRM_STATUS = {"pending_confirmation": "pending"}


def first(sent: EmailIn, *, source: str, now: str) -> EmailAddress:
    """Return the address of a contact that had none."""
    permission = sent.permission_to_send or "implicit"
    email = EmailAddress(
        address=sent.address,
        permission_to_send=permission,
        created_at=now,
        updated_at=now,
        confirm_status=_CONFIRM_STATUS.get(permission, "off"),
    )
    if permission == "unsubscribed":
        return opted_out(email, source=source, reason=sent.opt_out_reason, now=now)
    if permission in ("explicit", "implicit"):
        return replace(email, opt_in_source=source, opt_in_date=now)
    return email


def overwritten(
    email: EmailAddress, sent: EmailIn, *, source: str, now: str
) -> EmailAddress:
    """Apply what a PUT says of the address; silence about permission keeps it."""
    permission = sent.permission_to_send or email.permission_to_send
    if sent.address.lower() != email.address.lower():
        email = replace(email, created_at=now)
    if sent.address != email.address:
        email = replace(email, address=sent.address, updated_at=now)
    if permission == email.permission_to_send:
        return email
    if permission == "unsubscribed":
        return opted_out(email, source=source, reason=sent.opt_out_reason, now=now)
    if email.opt_out_source == "Contact" and source == "Account":
        raise invalid("A contact who opted out can only be added back by the contact")
    email = replace(
        email,
        permission_to_send=permission,
        updated_at=now,
        confirm_status=_CONFIRM_STATUS.get(permission, "off"),
        **_NOT_OPTED_OUT,
    )
    if permission in ("explicit", "implicit"):
        return replace(email, opt_in_source=source, opt_in_date=now)
    return email


def signed_up(
    email: EmailAddress | None, *, address: str, is_pending: bool, now: str
) -> EmailAddress:
    """Return the address after a sign-up, which overrules an earlier opt-out."""
    return EmailAddress(
        address=address,
        permission_to_send="pending_confirmation" if is_pending else "explicit",
        created_at=now if email is None else email.created_at,
        updated_at=now,
        opt_in_source="Contact",
        opt_in_date=now,
        confirm_status="pending" if is_pending else "off",
    )


def opted_out(
    email: EmailAddress, *, source: str, reason: str | None, now: str
) -> EmailAddress:
    """Return the address after an opt-out."""
    return replace(
        email,
        permission_to_send="unsubscribed",
        updated_at=now,
        opt_out_source=source,
        opt_out_date=now,
        opt_out_reason=reason,
    )


def deleted(email: EmailAddress, *, now: str) -> EmailAddress:
    """Note the deletion at the address; an earlier opt-out is not overwritten."""
    if email.opt_out_date is not None:
        return email
    return replace(email, updated_at=now, opt_out_source="Account", opt_out_date=now)


def revived(email: EmailAddress, *, now: str) -> EmailAddress:
    """Undo the note of a deletion; a person's opt-out outlives it."""
    if email.permission_to_send == "unsubscribed":
        return email
    return replace(email, updated_at=now, **_NOT_OPTED_OUT)
