-- The schema as the migrations leave it; a test compares the two.

CREATE TABLE connector.accounts (
    tenant_id            text NOT NULL,
    account_id           text NOT NULL,
    app                  text NOT NULL,
    is_wanted            boolean NOT NULL DEFAULT false,
    asked_at             timestamptz,
    is_lost              boolean NOT NULL DEFAULT false,
    authorised_at        timestamptz,
    wanted_scan_id       text,
    done_scan_id         text,
    scan_id              text,
    scan_cursor          text,
    scan_part            integer NOT NULL DEFAULT 0,
    scan_page_count      integer NOT NULL DEFAULT 0,
    scan_record_count    integer NOT NULL DEFAULT 0,
    scan_expected_count  integer,
    changes_cursor       text,
    due_at               timestamptz NOT NULL,
    read_asks            bigint NOT NULL DEFAULT 0,
    interval_s           double precision NOT NULL DEFAULT 0,
    failures             integer NOT NULL DEFAULT 0,
    error_code           text,
    error_since          timestamptz,
    last_read_at         timestamptz,
    write_at             timestamptz,
    write_asks           bigint NOT NULL DEFAULT 0,
    write_failures       integer NOT NULL DEFAULT 0,
    write_error_code     text,
    lease_owner          text NOT NULL DEFAULT '',
    lease_until          timestamptz,
    lease_version        bigint NOT NULL DEFAULT 0,
    calls_day            date,
    calls_today          integer NOT NULL DEFAULT 0,
    limited_by           text NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, tenant_id)
);

CREATE INDEX accounts_due ON connector.accounts (due_at)
    WHERE is_wanted AND NOT is_lost;
CREATE INDEX accounts_to_write ON connector.accounts (write_at)
    WHERE write_at IS NOT NULL;

CREATE TABLE connector.writes (
    tenant_id      text NOT NULL,
    intent_id      text NOT NULL,
    account_id     text NOT NULL,
    connection_id  text NOT NULL,
    payload        bytea NOT NULL,
    state          text NOT NULL DEFAULT 'new',
    reason         text,
    created_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    done_at        timestamptz,
    result         bytea,
    is_urgent      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (intent_id, tenant_id),
    CONSTRAINT writes_state CHECK (state IN ('new', 'sent', 'done'))
);

CREATE INDEX writes_open
    ON connector.writes (account_id, is_urgent DESC, created_at, intent_id, tenant_id)
    WHERE done_at IS NULL;
CREATE INDEX writes_done ON connector.writes (done_at) WHERE state = 'done';

CREATE TABLE connector.wanted_reads (
    tenant_id   text NOT NULL,
    account_id  text NOT NULL,
    record_id   text NOT NULL,
    asked_at    timestamptz NOT NULL,
    is_control  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, record_id, tenant_id)
);

-- Of no tenant: all accounts that a client is authorised for share its limits.
CREATE TABLE connector.shared_limits (
    limited_by   text PRIMARY KEY,
    lease_owner  text NOT NULL,
    lease_until  timestamptz NOT NULL,
    calls_day    date,
    calls_today  integer NOT NULL DEFAULT 0
);

-- Row-level security: whose rows are shown to whom.
SELECT connector.separate_tenants(
    'connector.accounts', 'connector.writes', 'connector.wanted_reads'
);

-- For all tenants: accounts become due by what apps push, are claimed and given back
-- with their counts of calls, and old answers go. No write's content can be read by it.
GRANT
    SELECT (
        tenant_id, account_id, app, is_wanted, is_lost, due_at, read_asks, failures,
        write_at, lease_owner, lease_until, lease_version, calls_day, calls_today,
        limited_by
    ),
    UPDATE (
        due_at, read_asks,
        lease_owner, lease_until, lease_version, calls_day, calls_today, limited_by
    )
ON connector.accounts TO tandem_connector_all_tenants;
GRANT
    SELECT (tenant_id, intent_id, account_id, state, is_urgent, done_at),
    DELETE
ON connector.writes TO tandem_connector_all_tenants;
GRANT SELECT, INSERT, UPDATE, DELETE
ON connector.shared_limits TO tandem_connector_all_tenants;
