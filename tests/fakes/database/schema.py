"""The services' tables, as their ``schema.sql`` and the chassis's migration say.

Only what makes a difference in memory: columns, keys, defaults, unique indexes, and
indexes for what is asked often.
"""

from typing import Final

from tests.fakes.database.tables import IndexShape, Row, Shape


def _is_pinned(row: Row) -> bool:
    return row["vendor_account_id"] != ""


def _is_open(row: Row) -> bool:
    return row["state"] in ("open", "unknown")


def _is_open_create(row: Row) -> bool:
    return _is_open(row) and row["kind"] == "create"


def _is_looked_for(row: Row) -> bool:
    return row["look_at"] is not None


def _is_asked_again(row: Row) -> bool:
    return row["ask_again_at"] is not None


def _is_tried_again(row: Row) -> bool:
    return row["retry_at"] is not None


def _has_left(row: Row) -> bool:
    return row["left_record_id"] is not None


def _has_right(row: Row) -> bool:
    return row["right_record_id"] is not None


def _is_not_done(row: Row) -> bool:
    return row["done_at"] is None


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split())


OF_ACCOUNT: Final = IndexShape(columns=("account_id", "tenant_id"))
OF_CONNECTION: Final = IndexShape(columns=("connection_id", "tenant_id"))

CHASSIS: Final = {
    "outbox": Shape(
        columns=_columns(
            "tenant_id message_id subject stream payload awaiting tries created_at"
            " next_at"
        ),
        key=("tenant_id", "message_id"),
        defaults={"tries": 0},
    ),
    "inbox": Shape(
        columns=("tenant_id", "message_id", "received_at"),
        key=("tenant_id", "message_id"),
    ),
    "attempts": Shape(
        columns=("tenant_id", "message_id", "begun", "last_at"),
        key=("tenant_id", "message_id"),
    ),
    "dead_letters": Shape(
        columns=_columns(
            "tenant_id message_id subject sender payload reason received_at replay_at"
        ),
        key=("tenant_id", "message_id"),
    ),
}

AUTH: Final = {
    "app_clients": Shape(
        columns=_columns(
            "tenant_id app client_id key_id wrapped_key body authorise_url token_url"
            " api_url updated_at"
        ),
        key=("tenant_id", "app"),
    ),
    "authorisations": Shape(
        columns=_columns(
            "state_hash tenant_id app account_id browser_hash redirect_uri key_id"
            " wrapped_key body expires_at"
        ),
        key=("tenant_id", "state_hash"),
    ),
    "accounts": Shape(
        columns=_columns(
            "tenant_id account_id app state vendor_account_id display_name base_url"
            " origin scopes created_at told_at"
        ),
        key=("tenant_id", "account_id"),
        defaults={
            "vendor_account_id": "",
            "display_name": "",
            "base_url": "",
            "origin": "",
        },
        indexes={
            "accounts_pinned": IndexShape(
                columns=("tenant_id", "app", "origin", "vendor_account_id"),
                where=_is_pinned,
                is_unique=True,
            )
        },
    ),
    "credentials": Shape(
        columns=_columns(
            "tenant_id account_id kind username version key_id wrapped_key body"
            " expires_at renew_at lease_id lease_until uses renewed_at refused_at"
        ),
        key=("tenant_id", "account_id"),
        defaults={"username": "", "uses": 0},
    ),
}

CONNECTOR: Final = {
    "accounts": Shape(
        columns=_columns(
            "tenant_id account_id app is_wanted asked_at is_lost authorised_at"
            " wanted_scan_id done_scan_id scan_id scan_cursor scan_part"
            " scan_page_count scan_record_count scan_expected_count changes_cursor"
            " due_at read_asks interval_s failures error_code error_since"
            " last_read_at write_at write_asks write_failures write_error_code"
            " lease_owner lease_until lease_version calls_day calls_today limited_by"
        ),
        key=("account_id", "tenant_id"),
        defaults={
            "is_wanted": False,
            "is_lost": False,
            "scan_part": 0,
            "scan_page_count": 0,
            "scan_record_count": 0,
            "read_asks": 0,
            "interval_s": 0.0,
            "failures": 0,
            "write_asks": 0,
            "write_failures": 0,
            "lease_owner": "",
            "lease_version": 0,
            "calls_today": 0,
            "limited_by": "",
        },
    ),
    "shared_limits": Shape(
        columns=_columns("limited_by lease_owner lease_until calls_day calls_today"),
        key=("limited_by",),
        defaults={"calls_today": 0},
    ),
    "writes": Shape(
        columns=_columns(
            "tenant_id intent_id account_id connection_id payload state reason"
            " created_at sent_at done_at result is_urgent"
        ),
        key=("intent_id", "tenant_id"),
        defaults={"state": "new", "is_urgent": False},
        indexes={
            "open": IndexShape(columns=("account_id", "tenant_id"), where=_is_not_done)
        },
    ),
    "wanted_reads": Shape(
        columns=_columns("tenant_id account_id record_id asked_at is_control"),
        key=("account_id", "record_id", "tenant_id"),
        defaults={"is_control": False},
        indexes={"account": OF_ACCOUNT},
    ),
}

RECONCILER: Final = {
    "accounts": Shape(
        columns=_columns(
            "tenant_id account_id app description is_lost state_at unused_since"
        ),
        key=("account_id", "tenant_id"),
        defaults={"is_lost": False},
    ),
    "connections": Shape(
        columns=_columns(
            "tenant_id connection_id settings left_account right_account left_side"
            " right_side state epoch attention attention_side guard_left_at"
            " guard_right_at approved_until version created_at started_at"
            " sweep_asked_at left_sweep right_sweep"
            " scan_asked_at left_scan right_scan left_scanned right_scanned"
            " sync_started_at due_at lease_until lease_version planned done failed"
            " created_left created_right updated_left updated_right deleted_at renewed"
        ),
        key=("connection_id", "tenant_id"),
        defaults={
            "renewed": b"{}",
            "epoch": "",
            "attention": "",
            "left_scanned": False,
            "right_scanned": False,
            "lease_version": 0,
            "planned": 0,
            "done": 0,
            "failed": 0,
            "created_left": 0,
            "created_right": 0,
            "updated_left": 0,
            "updated_right": 0,
        },
    ),
    "observations": Shape(
        columns=_columns(
            "tenant_id account_id record_id record digest read_at changed_at"
            " modified_at is_live is_tight seen_scan missing_since ask_again_at"
            " live_since is_ours live_number"
        ),
        key=("account_id", "record_id", "tenant_id"),
        defaults={"is_tight": False, "is_ours": False},
        indexes={
            "account": OF_ACCOUNT,
            "missing": IndexShape(where=_is_asked_again),
        },
    ),
    "emails": Shape(
        columns=_columns("tenant_id account_id email record_id"),
        key=("account_id", "email", "record_id", "tenant_id"),
        indexes={
            "account": OF_ACCOUNT,
            "email": IndexShape(columns=("account_id", "email", "tenant_id")),
            "record": IndexShape(columns=("account_id", "record_id", "tenant_id")),
        },
    ),
    "scans": Shape(
        columns=_columns(
            "tenant_id account_id scan_id parts_seen part_count asked_at"
            " first_read_at completed_at"
        ),
        key=("account_id", "scan_id", "tenant_id"),
    ),
    "scan_parts": Shape(
        columns=_columns("tenant_id account_id scan_id part"),
        key=("account_id", "scan_id", "part", "tenant_id"),
    ),
    "links": Shape(
        columns=_columns(
            "tenant_id connection_id link_id left_record_id right_record_id state"
            " reason body name email intent_id retry_at changed_at version"
        ),
        key=("connection_id", "link_id", "tenant_id"),
        indexes={
            "connection": OF_CONNECTION,
            "retry": IndexShape(where=_is_tried_again),
            "links_left": IndexShape(
                columns=("connection_id", "left_record_id", "tenant_id"),
                where=_has_left,
                is_unique=True,
            ),
            "links_right": IndexShape(
                columns=("connection_id", "right_record_id", "tenant_id"),
                where=_has_right,
                is_unique=True,
            ),
        },
    ),
    "dirty": Shape(
        columns=_columns(
            "tenant_id connection_id side record_id mark is_urgent is_check"
        ),
        key=("connection_id", "side", "record_id", "tenant_id"),
        defaults={"is_urgent": False, "is_check": False},
        indexes={"connection": OF_CONNECTION},
    ),
    "intents": Shape(
        columns=_columns(
            "tenant_id connection_id intent_id link_id account_id side kind state"
            " body is_destructive decided_at sent_at look_at closed_at outcome reason"
            " number source_id"
        ),
        key=("connection_id", "intent_id", "tenant_id"),
        defaults={
            "is_destructive": False,
            "outcome": "",
            "reason": "",
            "source_id": "",
        },
        indexes={
            "connection": OF_CONNECTION,
            "look": IndexShape(where=_is_looked_for),
            "open": IndexShape(columns=("connection_id", "tenant_id"), where=_is_open),
            "creates": IndexShape(
                columns=("account_id", "tenant_id"), where=_is_open_create
            ),
            "intents_open": IndexShape(
                columns=("connection_id", "link_id", "tenant_id"),
                where=_is_open,
                is_unique=True,
            ),
        },
    ),
    "losses": Shape(
        columns=_columns(
            "tenant_id connection_id intent_id mapping_id side fields lost_at"
        ),
        key=("connection_id", "intent_id", "mapping_id", "side", "tenant_id"),
        indexes={"connection": OF_CONNECTION},
    ),
    "suppressions": Shape(
        columns=_columns(
            "tenant_id digest key_id account_id erasure_id created_at seen_at"
        ),
        key=("tenant_id", "digest"),
        defaults={"account_id": ""},
    ),
    "erasures": Shape(
        columns=_columns(
            "tenant_id erasure_id digest key_id step subject remains asked_at next_at"
            " fence step_at traces_at finished_at records links writes shared_emails"
        ),
        key=("tenant_id", "erasure_id"),
        defaults={"records": 0, "links": 0, "writes": 0, "shared_emails": 0},
    ),
}

SERVICES: Final = {
    "auth": AUTH | CHASSIS,
    "connector": CONNECTOR | CHASSIS,
    "reconciler": RECONCILER | CHASSIS,
}
