-- Who was erased, as keyed hashes only, and how far an erasure is.

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

SELECT reconciler.separate_tenants('reconciler.suppressions', 'reconciler.erasures');

-- For all tenants: what is due is claimed, and which keys are needed is known.
GRANT SELECT (tenant_id, key_id) ON reconciler.suppressions
TO tandem_reconciler_all_tenants;
GRANT SELECT (tenant_id, erasure_id, key_id, next_at), UPDATE (next_at)
ON reconciler.erasures TO tandem_reconciler_all_tenants;

-- The history of a person is found by the record that a write was made from, or by
-- their link; both outlive each other.
ALTER TABLE reconciler.intents ADD COLUMN source_id text NOT NULL DEFAULT '';
ALTER TABLE reconciler.intents NO FORCE ROW LEVEL SECURITY;
UPDATE reconciler.intents
SET source_id = coalesce(convert_from(body, 'UTF8')::json ->> 'source_id', '')
-- Which no text can hold; such a write is found by its link.
WHERE position('\u0000' IN convert_from(body, 'UTF8')) = 0;
ALTER TABLE reconciler.intents FORCE ROW LEVEL SECURITY;

CREATE INDEX intents_of_source
ON reconciler.intents (connection_id, source_id, tenant_id);
CREATE INDEX intents_of_link
ON reconciler.intents (connection_id, link_id, tenant_id);

-- Where no record tells an address any more, its link still does.
CREATE INDEX links_email ON reconciler.links (connection_id, lower(email), tenant_id)
WHERE email <> '';
