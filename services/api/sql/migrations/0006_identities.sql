-- People sign in at a provider of OpenID Connect: who they are there, and sign-ins that
-- wait for a browser to come back.

CREATE TABLE api.identities (
    tenant_id  text NOT NULL,
    person_id  text NOT NULL,
    issuer     text NOT NULL,
    subject    text NOT NULL,
    PRIMARY KEY (tenant_id, person_id, issuer),
    UNIQUE (tenant_id, issuer, subject),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX identities_by_subject ON api.identities (issuer, subject);

-- Of no tenant yet: the provider says who it is.
CREATE TABLE api.oidc_sign_ins (
    state_digest       bytea PRIMARY KEY,
    browser_digest     bytea NOT NULL,
    tenant_name        text NOT NULL,
    invitation_digest  bytea,
    expires_at         timestamptz NOT NULL
);

CREATE INDEX oidc_sign_ins_age ON api.oidc_sign_ins (expires_at);
