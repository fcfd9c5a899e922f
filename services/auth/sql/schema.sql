-- The schema as the migrations leave it; a test compares the two.

CREATE TABLE auth.app_clients (
    tenant_id      text NOT NULL,
    app            text NOT NULL,
    client_id      text NOT NULL,
    key_id         text NOT NULL,
    wrapped_key    bytea NOT NULL,
    body           bytea NOT NULL,
    authorise_url  text NOT NULL,
    token_url      text NOT NULL,
    api_url        text NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, app)
);

CREATE TABLE auth.authorisations (
    state_hash    text NOT NULL,
    tenant_id     text NOT NULL,
    app           text NOT NULL,
    account_id    text,
    browser_hash  text NOT NULL,
    redirect_uri  text NOT NULL,
    key_id        text NOT NULL,
    wrapped_key   bytea NOT NULL,
    body          bytea NOT NULL,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, state_hash)
);

CREATE INDEX authorisations_age ON auth.authorisations (expires_at);

CREATE TABLE auth.accounts (
    tenant_id          text NOT NULL,
    account_id         text NOT NULL,
    app                text NOT NULL,
    state              text NOT NULL,
    vendor_account_id  text NOT NULL DEFAULT '',
    display_name       text NOT NULL DEFAULT '',
    base_url           text NOT NULL DEFAULT '',
    -- The server of base_url: another path on it is no other account.
    origin             text NOT NULL DEFAULT '',
    scopes             text[] NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL,
    told_at            timestamptz,
    PRIMARY KEY (tenant_id, account_id)
);

-- One account of ours per account of the app: it is reused, not doubled.
CREATE UNIQUE INDEX accounts_pinned
ON auth.accounts (tenant_id, app, origin, vendor_account_id)
WHERE vendor_account_id <> '';

-- Nearly all accounts are proved; those that never were are looked for often.
CREATE INDEX accounts_pending ON auth.accounts (created_at)
WHERE state = 'pending';

CREATE TABLE auth.credentials (
    tenant_id      text NOT NULL,
    account_id     text NOT NULL,
    kind           text NOT NULL,
    username       text NOT NULL DEFAULT '',
    version        integer NOT NULL,
    key_id         text NOT NULL,
    wrapped_key    bytea NOT NULL,
    body           bytea NOT NULL,
    expires_at     timestamptz,
    renew_at       timestamptz,
    lease_id       text,
    -- Without a lease_id: nobody refreshes before, the app is given a rest.
    lease_until    timestamptz,
    -- How often the refresh token was refused, or used and nobody knows what came of it.
    uses           integer NOT NULL DEFAULT 0,
    -- When a refresh gave this version; NULL where a person did.
    renewed_at     timestamptz,
    -- Since when the app refuses what no refresh can mend: a token just given, or a
    -- password.
    refused_at     timestamptz,
    PRIMARY KEY (tenant_id, account_id),
    FOREIGN KEY (tenant_id, account_id)
        REFERENCES auth.accounts (tenant_id, account_id) ON DELETE CASCADE
);

-- Row-level security: whose rows are shown to whom.
SELECT auth.separate_tenants(
    'auth.app_clients', 'auth.authorisations', 'auth.accounts', 'auth.credentials'
);

-- For all tenants: what is stale goes, and keys are wrapped anew. Nothing that is sealed
-- can be read by it.
GRANT SELECT (tenant_id, app, key_id, wrapped_key), UPDATE (key_id, wrapped_key)
ON auth.app_clients TO tandem_auth_all_tenants;
GRANT
    SELECT (ctid, tenant_id, state_hash, key_id, wrapped_key, expires_at),
    UPDATE (key_id, wrapped_key),
    DELETE
ON auth.authorisations TO tandem_auth_all_tenants;
-- Rows that are to go are locked first, which takes the right to change something.
GRANT
    SELECT (ctid, tenant_id, account_id, state, created_at),
    UPDATE (state),
    DELETE
ON auth.accounts TO tandem_auth_all_tenants;
GRANT
    SELECT (tenant_id, account_id, version, key_id, wrapped_key),
    UPDATE (key_id, wrapped_key)
ON auth.credentials TO tandem_auth_all_tenants;
