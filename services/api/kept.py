"""How long the api keeps the rows of each of its tables."""

import datetime
from typing import Final

from services.chassis.retention import Data, Kept

AUTHORISATIONS: Final = datetime.timedelta(days=1)
"""How long after its expiry an authorisation can still be asked about."""
INVITATIONS: Final = datetime.timedelta(days=30)
"""How long after its end an invitation is listed; it has somebody's address."""

_TENANT: Final = "as long as the tenant"

KEPT: Final = (
    Kept(table="tenants", data=Data.SETTINGS, how_long=_TENANT, by=()),
    Kept(table="api_keys", data=Data.SECRETS, how_long=_TENANT, by=()),
    Kept(
        table="audit_entries",
        data=Data.MEMBERS,
        how_long=f"{_TENANT}: a chain that is cut proves nothing",
        by=(),
    ),
    Kept(table="audit_heads", data=Data.OPERATION, how_long=_TENANT, by=()),
    Kept(
        table="authorisations",
        data=Data.SECRETS,
        how_long="1 day after it expires",
        by=("forget_authorisations",),
    ),
    Kept(
        table="people",
        data=Data.MEMBERS,
        how_long="until they are removed",
        by=("remove_person",),
    ),
    Kept(
        table="sessions",
        data=Data.MEMBERS,
        how_long="until it expires, 7 days at most",
        by=("forget_sessions", "end_session", "end_sessions"),
    ),
    Kept(
        table="invitations",
        data=Data.MEMBERS,
        how_long="30 days after its end",
        by=("forget_invitations",),
    ),
    Kept(
        table="password_resets",
        data=Data.SECRETS,
        how_long="until it is used or expires, 4 hours",
        by=("forget_resets", "take_reset", "drop_reset"),
    ),
    Kept(
        table="second_factors",
        data=Data.SECRETS,
        how_long="until it is removed, or as long as its person",
        by=("remove_factor", "ON DELETE CASCADE"),
    ),
    Kept(
        table="recovery_codes",
        data=Data.SECRETS,
        how_long="until it is used, or as long as its second factor",
        by=("take_recovery_code", "drop_recovery_codes", "ON DELETE CASCADE"),
    ),
    Kept(
        table="enrolments",
        data=Data.SECRETS,
        how_long="until it is confirmed or expires, 10 minutes",
        by=("forget_enrolments", "take_enrolment", "drop_enrolment"),
    ),
    Kept(
        table="half_sessions",
        data=Data.MEMBERS,
        how_long="until it becomes a session or expires, 10 minutes",
        by=("forget_half_sessions", "take_half_session", "end_half_sessions"),
    ),
    Kept(
        table="identities",
        data=Data.MEMBERS,
        how_long="as long as their person",
        by=("ON DELETE CASCADE",),
    ),
    Kept(
        table="guesses",
        data=Data.TRACES,
        how_long="until its window ends, an hour at most",
        by=("forget_guesses",),
    ),
    Kept(
        table="oidc_sign_ins",
        data=Data.OPERATION,
        how_long="until it expires, 10 minutes",
        by=("forget_oidc_sign_ins",),
    ),
)
