-- name: read_policy
-- A tenant as its people see it, and whether they need a second factor.
SELECT name, requires_second_factor
FROM api.tenants
WHERE tenant_id = $tenant_id;

-- name: change_policy
-- Whether people need a second factor, from the next request on.
UPDATE api.tenants
SET requires_second_factor = $is_required::boolean
WHERE tenant_id = $tenant_id;

-- name: find_factor
-- A person's second factor; no row if they have none.
SELECT key_id, sealed, last_step, created_at
FROM api.second_factors
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: lock_factor
-- A person's second factor, until the commit as it is: a code is good once.
SELECT key_id, sealed, last_step, created_at
FROM api.second_factors
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
FOR NO KEY UPDATE;

-- name: put_factor
-- A person's second factor; the one of before is over, and its recovery codes go first.
INSERT INTO api.second_factors AS known (
    tenant_id, person_id, key_id, sealed, last_step, created_at
)
VALUES ($tenant_id, $person_id, $key_id, $sealed, $last_step, $now)
ON CONFLICT (tenant_id, person_id) DO UPDATE
SET
    key_id = excluded.key_id,
    sealed = excluded.sealed,
    last_step = excluded.last_step,
    created_at = excluded.created_at;

-- name: note_step
-- The last step in which a factor was used; no row if it was used in this one, or later.
UPDATE api.second_factors
SET last_step = $step
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND last_step < $step;

-- name: remove_factor
-- A person has no second factor any more; their recovery codes go with it.
DELETE FROM api.second_factors
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: drop_recovery_codes
-- All recovery codes of a person go.
DELETE FROM api.recovery_codes
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: add_recovery_codes
-- Recovery codes of a person, as digests.
INSERT INTO api.recovery_codes (tenant_id, person_id, digest)
SELECT $tenant_id, $person_id, given.digest
FROM unnest($digests::bytea[]) AS given (digest);

-- name: take_recovery_code
-- A recovery code is used, once; no row if it is none of this person's.
DELETE FROM api.recovery_codes
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND digest = $digest;

-- name: count_recovery_codes
-- How many recovery codes a person has left.
SELECT count(*) AS count
FROM api.recovery_codes
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: put_enrolment
-- What a person's app is to know, until they confirm it; another one replaces it.
INSERT INTO api.enrolments AS known (
    tenant_id, person_id, key_id, sealed, expires_at, cookie_digest
)
VALUES ($tenant_id, $person_id, $key_id, $sealed, $expires_at, $cookie_digest)
ON CONFLICT (tenant_id, person_id) DO UPDATE
SET
    key_id = excluded.key_id,
    sealed = excluded.sealed,
    expires_at = excluded.expires_at,
    cookie_digest = excluded.cookie_digest;

-- name: find_enrolment
-- What waits for a person to confirm it, in the browser that began it and in no other.
SELECT key_id, sealed, expires_at
FROM api.enrolments
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND cookie_digest = $cookie_digest
    AND expires_at > $now;

-- name: take_enrolment
-- It is confirmed, once; no row if it was replaced or confirmed meanwhile.
DELETE FROM api.enrolments
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND sealed = $sealed;

-- name: drop_enrolment
-- Nothing waits any more for a person to confirm it.
DELETE FROM api.enrolments
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: forget_enrolments
-- Those that expired go, a batch at a time.
DELETE FROM api.enrolments
WHERE (tenant_id, person_id) IN (
    SELECT tenant_id, person_id
    FROM api.enrolments
    WHERE expires_at < $before
    LIMIT $limit::bigint
);

-- name: add_half_session
-- Somebody has proved the first of two factors; the cookie is stored nowhere.
INSERT INTO api.half_sessions (
    tenant_id, person_id, digest, kind, expires_at, session_ends_at
)
VALUES ($tenant_id, $person_id, $digest, $kind, $expires_at, $session_ends_at);

-- name: end_oldest_half_sessions
-- All half-open sessions of a person end but the newest few.
DELETE FROM api.half_sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND digest NOT IN (
        SELECT digest
        FROM api.half_sessions
        WHERE tenant_id = $tenant_id
            AND person_id = $person_id
        ORDER BY expires_at DESC
        LIMIT $keep::bigint
    );

-- name: find_half_session
-- The half-open session of a digest, whatever its tenant.
SELECT
    half_sessions.tenant_id, half_sessions.person_id, half_sessions.digest,
    half_sessions.kind, half_sessions.expires_at, half_sessions.session_ends_at,
    people.email
FROM api.half_sessions
JOIN api.people
    ON people.tenant_id = half_sessions.tenant_id
    AND people.person_id = half_sessions.person_id
WHERE half_sessions.digest = $digest;

-- name: take_half_session
-- A half-open session becomes a whole one, once; no row if it has ended meanwhile.
DELETE FROM api.half_sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND digest = $digest;

-- name: end_half_sessions
-- All half-open sessions of a person end.
DELETE FROM api.half_sessions
WHERE tenant_id = $tenant_id
    AND person_id = $person_id;

-- name: forget_half_sessions
-- Those that expired go, a batch at a time.
DELETE FROM api.half_sessions
WHERE (tenant_id, person_id, digest) IN (
    SELECT tenant_id, person_id, digest
    FROM api.half_sessions
    WHERE expires_at < $before
    LIMIT $limit::bigint
);

-- name: list_factor_keys
-- The keys of the ring that second factors are sealed with.
SELECT DISTINCT key_id
FROM api.second_factors;

-- name: page_old_factors
-- A page of second factors that another key or cipher sealed than seals now.
SELECT tenant_id, person_id, key_id, sealed
FROM api.second_factors
WHERE (
        key_id <> $active
        OR substring(sealed FROM 1 FOR length($header::bytea)) <> $header::bytea
    )
    AND (tenant_id, person_id) > ($after_tenant_id::text, $after_person_id::text)
ORDER BY tenant_id, person_id
LIMIT $limit::bigint;

-- name: reseal_factor
-- A second factor that was sealed anew, unless it is another one by now.
UPDATE api.second_factors
SET
    key_id = $active,
    sealed = $sealed
WHERE tenant_id = $tenant_id
    AND person_id = $person_id
    AND sealed = $old_sealed;
