-- Passwords that are forgotten are chosen anew by a link that an owner passes on. And a
-- sign-in at the provider may only add a way in, for the session that began it.

CREATE TABLE api.password_resets (
    tenant_id   text NOT NULL,
    person_id   text NOT NULL,
    digest      bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX password_resets_age ON api.password_resets (expires_at);

ALTER TABLE api.oidc_sign_ins ADD COLUMN session_digest bytea;

SELECT api.separate_tenants('api.password_resets');

-- For all tenants: a link tells whose it is, and what is over goes.
GRANT
    SELECT (tenant_id, person_id, digest, expires_at),
    DELETE
ON api.password_resets TO tandem_api_all_tenants;
GRANT SELECT (created_at) ON api.sessions TO tandem_api_all_tenants;
