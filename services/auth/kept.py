"""How long auth keeps the rows of each of its tables."""

from typing import Final

from services.chassis.retention import Data, Kept

KEPT: Final = (
    Kept(
        table="app_clients",
        data=Data.SECRETS,
        how_long="as long as the tenant, or until replaced",
        by=(),
    ),
    Kept(
        table="authorisations",
        data=Data.SECRETS,
        how_long="until it expires, 10 minutes",
        by=("drop_stale",),
    ),
    Kept(
        table="accounts",
        data=Data.SETTINGS,
        how_long="until it is removed",
        by=("remove_account", "drop_pending"),
    ),
    Kept(
        table="credentials",
        data=Data.SECRETS,
        how_long="as long as its account",
        by=("ON DELETE CASCADE",),
    ),
)
