-- The tables as all migrations leave them; a test compares.

CREATE TABLE reconciler.accounts (
    tenant_id     text NOT NULL,
    account_id    text NOT NULL,
    app           text NOT NULL,
    description   bytea NOT NULL,
    is_lost       boolean NOT NULL DEFAULT false,
    state_at      timestamptz,
    unused_since  timestamptz,
    PRIMARY KEY (account_id, tenant_id)
);

CREATE TABLE reconciler.connections (
    tenant_id        text NOT NULL,
    connection_id    text NOT NULL,
    settings         bytea NOT NULL,
    left_account     text NOT NULL,
    right_account    text NOT NULL,
    left_side        bytea NOT NULL,
    right_side       bytea NOT NULL,
    state            text NOT NULL,
    epoch            text NOT NULL DEFAULT '',
    attention        text NOT NULL DEFAULT '',
    attention_side   text,
    guard_left_at    timestamptz,
    guard_right_at   timestamptz,
    approved_until   timestamptz,
    version          integer NOT NULL,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    scan_asked_at    timestamptz,
    left_scan        text,
    right_scan       text,
    left_scanned     boolean NOT NULL DEFAULT false,
    right_scanned    boolean NOT NULL DEFAULT false,
    sync_started_at  timestamptz,
    sweep_asked_at   timestamptz,
    left_sweep       text,
    right_sweep      text,
    due_at           timestamptz,
    lease_until      timestamptz,
    lease_version    bigint NOT NULL DEFAULT 0,
    planned          bigint NOT NULL DEFAULT 0,
    done             bigint NOT NULL DEFAULT 0,
    failed           bigint NOT NULL DEFAULT 0,
    created_left     bigint NOT NULL DEFAULT 0,
    created_right    bigint NOT NULL DEFAULT 0,
    updated_left     bigint NOT NULL DEFAULT 0,
    updated_right    bigint NOT NULL DEFAULT 0,
    deleted_at       timestamptz,
    renewed          bytea NOT NULL DEFAULT '{}',
    PRIMARY KEY (connection_id, tenant_id)
);

CREATE INDEX connections_left ON reconciler.connections (left_account, tenant_id);
CREATE INDEX connections_right ON reconciler.connections (right_account, tenant_id);

-- Numbers in the order in which rows come to be stored. What a later one of two rows
-- stands for was not there yet when the earlier was stored, whatever the clocks say.
CREATE SEQUENCE reconciler.numbers;

CREATE TABLE reconciler.observations (
    tenant_id    text NOT NULL,
    account_id   text NOT NULL,
    record_id    text NOT NULL,
    record       bytea NOT NULL,
    digest       text NOT NULL,
    read_at      timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    modified_at  timestamptz,
    is_live      boolean NOT NULL,
    is_tight     boolean NOT NULL DEFAULT false,
    seen_scan    text,
    missing_since timestamptz,
    ask_again_at timestamptz,
    live_since   timestamptz,
    is_ours      boolean NOT NULL DEFAULT false,
    live_number  bigint DEFAULT nextval('reconciler.numbers'),
    PRIMARY KEY (account_id, record_id, tenant_id)
) WITH (fillfactor = 85);

CREATE INDEX observations_new
ON reconciler.observations (account_id, live_number, tenant_id)
WHERE is_live;

CREATE INDEX observations_missing
ON reconciler.observations (ask_again_at)
WHERE ask_again_at IS NOT NULL;

CREATE TABLE reconciler.emails (
    tenant_id   text NOT NULL,
    account_id  text NOT NULL,
    email       text NOT NULL,
    record_id   text NOT NULL,
    PRIMARY KEY (account_id, email, record_id, tenant_id)
);

CREATE INDEX emails_of_record ON reconciler.emails (account_id, record_id, tenant_id);

CREATE TABLE reconciler.scans (
    tenant_id     text NOT NULL,
    account_id    text NOT NULL,
    scan_id       text NOT NULL,
    parts_seen    integer NOT NULL,
    part_count    integer,
    asked_at      timestamptz,
    first_read_at timestamptz,
    completed_at  timestamptz,
    PRIMARY KEY (account_id, scan_id, tenant_id)
);

CREATE TABLE reconciler.scan_parts (
    tenant_id   text NOT NULL,
    account_id  text NOT NULL,
    scan_id     text NOT NULL,
    part        integer NOT NULL,
    PRIMARY KEY (account_id, scan_id, part, tenant_id)
);

CREATE TABLE reconciler.links (
    tenant_id        text NOT NULL,
    connection_id    text NOT NULL,
    link_id          text NOT NULL,
    left_record_id   text,
    right_record_id  text,
    state            text NOT NULL,
    reason           text NOT NULL,
    body             bytea NOT NULL,
    name             text NOT NULL,
    email            text NOT NULL,
    intent_id        text,
    retry_at         timestamptz,
    changed_at       timestamptz NOT NULL,
    version          bigint NOT NULL,
    PRIMARY KEY (connection_id, link_id, tenant_id)
) WITH (fillfactor = 85);

CREATE UNIQUE INDEX links_left
ON reconciler.links (connection_id, left_record_id, tenant_id)
WHERE left_record_id IS NOT NULL;

CREATE UNIQUE INDEX links_right
ON reconciler.links (connection_id, right_record_id, tenant_id)
WHERE right_record_id IS NOT NULL;

CREATE INDEX links_state ON reconciler.links (connection_id, state, link_id, tenant_id);
CREATE INDEX links_retry ON reconciler.links (retry_at) WHERE retry_at IS NOT NULL;

-- Where no record tells an address any more, its link still does.
CREATE INDEX links_email ON reconciler.links (connection_id, lower(email), tenant_id)
WHERE email <> '';

CREATE SEQUENCE reconciler.marks;

CREATE TABLE reconciler.dirty (
    tenant_id      text NOT NULL,
    connection_id  text NOT NULL,
    side           text NOT NULL,
    record_id      text NOT NULL,
    mark           bigint NOT NULL DEFAULT nextval('reconciler.marks'),
    is_urgent      boolean NOT NULL DEFAULT false,
    is_check       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (connection_id, side, record_id, tenant_id)
);

CREATE INDEX dirty_order
ON reconciler.dirty (connection_id, is_urgent DESC, mark, tenant_id);

CREATE TABLE reconciler.intents (
    tenant_id      text NOT NULL,
    connection_id  text NOT NULL,
    intent_id      text NOT NULL,
    link_id        text NOT NULL,
    account_id     text NOT NULL,
    side           text NOT NULL,
    kind           text NOT NULL,
    state          text NOT NULL,
    body           bytea NOT NULL,
    is_destructive boolean NOT NULL DEFAULT false,
    decided_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    look_at        timestamptz,
    closed_at      timestamptz,
    outcome        text NOT NULL DEFAULT '',
    reason         text NOT NULL DEFAULT '',
    number         bigint NOT NULL DEFAULT nextval('reconciler.numbers'),
    source_id      text NOT NULL DEFAULT '',
    PRIMARY KEY (connection_id, intent_id, tenant_id)
);

-- One open intent a link, whatever replicas and retries may do.
CREATE UNIQUE INDEX intents_open
ON reconciler.intents (connection_id, link_id, tenant_id)
WHERE state IN ('open', 'unknown');

CREATE INDEX intents_destructive
ON reconciler.intents (connection_id, decided_at, tenant_id)
WHERE is_destructive;

CREATE INDEX intents_creates
ON reconciler.intents (account_id, decided_at, tenant_id)
WHERE kind = 'create' AND state IN ('open', 'unknown');

-- The history of a person is found by the record that a write was made from, or by
-- their link; both outlive each other.
CREATE INDEX intents_of_source
ON reconciler.intents (connection_id, source_id, tenant_id);
CREATE INDEX intents_of_link
ON reconciler.intents (connection_id, link_id, tenant_id);

CREATE INDEX intents_age ON reconciler.intents (closed_at)
WHERE closed_at IS NOT NULL;

CREATE INDEX intents_look ON reconciler.intents (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE reconciler.losses (
    tenant_id      text NOT NULL,
    connection_id  text NOT NULL,
    intent_id      text NOT NULL,
    mapping_id     text NOT NULL,
    side           text NOT NULL,
    fields         bytea NOT NULL,
    lost_at        timestamptz NOT NULL,
    PRIMARY KEY (connection_id, intent_id, mapping_id, side, tenant_id)
);

CREATE TABLE reconciler.suppressions (
    tenant_id   text NOT NULL,
    -- Of an address, or of a record of an account; which one it is only the key tells.
    digest      bytea NOT NULL,
    key_id      text NOT NULL,
    -- Empty for an address, which counts in every account.
    account_id  text NOT NULL DEFAULT '',
    erasure_id  text NOT NULL,
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz,
    PRIMARY KEY (tenant_id, digest)
);

CREATE INDEX suppressions_of_erasure
ON reconciler.suppressions (tenant_id, erasure_id);

CREATE INDEX suppressions_seen ON reconciler.suppressions (account_id, tenant_id)
WHERE account_id <> '' AND seen_at IS NOT NULL;

CREATE TABLE reconciler.erasures (
    tenant_id     text NOT NULL,
    erasure_id    text NOT NULL,
    digest        bytea NOT NULL,
    key_id        text NOT NULL,
    step          text NOT NULL,
    -- Sealed, and only while the erasure is under way.
    subject       bytea,
    -- Sealed: which records the apps have still.
    remains       bytea,
    asked_at      timestamptz NOT NULL,
    next_at       timestamptz,
    fence         bigint,
    step_at       timestamptz NOT NULL,
    traces_at     timestamptz,
    finished_at   timestamptz,
    records       integer NOT NULL DEFAULT 0,
    links         integer NOT NULL DEFAULT 0,
    writes        integer NOT NULL DEFAULT 0,
    shared_emails integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, erasure_id)
);

CREATE INDEX erasures_due ON reconciler.erasures (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX erasures_age ON reconciler.erasures (finished_at)
WHERE finished_at IS NOT NULL;

-- Row-level security: whose rows are shown to whom.
SELECT reconciler.separate_tenants(
    'reconciler.accounts', 'reconciler.connections', 'reconciler.observations',
    'reconciler.emails', 'reconciler.scans', 'reconciler.scan_parts',
    'reconciler.links', 'reconciler.dirty', 'reconciler.intents', 'reconciler.losses',
    'reconciler.suppressions', 'reconciler.erasures'
);

-- For all tenants: connections are claimed, what is due by the clock is found and told,
-- and what is left of deleted connections goes. No record, address or link's content can
-- be read by it; of writes that are looked up, only what they were.
GRANT SELECT, UPDATE (lease_until, lease_version, due_at, epoch), DELETE
ON reconciler.connections TO tandem_reconciler_all_tenants;
GRANT SELECT (tenant_id, account_id, unused_since), DELETE
ON reconciler.accounts TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, account_id, record_id, is_live, missing_since, ask_again_at
    ),
    UPDATE (ask_again_at),
    DELETE
ON reconciler.observations TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id), DELETE
ON reconciler.emails TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id, asked_at, first_read_at), DELETE
ON reconciler.scans TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, account_id), DELETE
ON reconciler.scan_parts TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, connection_id, left_record_id, right_record_id, retry_at
    ),
    UPDATE (retry_at),
    DELETE
ON reconciler.links TO tandem_reconciler_all_tenants;
GRANT
    SELECT (ctid, tenant_id, connection_id, side, record_id, mark),
    INSERT (tenant_id, connection_id, side, record_id),
    UPDATE (mark),
    DELETE
ON reconciler.dirty TO tandem_reconciler_all_tenants;
GRANT
    SELECT (
        ctid, tenant_id, connection_id, account_id, side, state, look_at, body,
        intent_id, closed_at
    ),
    UPDATE (look_at),
    DELETE
ON reconciler.intents TO tandem_reconciler_all_tenants;
GRANT SELECT (ctid, tenant_id, connection_id, intent_id), DELETE
ON reconciler.losses TO tandem_reconciler_all_tenants;
GRANT USAGE ON SEQUENCE reconciler.marks TO tandem_reconciler_all_tenants;

-- For all tenants: what is due is claimed, and which keys are needed is known.
GRANT SELECT (tenant_id, key_id) ON reconciler.suppressions
TO tandem_reconciler_all_tenants;
GRANT
    SELECT (ctid, tenant_id, erasure_id, key_id, next_at, finished_at),
    UPDATE (next_at),
    DELETE
ON reconciler.erasures TO tandem_reconciler_all_tenants;
