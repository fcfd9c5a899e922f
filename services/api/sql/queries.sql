-- name: add_tenant
-- A tenant of this name, unless there is one.
INSERT INTO api.tenants (tenant_id, name, created_at)
VALUES ($tenant_id, $name, $now)
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
    tenant_id, key_id, name, digest, hint, scopes, created_at, expires_at
)
VALUES (
    $tenant_id, $key_id, $name, $digest, $hint, $scopes::text[], $now, $expires_at
);

-- name: find_key
-- The key of a digest, whatever its tenant: this is how a tenant is known.
SELECT tenant_id, key_id, scopes, expires_at, revoked_at
FROM api.api_keys
WHERE digest = $digest;

-- name: list_keys
-- A page of a tenant's keys, oldest first, revoked and expired ones too.
SELECT
    key_id, name, hint, scopes, created_at, expires_at, revoked_at, last_used_at
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
    sealed, created_at, expires_at
)
VALUES (
    $tenant_id, $authorisation_id, $app, $link_digest, $state_digest,
    $browser_digest, $sealed, $now, $expires_at
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
    authorisations.authorisation_id, authorisations.sealed,
    authorisations.browser_digest, authorisations.expires_at,
    authorisations.ended_at, before.opened_at AS opened_before_at;

-- name: find_authorisation_by_state
-- The authorisation that a callback belongs to: its tenant is known from it alone.
SELECT
    tenant_id, authorisation_id, app, browser_digest, expires_at, ended_at
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
