-- A second factor beside a password: who has one, who is about to get one, and sign-ins
-- that wait for its code. Tenants that are there already go on without.

ALTER TABLE api.tenants
ADD COLUMN requires_second_factor boolean NOT NULL DEFAULT false;

ALTER TABLE api.sessions ADD COLUMN factors smallint NOT NULL DEFAULT 1;

CREATE TABLE api.second_factors (
    tenant_id   text NOT NULL,
    person_id   text NOT NULL,
    key_id      text NOT NULL,
    sealed      bytea NOT NULL,
    last_step   bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE TABLE api.recovery_codes (
    tenant_id  text NOT NULL,
    person_id  text NOT NULL,
    digest     bytea NOT NULL,
    PRIMARY KEY (tenant_id, person_id, digest),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.second_factors ON DELETE CASCADE
);

CREATE TABLE api.enrolments (
    tenant_id   text NOT NULL,
    person_id   text NOT NULL,
    key_id      text NOT NULL,
    sealed      bytea NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX enrolments_age ON api.enrolments (expires_at);

CREATE TABLE api.half_sessions (
    tenant_id        text NOT NULL,
    person_id        text NOT NULL,
    digest           bytea NOT NULL UNIQUE,
    kind             text NOT NULL,
    expires_at       timestamptz NOT NULL,
    session_ends_at  timestamptz,
    PRIMARY KEY (tenant_id, person_id, digest),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX half_sessions_age ON api.half_sessions (expires_at);

SELECT api.separate_tenants(
    'api.second_factors', 'api.recovery_codes', 'api.enrolments', 'api.half_sessions'
);

-- For all tenants: a cookie tells whose it is, what is over goes, and keys are replaced.
GRANT SELECT (factors) ON api.sessions TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, person_id, key_id, sealed),
    UPDATE (key_id, sealed)
ON api.second_factors TO tandem_api_all_tenants;
GRANT SELECT (tenant_id, person_id, expires_at), DELETE
ON api.enrolments TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, person_id, digest, kind, expires_at, session_ends_at),
    DELETE
ON api.half_sessions TO tandem_api_all_tenants;
