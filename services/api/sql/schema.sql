-- The schema as the migrations leave it; a test compares the two.

CREATE TABLE api.tenants (
    tenant_id   text PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    requires_second_factor  boolean NOT NULL DEFAULT false
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
    created_by    text NOT NULL DEFAULT '',
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
    remote      text NOT NULL,
    number      bigint NOT NULL,
    digest      bytea NOT NULL,
    CONSTRAINT audit_entries_number UNIQUE (tenant_id, number)
);

COMMENT ON TABLE api.audit_entries IS 'insert only: what was done stays written down';

CREATE TABLE api.audit_heads (
    tenant_id  text PRIMARY KEY REFERENCES api.tenants,
    number     bigint NOT NULL,
    digest     bytea NOT NULL
);

COMMENT ON TABLE api.audit_heads IS 'read only: kept by a trigger of audit_entries';

CREATE FUNCTION api.keep_audit_entries() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are neither changed nor removed';
END
$$;

CREATE TRIGGER audit_entries_stay
BEFORE UPDATE OR DELETE OR TRUNCATE ON api.audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION api.keep_audit_entries();

-- Netstrings leave no doubt where a value ends. services/api/store/chain.py reads the same.
CREATE FUNCTION api.framed(value text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN octet_length(value)::text || ':' || value || ',';

-- As the owner: the service's role can neither move a head nor choose a number.
CREATE FUNCTION api.chain_audit_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head api.audit_heads;
BEGIN
    -- Holds the tenant's head until the commit: one chain, however many write.
    INSERT INTO api.audit_heads AS heads (tenant_id, number, digest)
    VALUES (NEW.tenant_id, 1, '')
    ON CONFLICT (tenant_id) DO UPDATE SET number = heads.number + 1;
    head := (
        SELECT heads FROM api.audit_heads AS heads
        WHERE heads.tenant_id = NEW.tenant_id
    );
    NEW.number := head.number;
    NEW.digest := sha256(
        head.digest || convert_to(
            api.framed(NEW.tenant_id)
            || api.framed(NEW.number::text)
            || api.framed((extract(epoch FROM NEW.at) * 1000000)::bigint::text)
            || api.framed(NEW.actor)
            || api.framed(NEW.act)
            || api.framed(NEW.object_id)
            || api.framed(coalesce((
                SELECT string_agg(api.framed(field), '' ORDER BY place)
                FROM unnest(NEW.fields) WITH ORDINALITY AS given (field, place)
            ), ''))
            || api.framed(NEW.outcome)
            || api.framed(NEW.request_id)
            || api.framed(NEW.remote),
            'UTF8'
        )
    );
    UPDATE api.audit_heads SET digest = NEW.digest WHERE tenant_id = NEW.tenant_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_entries_chained
BEFORE INSERT ON api.audit_entries
FOR EACH ROW EXECUTE FUNCTION api.chain_audit_entry();

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
    -- Who began it; NULL where a key did.
    person_id         text,
    PRIMARY KEY (tenant_id, authorisation_id)
);

CREATE INDEX authorisations_age ON api.authorisations (expires_at);

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
    -- By how many its person has proved who they are.
    factors     smallint NOT NULL DEFAULT 1,
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

CREATE INDEX invitations_age ON api.invitations (coalesce(ended_at, expires_at));

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
    expires_at         timestamptz NOT NULL,
    -- Whose way in it adds to, where somebody is signed in already.
    session_digest     bytea
);

CREATE INDEX oidc_sign_ins_age ON api.oidc_sign_ins (expires_at);

-- One for each person; another one replaces it.
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

-- What an authenticator app of a person knows, sealed, and the last step it was used in.
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

-- A code that was used is no row.
CREATE TABLE api.recovery_codes (
    tenant_id  text NOT NULL,
    person_id  text NOT NULL,
    digest     bytea NOT NULL,
    PRIMARY KEY (tenant_id, person_id, digest),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.second_factors ON DELETE CASCADE
);

-- One for each person and for the browser that began it, until its first code confirms it.
CREATE TABLE api.enrolments (
    tenant_id      text NOT NULL,
    person_id      text NOT NULL,
    key_id         text NOT NULL,
    sealed         bytea NOT NULL,
    expires_at     timestamptz NOT NULL,
    cookie_digest  bytea NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES api.people ON DELETE CASCADE
);

CREATE INDEX enrolments_age ON api.enrolments (expires_at);

-- Who has proved the first of two factors, and waits for the second.
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

-- Row-level security: whose rows are shown to whom.
SELECT api.separate_tenants(
    'api.tenants', 'api.api_keys', 'api.audit_entries', 'api.authorisations'
);

-- For all tenants: a name, a key, a link or a state tells whose it is, and what is over
-- goes. Keys are stored as digests only, and audit entries are out of its reach.
GRANT SELECT, INSERT ON api.tenants TO tandem_api_all_tenants;
GRANT
    SELECT (
        tenant_id, key_id, digest, scopes, expires_at, revoked_at, last_used_at
    ),
    UPDATE (last_used_at)
ON api.api_keys TO tandem_api_all_tenants;
GRANT
    SELECT (
        tenant_id, authorisation_id, app, link_digest, state_digest, browser_digest,
        sealed, expires_at, opened_at, ended_at, person_id
    ),
    UPDATE (opened_at),
    DELETE
ON api.authorisations TO tandem_api_all_tenants;

-- The same for people, who came later.
SELECT api.separate_tenants(
    'api.audit_heads', 'api.people', 'api.sessions', 'api.invitations', 'api.identities'
);

-- For all tenants: an address, a cookie, a link or a subject tells whose it is. What is
-- of no tenant serves no one tenant either.
GRANT
    SELECT (tenant_id, person_id, email, role, password_hash)
ON api.people TO tandem_api_all_tenants;
GRANT
    SELECT (
        tenant_id, session_id, person_id, digest, created_at, seen_at, expires_at
    ),
    DELETE
ON api.sessions TO tandem_api_all_tenants;
GRANT
    SELECT (ctid, tenant_id, invitation_id, digest, email, role, expires_at, ended_at),
    DELETE
ON api.invitations TO tandem_api_all_tenants;
GRANT
    SELECT (tenant_id, person_id, issuer, subject)
ON api.identities TO tandem_api_all_tenants;
GRANT SELECT, INSERT, UPDATE, DELETE ON api.guesses TO tandem_api_all_tenants;
GRANT SELECT, INSERT, DELETE ON api.oidc_sign_ins TO tandem_api_all_tenants;

-- Resets came later still.
SELECT api.separate_tenants('api.password_resets');
GRANT
    SELECT (tenant_id, person_id, digest, expires_at),
    DELETE
ON api.password_resets TO tandem_api_all_tenants;

-- Second factors came last.
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
