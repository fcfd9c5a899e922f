-- name: add_tenant
-- A tenant of this name, unless there is one.
INSERT INTO api.tenants (tenant_id, name, created_at, requires_second_factor)
VALUES ($tenant_id, $name, $now, $requires_second_factor::boolean)
ON CONFLICT (name) DO NOTHING;

-- name: find_tenant
-- The tenant of a name.
SELECT tenant_id
FROM api.tenants
WHERE name = $name;

-- name: lock_tenant
-- Counts of a tenant's things are compared with their limits one at a time.
SELECT tenant_id
FROM api.tenants
WHERE tenant_id = $tenant_id
FOR NO KEY UPDATE;

-- name: count_keys
-- How many keys of a tenant are valid.
SELECT count(*) AS count
FROM api.api_keys
WHERE tenant_id = $tenant_id
    AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > $now);

-- name: add_key
-- A new key; its text is stored nowhere.
INSERT INTO api.api_keys (
    tenant_id, key_id, name, digest, hint, scopes, created_at, created_by, expires_at
)
VALUES (
    $tenant_id, $key_id, $name, $digest, $hint, $scopes::text[], $now, $created_by,
    $expires_at
);

-- name: find_key
-- The key of a digest, whatever its tenant: this is how a tenant is known.
SELECT tenant_id, key_id, scopes, expires_at, revoked_at
FROM api.api_keys
WHERE digest = $digest;

-- name: list_keys
-- A page of a tenant's keys, oldest first, revoked and expired ones too.
SELECT
    key_id, name, hint, scopes, created_at, created_by, expires_at, revoked_at,
    last_used_at
FROM api.api_keys
WHERE tenant_id = $tenant_id
    AND key_id > $after
ORDER BY key_id
LIMIT $limit::bigint;

-- name: revoke_key
-- From now on the key is refused; one row if it is the tenant's.
UPDATE api.api_keys
SET revoked_at = coalesce(revoked_at, $now)
WHERE tenant_id = $tenant_id
    AND key_id = $key_id;

-- name: note_key_use
-- When keys were last used, many at a time; an older time never replaces a newer.
UPDATE api.api_keys
SET last_used_at = used.at
FROM unnest($tenant_ids::text[], $key_ids::text[], $ats::timestamptz[])
    AS used (tenant_id, key_id, at)
WHERE api_keys.tenant_id = used.tenant_id
    AND api_keys.key_id = used.key_id
    AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at);

-- name: add_audit_entry
-- Who did what to which object: names of fields, never a value.
INSERT INTO api.audit_entries (
    tenant_id, at, actor, act, object_id, fields, outcome, request_id, remote
)
VALUES (
    $tenant_id, $now, $actor, $act, $object_id, $fields::text[], $outcome,
    $request_id, $remote
);

-- name: list_tenants
-- Every tenant, for whoever runs the installation.
SELECT tenant_id, name
FROM api.tenants
ORDER BY name;

-- name: find_audit_head
-- How far a tenant's chain goes; no row if nothing was written down.
SELECT number, digest
FROM api.audit_heads
WHERE tenant_id = $tenant_id;

-- name: list_chain
-- A tenant's audit entries in the order in which they were written.
SELECT
    tenant_id, number, at, actor, act, object_id, fields, outcome, request_id, remote,
    digest
FROM api.audit_entries
WHERE tenant_id = $tenant_id
    AND number > $after
    AND number <= $until
ORDER BY number
LIMIT $limit::bigint;

-- name: list_audit_entries
-- A page of a tenant's audit log that matches all filters, newest first.
SELECT
    tenant_id, number, at, actor, act, object_id, fields, outcome, request_id, remote,
    digest
FROM api.audit_entries
WHERE tenant_id = $tenant_id
    AND ($before::bigint IS NULL OR number < $before::bigint)
    AND ($actor::text = '' OR actor = $actor::text)
    AND ($act::text = '' OR act = $act::text)
    AND ($object_id::text = '' OR object_id = $object_id::text)
    AND ($since::timestamptz IS NULL OR at >= $since::timestamptz)
    AND ($until::timestamptz IS NULL OR at < $until::timestamptz)
ORDER BY number DESC
LIMIT $limit::bigint;

-- name: count_open_authorisations
-- How many authorisations of a tenant wait for a person.
SELECT count(*) AS count
FROM api.authorisations
WHERE tenant_id = $tenant_id
    AND ended_at IS NULL
    AND expires_at > $now;

-- name: add_authorisation
-- An authorisation that waits for a browser.
INSERT INTO api.authorisations (
    tenant_id, authorisation_id, app, link_digest, state_digest, browser_digest,
    sealed, created_at, expires_at, person_id
)
VALUES (
    $tenant_id, $authorisation_id, $app, $link_digest, $state_digest,
    $browser_digest, $sealed, $now, $expires_at, $person_id
);

-- name: open_authorisation
-- Mark a link as opened; the row says whether somebody had opened it before.
UPDATE api.authorisations
SET opened_at = $now
FROM (
    SELECT tenant_id, authorisation_id, opened_at
    FROM api.authorisations
    WHERE link_digest = $link_digest
    FOR UPDATE
) AS before
WHERE authorisations.tenant_id = before.tenant_id
    AND authorisations.authorisation_id = before.authorisation_id
RETURNING
    authorisations.tenant_id, authorisations.authorisation_id, authorisations.sealed,
    authorisations.browser_digest, authorisations.expires_at,
    authorisations.ended_at, authorisations.person_id,
    before.opened_at AS opened_before_at;

-- name: find_authorisation_by_state
-- The authorisation that a callback belongs to: its tenant is known from it alone.
SELECT
    tenant_id, authorisation_id, app, browser_digest, expires_at, ended_at, person_id
FROM api.authorisations
WHERE state_digest = $state_digest
    AND app = $app;

-- name: find_authorisation
-- How one authorisation of a tenant stands.
SELECT authorisation_id, app, expires_at, opened_at, ended_at, outcome, account_id
FROM api.authorisations
WHERE tenant_id = $tenant_id
    AND authorisation_id = $authorisation_id;

-- name: end_authorisation
-- How it ended, the first time it is said; nothing of it can be opened again.
UPDATE api.authorisations
SET
    ended_at = $now,
    outcome = $outcome,
    account_id = $account_id,
    sealed = ''
WHERE tenant_id = $tenant_id
    AND authorisation_id = $authorisation_id
    AND ended_at IS NULL;

-- name: forget_authorisations
-- Those that expired long ago go, a batch at a time.
DELETE FROM api.authorisations
WHERE (tenant_id, authorisation_id) IN (
    SELECT tenant_id, authorisation_id
    FROM api.authorisations
    WHERE expires_at < $before
    LIMIT $limit::bigint
);

-- name: add_person
-- A person of a tenant; no row if the tenant has somebody of this address.
INSERT INTO api.people (
    tenant_id, person_id, email, role, password_hash, created_at
)
VALUES ($tenant_id, $person_id, $email, $role, $password_hash, $now)
ON CONFLICT (tenant_id, email) DO NOTHING
RETURNING person_id;

-- name: find_people_to_sign_in
-- Who an address may be, whatever the tenant: this is how a tenant is known. Two rows
-- say that the address alone does not tell.
SELECT people.tenant_id, people.person_id, people.password_hash
FROM api.people
JOIN api.tenants ON tenants.tenant_id = people.tenant_id
WHERE people.email = $email
    AND ($tenant_name::text = '' OR tenants.name = $tenant_name::text)
LIMIT 2;

-- name: lock_person
-- A person of a tenant, until the commit as they are.
SELECT
    person_id, email, role, password_hash, created_at, last_signed_in_at,
    EXISTS (
        SELECT 1
        FROM api.second_factors
        WHERE second_factors.tenant_id = people.tenant_id
            AND second_factors.person_id = people.person_id
    ) AS has_second_factor
FROM api.people
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
FOR NO KEY UPDATE;

-- name: find_person
-- A person of a tenant.
SELECT
    person_id, email, role, created_at, last_signed_in_at,
    EXISTS (
        SELECT 1
        FROM api.second_factors
        WHERE second_factors.tenant_id = people.tenant_id
            AND second_factors.person_id = people.person_id
    ) AS has_second_factor
FROM api.people
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: list_people
-- A page of a tenant's people, oldest first.
SELECT
    person_id, email, role, created_at, last_signed_in_at,
    EXISTS (
        SELECT 1
        FROM api.second_factors
        WHERE second_factors.tenant_id = people.tenant_id
            AND second_factors.person_id = people.person_id
    ) AS has_second_factor
FROM api.people
WHERE tenant_id = $tenant_id
    AND person_id > $after
ORDER BY person_id
LIMIT $limit::bigint;

-- name: count_owners
-- How many owners a tenant has.
SELECT count(*) AS count
FROM api.people
WHERE tenant_id = $tenant_id
    AND role = 'owner';

-- name: change_role
-- What a person may do, from the next request on.
UPDATE api.people
SET role = $role
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: remove_person
-- Nobody signs in as this person again; their sessions go with them.
DELETE FROM api.people
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: change_password
-- The password's hash, anew.
UPDATE api.people
SET password_hash = $password_hash
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: note_sign_in
-- When a person signed in, and the hash by today's parameters.
UPDATE api.people
SET
    last_signed_in_at = $now,
    password_hash = $password_hash
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: add_session
-- A new session; its cookie is stored nowhere.
INSERT INTO api.sessions (
    tenant_id, session_id, person_id, digest, created_at, seen_at, expires_at, remote,
    browser, factors
)
VALUES (
    $tenant_id, $session_id, $person_id, $digest, $now, $now, $expires_at, $remote,
    $browser, $factors
);

-- name: find_session
-- The session of a digest, whatever its tenant, what its person may do now, and by how
-- many factors one has to have proved who one is.
SELECT
    sessions.tenant_id, sessions.session_id, sessions.person_id, sessions.seen_at,
    sessions.created_at, sessions.expires_at, sessions.factors, people.role,
    people.email, tenants.requires_second_factor
FROM api.sessions
JOIN api.people
    ON people.tenant_id = sessions.tenant_id
    AND people.person_id = sessions.person_id
JOIN api.tenants ON tenants.tenant_id = sessions.tenant_id
WHERE sessions.digest = $digest;

-- name: has_session
-- Whether a session goes on: lock its person first, as whoever ends all of them does.
SELECT 1 AS one
FROM api.sessions
WHERE tenant_id = $tenant_id
    AND session_id = $session_id;

-- name: note_session_use
-- When a session was last used; an older time never replaces a newer.
UPDATE api.sessions
SET seen_at = $now
WHERE tenant_id = $tenant_id
    AND session_id = $session_id
    AND seen_at < $now;

-- name: list_sessions
-- A person's sessions that have not ended, newest first.
SELECT session_id, created_at, seen_at, expires_at, remote, browser
FROM api.sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND expires_at > $now
    AND seen_at > $idle_since
ORDER BY session_id DESC
LIMIT $limit::bigint;

-- name: end_session
-- One session of a person ends; no row if they have none of this id.
DELETE FROM api.sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND session_id = $session_id;

-- name: end_sessions
-- All sessions of a person end.
DELETE FROM api.sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: end_oldest_sessions
-- All sessions of a person end but the newest few.
DELETE FROM api.sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND session_id NOT IN (
        SELECT session_id
        FROM api.sessions
        WHERE tenant_id = $tenant_id
            AND person_id = $person_id
        ORDER BY session_id DESC
        LIMIT $keep::bigint
    );

-- name: forget_sessions
-- Those that expired go, a batch at a time.
DELETE FROM api.sessions
WHERE (tenant_id, session_id) IN (
    SELECT tenant_id, session_id
    FROM api.sessions
    WHERE expires_at < $before
    LIMIT $limit::bigint
);

-- name: take_guess
-- Count a guess for each subject, in order, and say how many that makes in its window.
INSERT INTO api.guesses AS known (subject, count, ends_at)
SELECT given.subject, 1, given.ends_at
FROM unnest($subjects::bytea[], $ends_ats::timestamptz[]) AS given (subject, ends_at)
ORDER BY given.subject
ON CONFLICT (subject) DO UPDATE
SET
    count = CASE WHEN known.ends_at <= $now THEN 1 ELSE known.count + 1 END,
    ends_at = CASE
        WHEN known.ends_at <= $now THEN excluded.ends_at
        ELSE known.ends_at
    END
RETURNING subject, count, ends_at;

-- name: return_guess
-- It was no guess but right: it counts for nobody, and what went before not here.
UPDATE api.guesses
SET count = CASE WHEN guesses.subject = $here THEN 0 ELSE greatest(count - 1, 0) END
FROM (
    SELECT subject
    FROM api.guesses
    WHERE subject = ANY ($subjects::bytea[])
    ORDER BY subject
    FOR UPDATE
) AS held
WHERE guesses.subject = held.subject;

-- name: forget_guesses
-- Windows that are over go, a batch at a time.
DELETE FROM api.guesses
WHERE subject IN (
    SELECT subject
    FROM api.guesses
    WHERE ends_at < $before
    LIMIT $limit::bigint
);

-- name: count_people
-- How many people a tenant has, and how many may still come.
SELECT
    (SELECT count(*) FROM api.people WHERE tenant_id = $tenant_id)
    + (
        SELECT count(*)
        FROM api.invitations
        WHERE tenant_id = $tenant_id
            AND ended_at IS NULL
            AND expires_at > $now
    ) AS count;

-- name: has_person
-- Whether a tenant has somebody of an address.
SELECT 1 AS answer
FROM api.people
WHERE tenant_id = $tenant_id
    AND email = $email;

-- name: add_invitation
-- A new invitation; its link is stored nowhere.
INSERT INTO api.invitations (
    tenant_id, invitation_id, email, role, digest, created_at, created_by, expires_at
)
VALUES (
    $tenant_id, $invitation_id, $email, $role, $digest, $now, $created_by, $expires_at
);

-- name: end_invitations_of_email
-- An address is invited once at a time: what was open for it is over.
UPDATE api.invitations
SET
    ended_at = $now,
    outcome = 'replaced'
WHERE tenant_id = $tenant_id
    AND email = $email
    AND ended_at IS NULL;

-- name: lock_invitation
-- One invitation of a tenant, until the commit as it is.
SELECT invitation_id, email, role, created_at, created_by, expires_at, ended_at, outcome
FROM api.invitations
WHERE tenant_id = $tenant_id
    AND invitation_id = $invitation_id
FOR NO KEY UPDATE;

-- name: find_invitation
-- The invitation of a link, whatever its tenant: this is how a tenant is known.
SELECT
    invitations.tenant_id, invitations.invitation_id, invitations.digest,
    invitations.email, invitations.role, invitations.expires_at, invitations.ended_at,
    tenants.name AS tenant_name
FROM api.invitations
JOIN api.tenants ON tenants.tenant_id = invitations.tenant_id
WHERE invitations.digest = $digest;

-- name: list_invitations
-- A page of a tenant's invitations, oldest first, those that are over too.
SELECT invitation_id, email, role, created_at, created_by, expires_at, ended_at, outcome
FROM api.invitations
WHERE tenant_id = $tenant_id
    AND invitation_id > $after
ORDER BY invitation_id
LIMIT $limit::bigint;

-- name: renew_invitation
-- Another link in place of the one before, for as long as a new one.
UPDATE api.invitations
SET
    digest = $digest,
    expires_at = $expires_at
WHERE tenant_id = $tenant_id
    AND invitation_id = $invitation_id
    AND ended_at IS NULL;

-- name: end_invitation
-- How it ended, once; a row if it was open until now under this digest, where given.
UPDATE api.invitations
SET
    ended_at = $now,
    outcome = $outcome
WHERE tenant_id = $tenant_id
    AND invitation_id = $invitation_id
    AND ended_at IS NULL
    AND ($digest::bytea IS NULL OR digest = $digest::bytea);

-- name: add_oidc_sign_in
-- A sign-in that waits for the browser to come back from the provider.
INSERT INTO api.oidc_sign_ins (
    state_digest, browser_digest, tenant_name, invitation_digest, session_digest,
    expires_at
)
VALUES (
    $state_digest, $browser_digest, $tenant_name, $invitation_digest, $session_digest,
    $expires_at
);

-- name: take_oidc_sign_in
-- The sign-in of a state, which is over by this: each is good for one answer.
DELETE FROM api.oidc_sign_ins
WHERE state_digest = $state_digest
RETURNING browser_digest, tenant_name, invitation_digest, session_digest, expires_at;

-- name: forget_invitations
-- Those that were over long ago go, a batch at a time.
DELETE FROM api.invitations
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM api.invitations AS old
    WHERE coalesce(old.ended_at, old.expires_at) < $before
    LIMIT $limit::bigint
));

-- name: forget_oidc_sign_ins
-- Those that expired go, a batch at a time.
DELETE FROM api.oidc_sign_ins
WHERE state_digest IN (
    SELECT state_digest
    FROM api.oidc_sign_ins
    WHERE expires_at < $before
    LIMIT $limit::bigint
);

-- name: find_people_of_identity
-- Who somebody at a provider is here, whatever the tenant; two rows say that it does
-- not tell.
SELECT identities.tenant_id, identities.person_id
FROM api.identities
JOIN api.tenants ON tenants.tenant_id = identities.tenant_id
WHERE identities.issuer = $issuer
    AND identities.subject = $subject
    AND ($tenant_name::text = '' OR tenants.name = $tenant_name::text)
LIMIT 2;

-- name: has_identity
-- Whether a person can sign in at the provider.
SELECT 1 AS answer
FROM api.identities
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: add_identity
-- Who a person is at a provider; no row if that is somebody else of the tenant, or if
-- the person is somebody there already.
INSERT INTO api.identities (tenant_id, person_id, issuer, subject)
VALUES ($tenant_id, $person_id, $issuer, $subject)
ON CONFLICT DO NOTHING
RETURNING person_id;

-- name: put_reset
-- A person's reset; its link is stored nowhere, and one of before is over.
INSERT INTO api.password_resets AS known (
    tenant_id, person_id, digest, created_at, created_by, expires_at
)
VALUES ($tenant_id, $person_id, $digest, $now, $created_by, $expires_at)
ON CONFLICT (tenant_id, person_id) DO UPDATE
SET
    digest = excluded.digest,
    created_at = excluded.created_at,
    created_by = excluded.created_by,
    expires_at = excluded.expires_at;

-- name: find_reset
-- The reset of a link, whatever its tenant: this is how a tenant is known.
SELECT
    resets.tenant_id, resets.person_id, resets.digest, resets.expires_at,
    people.email, tenants.name AS tenant_name
FROM api.password_resets AS resets
JOIN api.people
    ON people.tenant_id = resets.tenant_id
    AND people.person_id = resets.person_id
JOIN api.tenants ON tenants.tenant_id = resets.tenant_id
WHERE resets.digest = $digest;

-- name: take_reset
-- A reset is used, once; no row if it has another link by now.
DELETE FROM api.password_resets
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND digest = $digest;

-- name: drop_reset
-- A person's reset is over, whatever its link.
DELETE FROM api.password_resets
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: forget_resets
-- Those that expired go, a batch at a time.
DELETE FROM api.password_resets
WHERE (tenant_id, person_id) IN (
    SELECT tenant_id, person_id
    FROM api.password_resets
    WHERE expires_at < $before
    LIMIT $limit::bigint
);
