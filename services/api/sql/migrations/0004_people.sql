-- People sign in, beside programs with their keys. A person is of one tenant, and so is
-- what an email address means there: whoever invites an address must not learn from a
-- unique key that another tenant knows it (hazard 113).

CREATE TABLE api.people (
    tenant_id          text NOT NULL REFERENCES api.tenants,
    person_id          text NOT NULL,
    email              text NOT NULL,
    role               text NOT NULL,
    password_hash      text NOT NULL,
    created_at         timestamptz NOT NULL,
    last_signed_in_at  timestamptz,
    PRIMARY KEY (tenant_id, person_id),
    UNIQUE (tenant_id, email)
);

CREATE INDEX people_by_email ON api.people (email);

-- A session that has ended is no row: the audit log tells of it.
CREATE TABLE api.sessions (
    tenant_id   text NOT NULL,
    session_id  text NOT NULL,
    person_id   text NOT NULL,
    digest      bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    remote      text NOT NULL,
    browser     text NOT NULL,
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX sessions_of_person ON api.sessions (tenant_id, person_id);
CREATE INDEX sessions_age ON api.sessions (expires_at);

-- Of no tenant: addresses that nobody has are guessed at, too.
CREATE TABLE api.guesses (
    subject  bytea PRIMARY KEY,
    count    integer NOT NULL,
    ends_at  timestamptz NOT NULL
);

CREATE INDEX guesses_age ON api.guesses (ends_at);

ALTER TABLE api.api_keys ADD COLUMN created_by text NOT NULL DEFAULT '';
