-- name: put_app_client
-- Stores a tenant's own client of an app, or replaces it.
INSERT INTO auth.app_clients (
    tenant_id, app, client_id, key_id, wrapped_key, body,
    authorise_url, token_url, api_url, updated_at
)
VALUES (
    $tenant_id, $app, $client_id, $key_id, $wrapped_key, $body,
    $authorise_url, $token_url, $api_url, $now
)
ON CONFLICT (tenant_id, app) DO UPDATE
SET
    client_id = excluded.client_id,
    key_id = excluded.key_id,
    wrapped_key = excluded.wrapped_key,
    body = excluded.body,
    authorise_url = excluded.authorise_url,
    token_url = excluded.token_url,
    api_url = excluded.api_url,
    updated_at = excluded.updated_at;

-- name: get_app_client
-- A tenant's own client of an app.
SELECT client_id, key_id, wrapped_key, body, authorise_url, token_url, api_url
FROM auth.app_clients
WHERE tenant_id = $tenant_id AND app = $app;

-- name: put_authorisation
-- An authorisation that waits for its callback.
INSERT INTO auth.authorisations (
    state_hash, tenant_id, app, account_id, browser_hash, redirect_uri,
    key_id, wrapped_key, body, expires_at
)
VALUES (
    $state_hash, $tenant_id, $app, $account_id, $browser_hash, $redirect_uri,
    $key_id, $wrapped_key, $body, $expires_at
);

-- name: take_authorisation
-- The authorisation of a state; it is gone with this, so no state serves twice.
DELETE FROM auth.authorisations
WHERE tenant_id = $tenant_id AND state_hash = $state_hash
RETURNING
    app, account_id, browser_hash, redirect_uri, key_id, wrapped_key, body, expires_at;

-- name: drop_stale
-- Authorisations nobody came back from, and accounts that no call ever proved: the
-- oldest, and none that somebody else is at.
WITH stale AS (
    DELETE FROM auth.authorisations
    WHERE ctid = ANY (ARRAY(
        SELECT old.ctid
        FROM auth.authorisations AS old
        WHERE old.expires_at < $now::timestamptz
        ORDER BY old.expires_at
        LIMIT $limit::bigint
        FOR UPDATE SKIP LOCKED
    ))
)
DELETE FROM auth.accounts
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM auth.accounts AS old
    WHERE old.state = 'pending'
        AND old.created_at < $now::timestamptz - interval '1 hour'
    ORDER BY old.created_at
    LIMIT $limit::bigint
    FOR UPDATE SKIP LOCKED
));

-- name: add_account
-- A new account, not proved yet.
INSERT INTO auth.accounts (
    tenant_id, account_id, app, state, base_url, origin, scopes, created_at
)
VALUES (
    $tenant_id, $account_id, $app, 'pending', $base_url, $origin, $scopes, $now
);

-- name: get_account
-- One account of a tenant.
SELECT
    account_id, app, state, vendor_account_id, display_name, base_url, scopes,
    created_at
FROM auth.accounts
WHERE tenant_id = $tenant_id AND account_id = $account_id;

-- name: find_pinned_account
-- The account that already stands for this account of the app; nobody can remove it
-- before this transaction ends.
SELECT
    account_id, app, state, vendor_account_id, display_name, base_url, scopes,
    created_at
FROM auth.accounts
WHERE tenant_id = $tenant_id
    AND app = $app
    AND origin = $origin
    AND vendor_account_id = $vendor_account_id
    AND vendor_account_id <> ''
FOR KEY SHARE;

-- name: hold_account
-- One account of a tenant, which cannot be removed before this transaction ends.
SELECT
    account_id, app, state, vendor_account_id, display_name, base_url, scopes,
    created_at
FROM auth.accounts
WHERE tenant_id = $tenant_id AND account_id = $account_id
FOR KEY SHARE;

-- name: list_accounts
-- A page of a tenant's accounts, oldest first; unproved ones are nobody's business.
SELECT
    account_id, app, state, vendor_account_id, display_name, base_url, scopes,
    created_at
FROM auth.accounts
WHERE tenant_id = $tenant_id
    AND state <> 'pending'
    AND account_id > $after
ORDER BY account_id
LIMIT $limit::bigint;

-- name: connect_account
-- The account is proved: this is who the app says it is. Told at a time after the word
-- before, however the clocks of replicas differ: the newest word is believed.
UPDATE auth.accounts
SET
    state = 'connected',
    told_at = greatest($now::timestamptz, told_at + interval '1 millisecond'),
    vendor_account_id = $vendor_account_id,
    display_name = $display_name,
    base_url = $base_url,
    origin = $origin,
    scopes = $scopes
WHERE tenant_id = $tenant_id AND account_id = $account_id
RETURNING told_at;

-- name: put_scopes
-- What the app grants by now; written only where that has changed.
UPDATE auth.accounts
SET scopes = $scopes
WHERE tenant_id = $tenant_id AND account_id = $account_id AND scopes <> $scopes;

-- name: lose_account
-- The app refuses the account's credentials; one row the first time, with when that is
-- told: after the word before.
UPDATE auth.accounts
SET
    state = 'lost',
    told_at = greatest($now::timestamptz, told_at + interval '1 millisecond')
WHERE tenant_id = $tenant_id AND account_id = $account_id AND state = 'connected'
RETURNING told_at;

-- name: drop_pending
-- Forgets an account that could not be proved; one that was proved stays.
DELETE FROM auth.accounts
WHERE tenant_id = $tenant_id AND account_id = $account_id AND state = 'pending';

-- name: remove_account
-- Forgets an account with its credentials; one row with when that is told.
DELETE FROM auth.accounts
WHERE tenant_id = $tenant_id AND account_id = $account_id
RETURNING greatest($now::timestamptz, told_at + interval '1 millisecond') AS told_at;

-- name: put_credential
-- Stores an account's credential, or replaces it and whatever was under way with it.
INSERT INTO auth.credentials (
    tenant_id, account_id, kind, username, version,
    key_id, wrapped_key, body, expires_at, renew_at
)
VALUES (
    $tenant_id, $account_id, $kind, $username, $version,
    $key_id, $wrapped_key, $body, $expires_at, $renew_at
)
ON CONFLICT (tenant_id, account_id) DO UPDATE
SET
    kind = excluded.kind,
    username = excluded.username,
    version = excluded.version,
    key_id = excluded.key_id,
    wrapped_key = excluded.wrapped_key,
    body = excluded.body,
    expires_at = excluded.expires_at,
    renew_at = excluded.renew_at,
    lease_id = NULL,
    lease_until = NULL,
    uses = 0,
    renewed_at = NULL,
    refused_at = NULL;

-- name: get_credential
-- An account's credential with the state of the account and of its refresh.
SELECT
    credentials.kind, credentials.username, credentials.version,
    credentials.key_id, credentials.wrapped_key, credentials.body,
    credentials.expires_at, credentials.renew_at,
    credentials.lease_id, credentials.lease_until,
    credentials.renewed_at, credentials.refused_at,
    accounts.app, accounts.state, accounts.base_url
FROM auth.credentials
JOIN auth.accounts USING (tenant_id, account_id)
WHERE credentials.tenant_id = $tenant_id AND credentials.account_id = $account_id;

-- name: lease_credential
-- Lets one replica refresh this version of a credential; no row: another does, or the
-- app is given a rest. A lease that ran out without being given back counts as a use of
-- the refresh token: nobody knows better.
UPDATE auth.credentials
SET
    lease_id = $lease_id,
    lease_until = $lease_until,
    uses = uses + (lease_id IS NOT NULL)::integer
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND version = $version
    AND (lease_until IS NULL OR lease_until < $now)
RETURNING uses;

-- name: renew_credential
-- Stores what a refresh gave, whoever holds the lease by now: a rotated token must
-- not be lost. No row only if a newer version is there already. Whether the app takes
-- what it gave is not known yet, so what it refused before still counts.
UPDATE auth.credentials
SET
    version = $version,
    key_id = $key_id,
    wrapped_key = $wrapped_key,
    body = $body,
    expires_at = $expires_at,
    renew_at = $renew_at,
    lease_id = NULL,
    lease_until = NULL,
    uses = 0,
    renewed_at = $now
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND version < $version
RETURNING version;

-- name: end_lease
-- Gives a lease back after a refresh that brought nothing, or would have. Uses are
-- counted until a refresh succeeds; the first refusal is remembered.
UPDATE auth.credentials
SET
    lease_id = NULL,
    lease_until = $rests_until,
    uses = uses + $is_use::boolean::integer,
    refused_at = CASE
        WHEN $is_refusal::boolean THEN coalesce(refused_at, $now)
        ELSE refused_at
    END
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_id = $lease_id;

-- name: forget_refusal
-- The app has accepted the account's calls since it refused them.
UPDATE auth.credentials
SET refused_at = NULL
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND refused_at < $accepted_at;

-- name: count_sealed
-- How many secrets each key of the ring wraps; authorisations that are over do not
-- count, as nobody opens them again.
SELECT sealed.key_id, sum(sealed.count)::bigint AS count
FROM (
    SELECT key_id, count(*) AS count
    FROM auth.credentials
    GROUP BY key_id
    UNION ALL
    SELECT key_id, count(*) AS count
    FROM auth.app_clients
    GROUP BY key_id
    UNION ALL
    SELECT key_id, count(*) AS count
    FROM auth.authorisations
    WHERE expires_at >= $now
    GROUP BY key_id
) AS sealed
GROUP BY sealed.key_id
ORDER BY sealed.key_id;

-- name: page_old_credentials
-- A page of keys of credentials that are not wrapped with the active key, or by another
-- cipher than seals now.
SELECT tenant_id, account_id AS own_id, version, key_id, wrapped_key
FROM auth.credentials
WHERE (
        key_id <> $active
        OR substring(wrapped_key FROM 1 FOR length($header::bytea)) <> $header::bytea
    )
    AND (tenant_id, account_id) > ($after_tenant_id::text, $after_own_id::text)
ORDER BY tenant_id, account_id
LIMIT $limit::bigint;

-- name: rewrap_credentials
-- Stores keys that were wrapped anew, each only where the one that it was made of still
-- stands: a secret that was replaced meanwhile has a key of its own.
UPDATE auth.credentials
SET
    key_id = $active,
    wrapped_key = given.wrapped_key
FROM unnest(
    $tenant_ids::text[], $own_ids::text[], $old_key_ids::text[],
    $old_wrapped_keys::bytea[], $wrapped_keys::bytea[]
) AS given (tenant_id, own_id, old_key_id, old_wrapped_key, wrapped_key)
WHERE credentials.tenant_id = given.tenant_id
    AND credentials.account_id = given.own_id
    AND credentials.key_id = given.old_key_id
    AND credentials.wrapped_key = given.old_wrapped_key;

-- name: page_old_app_clients
-- A page of keys of app clients that are not wrapped with the active key, or by another
-- cipher than seals now.
SELECT tenant_id, app AS own_id, 0 AS version, key_id, wrapped_key
FROM auth.app_clients
WHERE (
        key_id <> $active
        OR substring(wrapped_key FROM 1 FOR length($header::bytea)) <> $header::bytea
    )
    AND (tenant_id, app) > ($after_tenant_id::text, $after_own_id::text)
ORDER BY tenant_id, app
LIMIT $limit::bigint;

-- name: rewrap_app_clients
-- Stores keys that were wrapped anew, each only where the one that it was made of still
-- stands: a secret that was replaced meanwhile has a key of its own.
UPDATE auth.app_clients
SET
    key_id = $active,
    wrapped_key = given.wrapped_key
FROM unnest(
    $tenant_ids::text[], $own_ids::text[], $old_key_ids::text[],
    $old_wrapped_keys::bytea[], $wrapped_keys::bytea[]
) AS given (tenant_id, own_id, old_key_id, old_wrapped_key, wrapped_key)
WHERE app_clients.tenant_id = given.tenant_id
    AND app_clients.app = given.own_id
    AND app_clients.key_id = given.old_key_id
    AND app_clients.wrapped_key = given.old_wrapped_key;

-- name: page_old_authorisations
-- A page of keys of authorisations that are not wrapped with the active key, or by another
-- cipher than seals now.
SELECT tenant_id, state_hash AS own_id, 0 AS version, key_id, wrapped_key
FROM auth.authorisations
WHERE (
        key_id <> $active
        OR substring(wrapped_key FROM 1 FOR length($header::bytea)) <> $header::bytea
    )
    AND (tenant_id, state_hash) > ($after_tenant_id::text, $after_own_id::text)
ORDER BY tenant_id, state_hash
LIMIT $limit::bigint;

-- name: rewrap_authorisations
-- Stores keys that were wrapped anew, each only where the one that it was made of still
-- stands: a secret that was replaced meanwhile has a key of its own.
UPDATE auth.authorisations
SET
    key_id = $active,
    wrapped_key = given.wrapped_key
FROM unnest(
    $tenant_ids::text[], $own_ids::text[], $old_key_ids::text[],
    $old_wrapped_keys::bytea[], $wrapped_keys::bytea[]
) AS given (tenant_id, own_id, old_key_id, old_wrapped_key, wrapped_key)
WHERE authorisations.tenant_id = given.tenant_id
    AND authorisations.state_hash = given.own_id
    AND authorisations.key_id = given.old_key_id
    AND authorisations.wrapped_key = given.old_wrapped_key;

-- name: read_sealed_credentials
-- Secrets of one tenant's credentials, to be sealed anew by another cipher.
SELECT tenant_id, account_id AS own_id, version, key_id, wrapped_key, body
FROM auth.credentials
WHERE tenant_id = $tenant_id
    AND account_id = ANY ($own_ids::text[])
ORDER BY account_id;

-- name: reseal_credentials
-- Stores secrets that were sealed anew, each only where the one that was read still
-- stands.
UPDATE auth.credentials
SET
    key_id = $active,
    wrapped_key = given.wrapped_key,
    body = given.body
FROM unnest(
    $own_ids::text[], $old_wrapped_keys::bytea[], $wrapped_keys::bytea[],
    $bodies::bytea[]
) AS given (own_id, old_wrapped_key, wrapped_key, body)
WHERE credentials.tenant_id = $tenant_id
    AND credentials.account_id = given.own_id
    AND credentials.wrapped_key = given.old_wrapped_key;

-- name: read_sealed_app_clients
-- Secrets of one tenant's app clients, to be sealed anew by another cipher.
SELECT tenant_id, app AS own_id, 0 AS version, key_id, wrapped_key, body
FROM auth.app_clients
WHERE tenant_id = $tenant_id
    AND app = ANY ($own_ids::text[])
ORDER BY app;

-- name: reseal_app_clients
-- Stores secrets that were sealed anew, each only where the one that was read still
-- stands.
UPDATE auth.app_clients
SET
    key_id = $active,
    wrapped_key = given.wrapped_key,
    body = given.body
FROM unnest(
    $own_ids::text[], $old_wrapped_keys::bytea[], $wrapped_keys::bytea[],
    $bodies::bytea[]
) AS given (own_id, old_wrapped_key, wrapped_key, body)
WHERE app_clients.tenant_id = $tenant_id
    AND app_clients.app = given.own_id
    AND app_clients.wrapped_key = given.old_wrapped_key;

-- name: read_sealed_authorisations
-- Secrets of one tenant's authorisations, to be sealed anew by another cipher.
SELECT tenant_id, state_hash AS own_id, 0 AS version, key_id, wrapped_key, body
FROM auth.authorisations
WHERE tenant_id = $tenant_id
    AND state_hash = ANY ($own_ids::text[])
ORDER BY state_hash;

-- name: reseal_authorisations
-- Stores secrets that were sealed anew, each only where the one that was read still
-- stands.
UPDATE auth.authorisations
SET
    key_id = $active,
    wrapped_key = given.wrapped_key,
    body = given.body
FROM unnest(
    $own_ids::text[], $old_wrapped_keys::bytea[], $wrapped_keys::bytea[],
    $bodies::bytea[]
) AS given (own_id, old_wrapped_key, wrapped_key, body)
WHERE authorisations.tenant_id = $tenant_id
    AND authorisations.state_hash = given.own_id
    AND authorisations.wrapped_key = given.old_wrapped_key;
