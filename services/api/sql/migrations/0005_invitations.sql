-- How people after the first get in: a link of single use, of which the digest is kept.

CREATE TABLE api.invitations (
    tenant_id      text NOT NULL REFERENCES api.tenants,
    invitation_id  text NOT NULL,
    email          text NOT NULL,
    role           text NOT NULL,
    digest         bytea NOT NULL UNIQUE,
    created_at     timestamptz NOT NULL,
    created_by     text NOT NULL,
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    outcome        text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, invitation_id)
);

-- One open invitation for each address; another one replaces it.
CREATE UNIQUE INDEX invitations_open ON api.invitations (tenant_id, email)
WHERE ended_at IS NULL;
