-- Tenants, their API keys, what they did, and authorisations that wait for a browser.

CREATE TABLE api.tenants (
    tenant_id   text PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL
);

CREATE TABLE api.api_keys (
    tenant_id     text NOT NULL REFERENCES api.tenants,
    key_id        text NOT NULL,
    name          text NOT NULL,
    digest        bytea NOT NULL UNIQUE,
    hint          text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);

CREATE TABLE api.audit_entries (
    entry_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES api.tenants,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    act         text NOT NULL,
    object_id   text NOT NULL,
    fields      text[] NOT NULL,
    outcome     text NOT NULL,
    request_id  text NOT NULL,
    remote      text NOT NULL
);

CREATE INDEX audit_entries_of_tenant ON api.audit_entries (tenant_id, entry_id);

CREATE FUNCTION api.keep_audit_entries() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are neither changed nor removed';
END
$$;

CREATE TRIGGER audit_entries_stay
BEFORE UPDATE OR DELETE OR TRUNCATE ON api.audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION api.keep_audit_entries();

CREATE TABLE api.authorisations (
    tenant_id         text NOT NULL REFERENCES api.tenants,
    authorisation_id  text NOT NULL,
    app               text NOT NULL,
    link_digest       bytea NOT NULL UNIQUE,
    state_digest      bytea NOT NULL UNIQUE,
    browser_digest    bytea NOT NULL,
    sealed            bytea NOT NULL,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    opened_at         timestamptz,
    ended_at          timestamptz,
    outcome           text NOT NULL DEFAULT '',
    account_id        text,
    PRIMARY KEY (tenant_id, authorisation_id)
);

CREATE INDEX authorisations_age ON api.authorisations (expires_at);
