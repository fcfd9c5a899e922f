-- name: describe_account
-- Remember what an account offers, and that it is used.
INSERT INTO reconciler.accounts (tenant_id, account_id, app, description)
VALUES ($tenant_id, $account_id, $app, $description)
ON CONFLICT (account_id, tenant_id) DO UPDATE
SET
    description = EXCLUDED.description,
    unused_since = NULL;

-- name: load_account
-- One account, or nothing if no connection has ever used it; with whether anybody of
-- the tenant was erased, which is rarely so, and whether creates there have no answer.
SELECT
    account_id, app, description, is_lost,
    EXISTS (
        SELECT suppressions.digest
        FROM reconciler.suppressions
        WHERE suppressions.tenant_id = $tenant_id
    ) AS is_screened,
    EXISTS (
        SELECT intents.intent_id
        FROM reconciler.intents
        WHERE intents.account_id = $account_id
            AND intents.tenant_id = $tenant_id
            AND intents.kind = 'create'
            AND intents.state IN ('open', 'unknown')
    ) AS is_creating
FROM reconciler.accounts
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND unused_since IS NULL;

-- name: set_account_state
-- Note that an account is lost or found again; one row if that is news.
UPDATE reconciler.accounts
SET
    is_lost = $is_lost,
    state_at = $at
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND (state_at IS NULL OR state_at < $at)
RETURNING account_id;

-- name: find_lost_accounts
-- Those of the given accounts whose authorisation is lost.
SELECT account_id
FROM reconciler.accounts
WHERE tenant_id = $tenant_id
    AND account_id = ANY ($account_ids::text[])
    AND is_lost;

-- name: forget_digests
-- Makes the next observation of every record of an account count as a change.
WITH known AS (
    SELECT record_id AS known_id
    FROM reconciler.observations
    WHERE tenant_id = $tenant_id
        AND account_id = $account_id
    ORDER BY record_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.observations
SET digest = ''
FROM known
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND record_id = known_id;

-- name: retire_accounts
-- Note accounts that no connection is left for.
UPDATE reconciler.accounts
SET unused_since = $now
WHERE tenant_id = $tenant_id
    AND account_id = ANY ($account_ids::text[])
    AND unused_since IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.connections
        WHERE connections.tenant_id = $tenant_id
            AND connections.deleted_at IS NULL
            AND accounts.account_id
                IN (connections.left_account, connections.right_account)
    );

-- name: add_connection
-- A draft.
INSERT INTO reconciler.connections (
    tenant_id, connection_id, settings, left_account, right_account,
    left_side, right_side, state, version, created_at
)
VALUES (
    $tenant_id, $connection_id, $settings, $left_account, $right_account,
    $left_side, $right_side, 'draft', 1, $now
);

-- name: load_connection
-- One connection, unless it is deleted.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND deleted_at IS NULL;

-- name: lock_connection
-- One connection, unless it is deleted, kept from changing until the commit.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND deleted_at IS NULL
FOR UPDATE;

-- name: lock_connections_of_account
-- All connections that use an account, kept from changing until the commit.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND (left_account = $account_id OR right_account = $account_id)
    AND deleted_at IS NULL
ORDER BY connection_id
FOR UPDATE;

-- name: list_connections
-- A page of connections, those that need attention first.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND deleted_at IS NULL
    AND (
        $account_id::text IS NULL
        OR left_account = $account_id::text
        OR right_account = $account_id::text
    )
    AND (
        (CASE WHEN state = 'needs_attention' THEN 0 ELSE 1 END, connection_id)
        > ($rank::integer, $after::text)
    )
ORDER BY CASE WHEN state = 'needs_attention' THEN 0 ELSE 1 END, connection_id
LIMIT $limit;

-- name: change_settings
-- Replace the settings and what they were resolved against.
UPDATE reconciler.connections
SET
    settings = $settings,
    renewed = $renewed,
    left_account = $left_account,
    right_account = $right_account,
    left_side = $left_side,
    right_side = $right_side,
    version = version + 1
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: set_connection_state
-- Move a connection to a state in which nothing is planned; leases end.
UPDATE reconciler.connections
SET
    state = $state,
    attention = $attention,
    attention_side = $attention_side,
    due_at = NULL,
    lease_until = NULL,
    lease_version = lease_version + 1
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: await_scans
-- Move a connection back to scanning, for scans that were not asked for before.
UPDATE reconciler.connections
SET
    state = 'scanning',
    epoch = (
        SELECT system.system_identifier || '/' || checkpoint.timeline_id
        FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
    ),
    attention = '',
    attention_side = NULL,
    started_at = coalesce(started_at, $now),
    scan_asked_at = $now,
    left_scan = $left_scan,
    right_scan = $right_scan,
    left_scanned = false,
    right_scanned = false,
    sync_started_at = NULL,
    planned = 0,
    done = 0,
    failed = 0,
    due_at = NULL,
    lease_until = NULL,
    lease_version = lease_version + 1
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: find_scanned
-- Whom note_scanned would return for this scan, as far as can be told beforehand.
SELECT
    connection_id, left_account, right_account,
    left_scanned OR (
        left_account = $account_id
        AND (left_scan = $scan_id OR scan_asked_at <= $begun_at) IS TRUE
    ) AS left_scanned,
    right_scanned OR (
        right_account = $account_id
        AND (right_scan = $scan_id OR scan_asked_at <= $begun_at) IS TRUE
    ) AS right_scanned
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND (left_account = $account_id OR right_account = $account_id)
    AND state = 'scanning'
    AND deleted_at IS NULL;

-- name: note_scanned
-- A scan of an account is complete: it serves whoever asked for it, or asked
-- before it began.
WITH waiting AS (
    SELECT connection_id AS waiting_id
    FROM reconciler.connections
    WHERE tenant_id = $tenant_id
        AND (left_account = $account_id OR right_account = $account_id)
        AND state = 'scanning'
        AND deleted_at IS NULL
    ORDER BY connection_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET
    left_scanned = left_scanned OR (
        left_account = $account_id
        AND (left_scan = $scan_id OR scan_asked_at <= $begun_at) IS TRUE
    ),
    right_scanned = right_scanned OR (
        right_account = $account_id
        AND (right_scan = $scan_id OR scan_asked_at <= $begun_at) IS TRUE
    )
FROM waiting
WHERE tenant_id = $tenant_id
    AND connection_id = waiting_id
RETURNING connection_id, left_account, right_account, left_scanned, right_scanned;

-- name: begin_syncing
-- Both sides are known: planning may begin.
UPDATE reconciler.connections
SET
    state = 'syncing',
    sync_started_at = $now,
    due_at = $now
WHERE tenant_id = $tenant_id
    AND connection_id = ANY ($connection_ids::text[])
    AND state = 'scanning';

-- name: delete_connection
-- Nothing sees it from now on; its rows go in the background.
UPDATE reconciler.connections
SET
    deleted_at = $now,
    due_at = NULL,
    lease_version = lease_version + 1
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: find_needed_accounts
-- Those of the given accounts that a connection still reads.
SELECT DISTINCT wanted.account_id
FROM unnest($account_ids::text[]) AS wanted (account_id)
JOIN reconciler.connections
    ON connections.tenant_id = $tenant_id
    AND wanted.account_id
        IN (connections.left_account, connections.right_account)
WHERE connections.state IN ('scanning', 'syncing', 'live', 'needs_attention')
    AND connections.deleted_at IS NULL;

-- name: claim_connection
-- The connection that has waited longest for planning, for one replica at a time.
UPDATE reconciler.connections
SET
    lease_until = $lease_until,
    lease_version = lease_version + 1
WHERE (tenant_id, connection_id) = (
    SELECT tenant_id, connection_id
    FROM reconciler.connections
    WHERE due_at <= $now
        AND state IN ('syncing', 'live')
        AND epoch = (
            SELECT system.system_identifier || '/' || checkpoint.timeline_id
            FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
        )
        AND deleted_at IS NULL
        AND (lease_until IS NULL OR lease_until <= $now)
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right;

-- name: find_unverified
-- A running connection that was last scanned in another database than this one: its
-- state may be older than what the apps hold.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE state IN ('scanning', 'syncing', 'live')
    AND epoch <> (
        SELECT system.system_identifier || '/' || checkpoint.timeline_id
        FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
    )
    AND deleted_at IS NULL
ORDER BY connection_id, tenant_id
LIMIT 1;

-- name: lock_unverified
-- A connection that find_unverified has found, unless another replica has it.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE connection_id = $connection_id
    AND state IN ('scanning', 'syncing', 'live')
    AND epoch <> (
        SELECT system.system_identifier || '/' || checkpoint.timeline_id
        FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
    )
    AND deleted_at IS NULL
FOR UPDATE SKIP LOCKED;

-- name: forget_epochs
-- Have every running connection scanned anew before it plans again.
WITH running AS (
    SELECT connection_id AS running_id, tenant_id AS owner_id
    FROM reconciler.connections
    WHERE state IN ('scanning', 'syncing', 'live')
        AND deleted_at IS NULL
    ORDER BY connection_id, tenant_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET epoch = ''
FROM running
WHERE connection_id = running_id
    AND tenant_id = owner_id;

-- name: look_at_all
-- Have every open write of a connection looked up.
WITH sent AS (
    SELECT intent_id AS sent_id
    FROM reconciler.intents
    WHERE tenant_id = $tenant_id
        AND connection_id = $connection_id
        AND state IN ('open', 'unknown')
    ORDER BY intent_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.intents
SET look_at = $now
FROM sent
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND intent_id = sent_id;

-- name: keep_lease
-- Counts what was planned; one row only while the claim still holds.
UPDATE reconciler.connections
SET
    lease_until = $lease_until,
    planned = planned + $planned
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND lease_version = $lease_version
    AND state IN ('syncing', 'live')
    AND deleted_at IS NULL
RETURNING connection_id;

-- name: lock_claim
-- The claimed connection, if the claim still holds.
SELECT state
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND lease_version = $lease_version
    AND state IN ('syncing', 'live')
    AND deleted_at IS NULL
FOR UPDATE;

-- name: release_connection
-- Give a claim back.
UPDATE reconciler.connections
SET
    state = $state,
    due_at = $due_at,
    lease_until = NULL
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND lease_version = $lease_version;

-- name: make_due
-- Whoever marked something dirty says so last, so that no claim overlooks it. Rows are
-- locked in the order of their ids, because others lock several, too.
WITH due AS (
    SELECT tenant_id, connection_id
    FROM reconciler.connections
    WHERE tenant_id = $tenant_id
        AND connection_id = ANY ($connection_ids::text[])
        AND state IN ('syncing', 'live')
    ORDER BY connection_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET due_at = $now
FROM due
WHERE connections.tenant_id = due.tenant_id
    AND connections.connection_id = due.connection_id;

-- name: count_outcomes
-- Adds up what was written.
UPDATE reconciler.connections
SET
    done = done + $done,
    failed = failed + $failed,
    created_left = created_left + $created_left,
    created_right = created_right + $created_right,
    updated_left = updated_left + $updated_left,
    updated_right = updated_right + $updated_right
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: save_observations
-- Keep the newest state of each record; returns those it is news for, and whether
-- their content is. The app's own change times decide where both states have one and
-- they differ. Where they do not, other content that a listing shows within $lag after
-- what we know was read is no news: an index may be behind by so much. Deletions are
-- news at once, for what lags shows somebody who is gone, not the other way round.
INSERT INTO reconciler.observations (
    tenant_id, account_id, record_id, record, digest, read_at, changed_at,
    modified_at, is_live, is_tight, seen_scan
)
SELECT
    $tenant_id, $account_id, seen.record_id, seen.record, seen.digest,
    seen.read_at, seen.read_at, seen.modified_at, seen.is_live, seen.is_tight,
    $scan_id
FROM unnest(
    $record_ids::text[], $records::bytea[], $digests::text[],
    $read_at::timestamptz[], $modified_at::timestamptz[], $is_live::boolean[],
    $is_tight::boolean[]
) AS seen (record_id, record, digest, read_at, modified_at, is_live, is_tight)
ON CONFLICT (account_id, record_id, tenant_id) DO UPDATE
SET
    record = EXCLUDED.record,
    digest = EXCLUDED.digest,
    read_at = EXCLUDED.read_at,
    changed_at = CASE
        WHEN observations.digest = EXCLUDED.digest
            AND observations.missing_since IS NULL
        THEN observations.changed_at
        ELSE EXCLUDED.read_at
    END,
    modified_at = EXCLUDED.modified_at,
    is_live = EXCLUDED.is_live,
    is_tight = EXCLUDED.is_tight,
    missing_since = NULL,
    ask_again_at = NULL,
    seen_scan = coalesce(EXCLUDED.seen_scan, observations.seen_scan),
    live_number = CASE
        WHEN EXCLUDED.is_live AND NOT observations.is_live THEN EXCLUDED.live_number
        ELSE observations.live_number
    END
WHERE CASE
    WHEN EXCLUDED.modified_at <> observations.modified_at
    THEN EXCLUDED.modified_at > observations.modified_at
    ELSE EXCLUDED.read_at > observations.read_at
        AND (
            EXCLUDED.digest = observations.digest
            OR NOT EXCLUDED.is_live
            OR EXCLUDED.read_at > observations.read_at + $lag::interval
        )
END
RETURNING record_id, changed_at = read_at AS is_changed;

-- name: find_doubtful
-- Which of these states, all of them refused as news, are other ones than what is
-- stored, no older by their change times, and read later.
SELECT stored.record_id
FROM unnest(
    $record_ids::text[], $digests::text[], $read_at::timestamptz[],
    $modified_at::timestamptz[]
) AS seen (record_id, digest, read_at, modified_at)
CROSS JOIN LATERAL (
    SELECT
        observations.record_id, observations.digest, observations.read_at,
        observations.modified_at
    FROM reconciler.observations
    WHERE observations.account_id = $account_id
        AND observations.record_id = seen.record_id
        AND observations.tenant_id = $tenant_id
    LIMIT 1
) AS stored
WHERE stored.read_at < seen.read_at
    AND stored.digest <> seen.digest
    AND (stored.modified_at = seen.modified_at) IS NOT FALSE
ORDER BY stored.record_id;

-- name: find_newcomers
-- Records of an account that live and were not known to before a create was stored,
-- oldest first: who comes after it in thousands hides what it made no more. Nor does who
-- has another record's bond by now, on the side of a connection that is asked for.
SELECT record_id, record, digest, read_at, live_number
FROM reconciler.observations
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND is_live
    AND missing_since IS NULL
    AND live_number > $since::bigint
    AND CASE $side::text
        WHEN 'left' THEN (
            SELECT links.link_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.left_record_id = observations.record_id
                AND links.tenant_id = $tenant_id
                AND links.right_record_id IS NOT NULL
                AND links.state <> 'deleted'
            LIMIT 1
        )
        WHEN 'right' THEN (
            SELECT links.link_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.right_record_id = observations.record_id
                AND links.tenant_id = $tenant_id
                AND links.left_record_id IS NOT NULL
                AND links.state <> 'deleted'
            LIMIT 1
        )
    END IS NULL
ORDER BY live_number
LIMIT $limit;

-- name: note_ours
-- Note that we have made records.
UPDATE reconciler.observations
SET is_ours = true
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND record_id = ANY ($record_ids::text[])
    AND NOT is_ours;

-- name: lock_observations
-- What is stored of records of one account, kept from changing until the commit.
SELECT found.record_id, found.digest, found.read_at
FROM unnest($record_ids::text[]) AS wanted (record_id)
CROSS JOIN LATERAL (
    SELECT observations.record_id, observations.digest, observations.read_at
    FROM reconciler.observations
    WHERE observations.account_id = $account_id
        AND observations.record_id = wanted.record_id
        AND observations.tenant_id = $tenant_id
    LIMIT 1
    FOR UPDATE
) AS found;

-- name: note_missing
-- Note that the app did not know these ids when it was asked; returns since when. They
-- are asked for again after as long as they have been missed, within limits.
UPDATE reconciler.observations
SET
    missing_since = coalesce(observations.missing_since, gone.read_at),
    ask_again_at = $now::timestamptz + least(
        greatest(
            $now::timestamptz - coalesce(observations.missing_since, gone.read_at),
            $wait_min::interval
        ),
        $wait_max::interval
    )
FROM unnest($record_ids::text[], $read_at::timestamptz[])
    AS gone (record_id, read_at)
WHERE observations.tenant_id = $tenant_id
    AND observations.account_id = $account_id
    AND observations.record_id = gone.record_id
    AND observations.is_live
    AND observations.read_at < gone.read_at
RETURNING observations.record_id, observations.missing_since;

-- name: claim_missing
-- Records that are to be asked for again, to see whether they are really gone; each
-- time after as long as they have been missed, within limits. Nothing is asked of an
-- account that is lost, or that no running connection reads.
UPDATE reconciler.observations
SET ask_again_at = $now::timestamptz + least(
    greatest($now::timestamptz - missing_since, $wait_min::interval), $wait_max::interval
)
WHERE ctid = ANY (ARRAY(
    SELECT due.ctid
    FROM reconciler.observations AS due
    WHERE due.ask_again_at <= $now
        AND EXISTS (
            SELECT reader.connection_id
            FROM reconciler.connections AS reader
            WHERE reader.tenant_id = due.tenant_id
                AND (
                    reader.left_account = due.account_id
                    OR reader.right_account = due.account_id
                )
                AND reader.state IN ('scanning', 'syncing', 'live')
                AND reader.deleted_at IS NULL
        )
    ORDER BY due.ask_again_at
    LIMIT $limit
    FOR UPDATE SKIP LOCKED
))
RETURNING tenant_id, account_id, record_id;

-- name: is_any_shown
-- Whether an account has shown a record since then, which tells that its app is well.
SELECT EXISTS (
    SELECT record_id
    FROM reconciler.observations
    WHERE tenant_id = $tenant_id
        AND account_id = $account_id
        AND is_live
        AND missing_since IS NULL
        AND read_at >= $since
) AS is_shown;

-- name: find_controls
-- A few records of an account that were there lately.
SELECT record_id
FROM reconciler.observations
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND is_live
    AND missing_since IS NULL
    AND record_id <> ALL ($without::text[])
LIMIT $limit;

-- name: count_live
-- How many records an account has, as far as is known.
SELECT count(*) AS live
FROM reconciler.observations
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND is_live;

-- name: save_sightings
-- Note that a scan showed records whose stored state is newer than the scan's.
-- Its key is named beside its place, which row-level security finds no rows by.
UPDATE reconciler.observations
SET seen_scan = $scan_id
WHERE account_id = $account_id
    AND record_id = ANY ($record_ids::text[])
    AND tenant_id = $tenant_id
    AND ctid = ANY (ARRAY(
        SELECT found.place
        FROM unnest($record_ids::text[]) AS seen (record_id)
        CROSS JOIN LATERAL (
            SELECT observations.ctid AS place
            FROM reconciler.observations
            WHERE observations.account_id = $account_id
                AND observations.record_id = seen.record_id
                AND observations.tenant_id = $tenant_id
                AND observations.seen_scan IS DISTINCT FROM $scan_id
            LIMIT 1
        ) AS found
    ));

-- name: drop_emails
-- Take the addresses away that the given records no longer have.
-- Its key is named beside its place, which row-level security finds no rows by.
DELETE FROM reconciler.emails
WHERE account_id = $account_id
    AND record_id = ANY ($record_ids::text[])
    AND tenant_id = $tenant_id
    AND ctid = ANY (ARRAY(
        SELECT had.place
        FROM unnest($record_ids::text[]) AS changed (record_id)
        CROSS JOIN LATERAL (
            SELECT emails.ctid AS place, emails.email
            FROM reconciler.emails
            WHERE emails.account_id = $account_id
                AND emails.record_id = changed.record_id
                AND emails.tenant_id = $tenant_id
            LIMIT $emails_max
        ) AS had
        WHERE (changed.record_id, had.email) NOT IN (
            SELECT kept.record_id, kept.email
            FROM unnest($owners::text[], $emails::text[]) AS kept (record_id, email)
        )
    ))
RETURNING email;

-- name: add_emails
-- Add the addresses that the given records have.
INSERT INTO reconciler.emails (tenant_id, account_id, email, record_id)
SELECT $tenant_id, $account_id, had.email, had.record_id
FROM unnest($owners::text[], $emails::text[]) AS had (record_id, email)
ON CONFLICT (account_id, email, record_id, tenant_id) DO NOTHING;

-- name: add_scans
-- Scans that are asked for, by our own clock: the connector's may differ.
INSERT INTO reconciler.scans (tenant_id, account_id, scan_id, parts_seen, asked_at)
SELECT $tenant_id, asked.account_id, asked.scan_id, 0, $now::timestamptz
FROM unnest($account_ids::text[], $scan_ids::text[]) AS asked (account_id, scan_id);

-- name: find_last_scans
-- When the newest complete scan of an account began, and the newest of all: when they
-- were asked for, if anybody did.
SELECT
    max(coalesce(asked_at, first_read_at))
        FILTER (WHERE completed_at IS NOT NULL) AS read_through,
    max(coalesce(asked_at, first_read_at)) AS asked_at
FROM reconciler.scans
WHERE tenant_id = $tenant_id
    AND account_id = $account_id;

-- name: add_scan_part
-- One row the first time a part of a scan is seen, none after that.
INSERT INTO reconciler.scan_parts (tenant_id, account_id, scan_id, part)
VALUES ($tenant_id, $account_id, $scan_id, $part)
ON CONFLICT (account_id, scan_id, part, tenant_id) DO NOTHING
RETURNING part;

-- name: count_scan_part
-- Count a part; parts arrive in any order, and only one knows how many there are.
INSERT INTO reconciler.scans (
    tenant_id, account_id, scan_id, parts_seen, part_count, first_read_at
)
VALUES ($tenant_id, $account_id, $scan_id, 1, $part_count::integer, $read_at)
ON CONFLICT (account_id, scan_id, tenant_id) DO UPDATE
SET
    parts_seen = scans.parts_seen + 1,
    part_count = coalesce(EXCLUDED.part_count, scans.part_count),
    first_read_at = least(scans.first_read_at, EXCLUDED.first_read_at)
RETURNING parts_seen, part_count, asked_at, first_read_at;

-- name: complete_scan
-- All parts are in, so they need not be told apart any more.
WITH parts AS (
    DELETE FROM reconciler.scan_parts
    WHERE tenant_id = $tenant_id
        AND account_id = $account_id
        AND (
            scan_id = $scan_id
            OR scan_id IN (
                SELECT scan_id
                FROM reconciler.scans
                WHERE tenant_id = $tenant_id
                    AND account_id = $account_id
                    AND coalesce(asked_at, first_read_at) < $begun_at
            )
        )
)
UPDATE reconciler.scans
SET completed_at = $now
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND scan_id = $scan_id;

-- name: find_unseen
-- Live records that a complete scan did not show, longest not read first.
SELECT record_id
FROM reconciler.observations
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND is_live
    AND seen_scan IS DISTINCT FROM $scan_id
    AND read_at < $first_read_at
ORDER BY read_at, record_id
LIMIT $limit;

-- name: mark_changed
-- Have changed records of an account planned, by every connection that uses it.
-- A connection that waits for the very scan that showed them plans all of them later.
INSERT INTO reconciler.dirty (
    tenant_id, connection_id, side, record_id, is_urgent
)
SELECT
    connections.tenant_id, connections.connection_id, ends.side, changed.record_id,
    changed.is_urgent
FROM reconciler.connections
CROSS JOIN LATERAL (
    VALUES
        ('left', connections.left_account, connections.left_scan),
        ('right', connections.right_account, connections.right_scan)
) AS ends (side, account_id, scan_id)
CROSS JOIN unnest($record_ids::text[], $is_urgent::boolean[])
    AS changed (record_id, is_urgent)
WHERE connections.tenant_id = $tenant_id
    AND (connections.left_account = $account_id
        OR connections.right_account = $account_id)
    AND connections.deleted_at IS NULL
    AND ends.account_id = $account_id
    AND (
        connections.state IN ('syncing', 'live', 'needs_attention')
        OR (
            connections.state = 'scanning'
            AND ends.scan_id IS DISTINCT FROM $scan_id::text
        )
    )
ORDER BY 2, 3, 4
ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
SET
    mark = EXCLUDED.mark,
    is_urgent = dirty.is_urgent OR EXCLUDED.is_urgent
RETURNING connection_id;

-- name: mark_sharers
-- Have whoever has an address that a record gave up planned again, and what was refused
-- because of it tried again.
INSERT INTO reconciler.dirty (tenant_id, connection_id, side, record_id, is_check)
SELECT DISTINCT
    connections.tenant_id, connections.connection_id, ends.side, emails.record_id, true
FROM reconciler.connections
CROSS JOIN LATERAL (
    VALUES
        ('left', connections.left_account),
        ('right', connections.right_account)
) AS ends (side, account_id)
CROSS JOIN unnest($emails::text[]) AS freed (email)
CROSS JOIN LATERAL (
    SELECT emails.record_id
    FROM reconciler.emails
    WHERE emails.tenant_id = $tenant_id
        AND emails.account_id = ends.account_id
        AND emails.email = freed.email
    LIMIT $sharers_max
) AS emails
WHERE connections.tenant_id = $tenant_id
    AND (connections.left_account = $account_id
        OR connections.right_account = $account_id)
    AND connections.deleted_at IS NULL
    AND connections.state IN ('scanning', 'syncing', 'live', 'needs_attention')
ORDER BY 2, 3, 4
ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
SET mark = EXCLUDED.mark,
    is_check = true
RETURNING connection_id;

-- name: mark_records
-- Have these records of one connection planned.
INSERT INTO reconciler.dirty (tenant_id, connection_id, side, record_id)
SELECT $tenant_id, $connection_id, marked.side, marked.record_id
FROM unnest($sides::text[], $record_ids::text[]) AS marked (side, record_id)
ORDER BY 3, 4
ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
SET mark = EXCLUDED.mark;

-- name: mark_all
-- Have every record of one side planned that lives or was linked; unsubscribed people
-- first. A check looks at links that nothing has happened to.
INSERT INTO reconciler.dirty (
    tenant_id, connection_id, side, record_id, is_urgent, is_check
)
SELECT
    $tenant_id, $connection_id, $side, observations.record_id,
    observations.is_tight, $is_check
FROM reconciler.observations
WHERE observations.tenant_id = $tenant_id
    AND observations.account_id = $account_id
    AND (
        observations.is_live
        OR (
            SELECT links.link_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.left_record_id = observations.record_id
                AND links.tenant_id = $tenant_id
            LIMIT 1
        ) IS NOT NULL
        OR (
            SELECT links.link_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.right_record_id = observations.record_id
                AND links.tenant_id = $tenant_id
            LIMIT 1
        ) IS NOT NULL
    )
ORDER BY observations.record_id
ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
SET
    mark = CASE WHEN EXCLUDED.is_check THEN EXCLUDED.mark ELSE dirty.mark END,
    is_check = dirty.is_check OR EXCLUDED.is_check;

-- name: load_dirty
-- The records of a connection that wait longest, urgent ones first, without those
-- whose link has a write on its way: they stay until it is answered.
SELECT dirty.side, dirty.record_id, dirty.mark, dirty.is_check
FROM reconciler.dirty
WHERE dirty.connection_id = $connection_id
    AND dirty.tenant_id = $tenant_id
    AND CASE dirty.side
        WHEN 'left' THEN (
            SELECT links.intent_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.left_record_id = dirty.record_id
                AND links.tenant_id = $tenant_id
            LIMIT 1
        )
        ELSE (
            SELECT links.intent_id
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.right_record_id = dirty.record_id
                AND links.tenant_id = $tenant_id
            LIMIT 1
        )
    END IS NULL
    AND (dirty.is_urgent OR NOT $only_urgent::boolean)
ORDER BY dirty.is_urgent DESC, dirty.mark
LIMIT $limit;

-- name: clear_dirty
-- Done with these, unless they were marked again since.
-- Its key is named beside its place, which row-level security finds no rows by.
DELETE FROM reconciler.dirty
WHERE connection_id = $connection_id
    AND side = ANY ($sides::text[])
    AND record_id = ANY ($record_ids::text[])
    AND tenant_id = $tenant_id
    AND ctid = ANY (ARRAY(
        SELECT found.place
        FROM (
            SELECT side, record_id, mark
            FROM unnest($sides::text[], $record_ids::text[], $marks::bigint[])
                AS given (side, record_id, mark)
            ORDER BY side, record_id
        ) AS planned
        CROSS JOIN LATERAL (
            SELECT dirty.ctid AS place
            FROM reconciler.dirty
            WHERE dirty.connection_id = $connection_id
                AND dirty.side = planned.side
                AND dirty.record_id = planned.record_id
                AND dirty.tenant_id = $tenant_id
                AND dirty.mark = planned.mark
            LIMIT 1
            FOR UPDATE
        ) AS found
    ));

-- name: count_dirty
-- How many records wait to be planned.
SELECT count(*) AS waiting
FROM reconciler.dirty
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: count_gone_dirty
-- How many records of a side wait to be planned because they are gone.
SELECT count(*) AS waiting
FROM reconciler.dirty
JOIN reconciler.observations
    ON observations.account_id = $account_id
    AND observations.record_id = dirty.record_id
    AND observations.tenant_id = dirty.tenant_id
WHERE dirty.connection_id = $connection_id
    AND dirty.tenant_id = $tenant_id
    AND dirty.side = $side
    AND NOT observations.is_live;

-- name: load_observed
-- The newest state of records, by account and id.
SELECT
    wanted.account_id, found.record_id, found.record, found.digest, found.read_at,
    found.is_missing, found.live_number, found.is_ours
FROM unnest($account_ids::text[], $record_ids::text[])
    AS wanted (account_id, record_id)
CROSS JOIN LATERAL (
    SELECT
        observations.record_id, observations.record, observations.digest,
        observations.read_at, observations.missing_since IS NOT NULL AS is_missing,
        observations.live_number, observations.is_ours
    FROM reconciler.observations
    WHERE observations.tenant_id = $tenant_id
        AND observations.account_id = wanted.account_id
        AND observations.record_id = wanted.record_id
    LIMIT 1
) AS found;

-- name: find_sharers
-- Records of both accounts that share an address with the given ones, or with one
-- that does; a few an address, because more change no decision.
WITH near AS (
    SELECT DISTINCT other.account_id, other.record_id
    FROM unnest($account_ids::text[], $record_ids::text[])
        AS given (account_id, record_id)
    CROSS JOIN LATERAL (
        SELECT emails.email
        FROM reconciler.emails
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = given.account_id
            AND emails.record_id = given.record_id
        LIMIT $emails_max
    ) AS own
    CROSS JOIN unnest($both_accounts::text[]) AS ends (account_id)
    CROSS JOIN LATERAL (
        SELECT emails.account_id, emails.record_id
        FROM reconciler.emails
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = ends.account_id
            AND emails.email = own.email
        LIMIT $sharers_max
    ) AS other
), next AS (
    SELECT DISTINCT other.account_id, other.record_id
    FROM near
    CROSS JOIN LATERAL (
        SELECT emails.email
        FROM reconciler.emails
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = near.account_id
            AND emails.record_id = near.record_id
        LIMIT $emails_max
    ) AS own
    CROSS JOIN unnest($both_accounts::text[]) AS ends (account_id)
    CROSS JOIN LATERAL (
        SELECT emails.account_id, emails.record_id
        FROM reconciler.emails
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = ends.account_id
            AND emails.email = own.email
        LIMIT $sharers_max
    ) AS other
)
SELECT account_id, record_id
FROM near
UNION
SELECT account_id, record_id
FROM next;

-- name: find_owners
-- Which records of an account have any of these addresses; a few an address.
SELECT DISTINCT found.record_id
FROM unnest($emails::text[]) AS wanted (email)
CROSS JOIN LATERAL (
    SELECT emails.record_id
    FROM reconciler.emails
    WHERE emails.tenant_id = $tenant_id
        AND emails.account_id = $account_id
        AND emails.email = wanted.email
    LIMIT $sharers_max
) AS found;

-- name: load_links_of_records
-- The links that the given records of either side are on; once for each side.
SELECT found.link_id, found.body, found.version
FROM unnest($left_ids::text[]) AS wanted (record_id)
CROSS JOIN LATERAL (
    SELECT links.link_id, links.body, links.version
    FROM reconciler.links
    WHERE links.connection_id = $connection_id
        AND links.left_record_id = wanted.record_id
        AND links.tenant_id = $tenant_id
    LIMIT 1
) AS found
UNION ALL
SELECT found.link_id, found.body, found.version
FROM unnest($right_ids::text[]) AS wanted (record_id)
CROSS JOIN LATERAL (
    SELECT links.link_id, links.body, links.version
    FROM reconciler.links
    WHERE links.connection_id = $connection_id
        AND links.right_record_id = wanted.record_id
        AND links.tenant_id = $tenant_id
    LIMIT 1
) AS found;

-- name: find_links_around
-- Those of a connection's records from which links of all connections lead to its other
-- account, over at most $steps_max of them; nothing is asked where there is no other.
WITH RECURSIVE around AS (
    SELECT
        wanted.side,
        wanted.record_id,
        wanted.goal,
        wanted.account_id AS at_account,
        wanted.record_id AS at_record,
        0 AS steps
    FROM (
        SELECT
            'left' AS side,
            ids.record_id,
            $left_account::text AS account_id,
            $right_account::text AS goal
        FROM unnest($left_ids::text[]) AS ids (record_id)
        UNION ALL
        SELECT 'right', ids.record_id, $right_account::text, $left_account::text
        FROM unnest($right_ids::text[]) AS ids (record_id)
    ) AS wanted
    WHERE EXISTS (
        SELECT 1
        FROM reconciler.connections
        WHERE (
                connections.left_account IN ($left_account, $right_account)
                OR connections.right_account IN ($left_account, $right_account)
            )
            AND connections.tenant_id = $tenant_id
            AND connections.connection_id <> $connection_id
            AND connections.deleted_at IS NULL
    )
    UNION
    SELECT
        around.side,
        around.record_id,
        around.goal,
        step.account_id,
        step.record_id,
        around.steps + 1
    FROM around
    CROSS JOIN LATERAL (
        SELECT
            connections.right_account AS account_id,
            links.right_record_id AS record_id
        FROM reconciler.connections
        JOIN reconciler.links
            ON links.connection_id = connections.connection_id
            AND links.left_record_id = around.at_record
            AND links.tenant_id = connections.tenant_id
        WHERE connections.left_account = around.at_account
            AND connections.tenant_id = $tenant_id
            AND connections.deleted_at IS NULL
            AND links.right_record_id IS NOT NULL
        UNION ALL
        SELECT connections.left_account, links.left_record_id
        FROM reconciler.connections
        JOIN reconciler.links
            ON links.connection_id = connections.connection_id
            AND links.right_record_id = around.at_record
            AND links.tenant_id = connections.tenant_id
        WHERE connections.right_account = around.at_account
            AND connections.tenant_id = $tenant_id
            AND connections.deleted_at IS NULL
            AND links.left_record_id IS NOT NULL
    ) AS step
    WHERE around.steps < $steps_max::integer
        AND around.at_account <> around.goal
)
SELECT DISTINCT around.side, around.record_id
FROM around
WHERE around.at_account = around.goal;

-- name: load_links
-- Links by their ids.
SELECT link_id, body, version
FROM reconciler.links
WHERE connection_id = $connection_id
    AND link_id = ANY ($link_ids::text[])
    AND tenant_id = $tenant_id;

-- name: lock_links
-- Links by their ids, kept from changing until the commit.
SELECT found.link_id, found.body, found.version
FROM unnest($link_ids::text[]) AS wanted (link_id)
CROSS JOIN LATERAL (
    SELECT links.link_id, links.body, links.version
    FROM reconciler.links
    WHERE links.connection_id = $connection_id
        AND links.link_id = wanted.link_id
        AND links.tenant_id = $tenant_id
    LIMIT 1
    FOR UPDATE
) AS found;

-- name: save_links
-- Store links, new ones and those that are still as they were loaded; returns the
-- ids stored, so that a missing one shows that another replica was faster.
INSERT INTO reconciler.links (
    tenant_id, connection_id, link_id, left_record_id, right_record_id, state,
    reason, body, name, email, intent_id, retry_at, changed_at, version
)
SELECT
    $tenant_id, $connection_id, kept.link_id, kept.left_record_id,
    kept.right_record_id, kept.state, kept.reason, kept.body, kept.name, kept.email,
    kept.intent_id, kept.retry_at, $now, kept.version
FROM unnest(
    $link_ids::text[], $left_ids::text[], $right_ids::text[], $states::text[],
    $reasons::text[], $bodies::bytea[], $names::text[], $emails::text[],
    $intent_ids::text[], $retry_at::timestamptz[], $versions::bigint[]
) AS kept (
    link_id, left_record_id, right_record_id, state, reason, body, name, email,
    intent_id, retry_at, version
)
ORDER BY kept.link_id
ON CONFLICT (connection_id, link_id, tenant_id) DO UPDATE
SET
    left_record_id = EXCLUDED.left_record_id,
    right_record_id = EXCLUDED.right_record_id,
    state = EXCLUDED.state,
    reason = EXCLUDED.reason,
    body = EXCLUDED.body,
    name = coalesce(nullif(EXCLUDED.name, ''), links.name),
    email = coalesce(nullif(EXCLUDED.email, ''), links.email),
    intent_id = EXCLUDED.intent_id,
    retry_at = EXCLUDED.retry_at,
    changed_at = EXCLUDED.changed_at,
    version = EXCLUDED.version
WHERE links.version = EXCLUDED.version - 1
RETURNING link_id;

-- name: drop_links
-- Remove one-sided links that gave way to a two-sided one, or whose record is gone.
-- Its key is named beside its place, which row-level security finds no rows by.
DELETE FROM reconciler.links
WHERE connection_id = $connection_id
    AND link_id = ANY ($link_ids::text[])
    AND tenant_id = $tenant_id
    AND ctid = ANY (ARRAY(
        SELECT found.place
        FROM unnest($link_ids::text[]) AS dropped (link_id)
        CROSS JOIN LATERAL (
            SELECT links.ctid AS place
            FROM reconciler.links
            WHERE links.connection_id = $connection_id
                AND links.link_id = dropped.link_id
                AND links.tenant_id = $tenant_id
                AND links.intent_id IS NULL
            LIMIT 1
            FOR UPDATE
        ) AS found
    ))
RETURNING link_id;

-- name: count_open_intents
-- How many writes of a connection are on their way. Of whom nobody could tell what became
-- is held, and keeps nobody else waiting.
SELECT count(*) AS waiting
FROM reconciler.intents
WHERE intents.tenant_id = $tenant_id
    AND intents.connection_id = $connection_id
    AND intents.state IN ('open', 'unknown')
    AND (intents.state = 'open' OR NOT EXISTS (
        SELECT FROM reconciler.links
        WHERE links.tenant_id = $tenant_id
            AND links.connection_id = $connection_id
            AND links.link_id = intents.link_id
            AND links.reason = $untold
    ));

-- name: add_intents
-- Writes, stored before they are tried.
INSERT INTO reconciler.intents (
    tenant_id, connection_id, intent_id, link_id, account_id, side, kind, state,
    body, is_destructive, decided_at, look_at, source_id
)
SELECT
    $tenant_id, $connection_id, made.intent_id, made.link_id, made.account_id,
    made.side, made.kind, 'open', made.body, made.is_destructive, $now, $look_at,
    made.source_id
FROM unnest(
    $intent_ids::text[], $link_ids::text[], $account_ids::text[], $sides::text[],
    $kinds::text[], $bodies::bytea[], $is_destructive::boolean[], $source_ids::text[]
) AS made (
    intent_id, link_id, account_id, side, kind, body, is_destructive, source_id
);

-- name: count_destructive
-- How many writes that undo something were decided since then, by side.
SELECT side, count(*) AS decided
FROM reconciler.intents
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND is_destructive
    AND decided_at > $since
GROUP BY side;

-- name: count_two_sided
-- How many contacts of a connection are on both sides.
SELECT count(*) AS linked
FROM reconciler.links
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND left_record_id IS NOT NULL
    AND right_record_id IS NOT NULL;

-- name: trip_guards
-- Hold everything that undoes something on a side; returns whom that is news for.
-- Leases end, because who plans goes by the guards as they were when it began.
UPDATE reconciler.connections
SET
    lease_until = NULL,
    lease_version = lease_version + 1,
    guard_left_at = CASE
        WHEN $is_left THEN coalesce(guard_left_at, $now::timestamptz)
        ELSE guard_left_at
    END,
    guard_right_at = CASE
        WHEN $is_left THEN guard_right_at
        ELSE coalesce(guard_right_at, $now::timestamptz)
    END
WHERE tenant_id = $tenant_id
    AND connection_id = ANY ($connection_ids::text[])
    AND CASE WHEN $is_left THEN guard_left_at ELSE guard_right_at END IS NULL
    AND (approved_until IS NULL OR approved_until <= $now)
    AND deleted_at IS NULL
RETURNING connection_id;

-- name: approve_changes
-- Let everything go ahead that the guards hold, and what comes until then; leases
-- end, so that nobody holds anything for guards that it knows from before.
UPDATE reconciler.connections
SET
    lease_until = NULL,
    lease_version = lease_version + 1,
    guard_left_at = NULL,
    guard_right_at = NULL,
    approved_until = $until
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: mark_held
-- Have the contacts planned again that are held for one reason.
INSERT INTO reconciler.dirty (tenant_id, connection_id, side, record_id)
SELECT links.tenant_id, links.connection_id, ends.side, ends.record_id
FROM reconciler.links
CROSS JOIN LATERAL (
    VALUES ('left', links.left_record_id), ('right', links.right_record_id)
) AS ends (side, record_id)
WHERE links.tenant_id = $tenant_id
    AND links.connection_id = $connection_id
    AND links.state = 'held'
    AND links.reason = $reason
    AND ends.record_id IS NOT NULL
ORDER BY 1, 2, 3, 4
ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
SET mark = EXCLUDED.mark;

-- name: lock_unswept
-- The live connection whose last full comparison was begun longest ago, before then.
SELECT
    tenant_id, connection_id, settings, renewed, left_side, right_side, state,
    attention, attention_side, guard_left_at, guard_right_at, approved_until, version,
    created_at, started_at, left_scanned, right_scanned, sync_started_at,
    lease_version, planned, done, failed, created_left, created_right,
    updated_left, updated_right
FROM reconciler.connections
WHERE state = 'live'
    AND deleted_at IS NULL
    AND coalesce(sweep_asked_at, scan_asked_at) <= $before
ORDER BY coalesce(sweep_asked_at, scan_asked_at)
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: await_sweep
-- Note the scans that a full comparison waits for, and when they were asked for.
UPDATE reconciler.connections
SET
    sweep_asked_at = $asked_at,
    left_sweep = $left_scan,
    right_sweep = $right_scan
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id;

-- name: find_swept
-- The comparisons that a complete scan serves: whoever asked for it, or had asked before
-- it began, for the account is only scanned for who asked last.
SELECT
    connection_id, left_account, right_account,
    left_sweep IS NULL OR (
        left_account = $account_id
        AND (left_sweep = $scan_id OR sweep_asked_at <= $begun_at) IS TRUE
    ) AS left_scanned,
    right_sweep IS NULL OR (
        right_account = $account_id
        AND (right_sweep = $scan_id OR sweep_asked_at <= $begun_at) IS TRUE
    ) AS right_scanned
FROM reconciler.connections
WHERE tenant_id = $tenant_id
    AND (
        (
            left_account = $account_id
            AND left_sweep IS NOT NULL
            AND (left_sweep = $scan_id OR sweep_asked_at <= $begun_at) IS TRUE
        )
        OR (
            right_account = $account_id
            AND right_sweep IS NOT NULL
            AND (right_sweep = $scan_id OR sweep_asked_at <= $begun_at) IS TRUE
        )
    )
    AND deleted_at IS NULL;

-- name: note_swept
-- A scan of an account is complete: tell those of these comparisons that still wait.
WITH waiting AS (
    SELECT connection_id AS waiting_id
    FROM reconciler.connections
    WHERE tenant_id = $tenant_id
        AND connection_id = ANY ($connection_ids::text[])
        AND (left_sweep IS NOT NULL OR right_sweep IS NOT NULL)
        AND deleted_at IS NULL
    ORDER BY connection_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET
    left_sweep = CASE
        WHEN left_account = $account_id
            AND (left_sweep = $scan_id OR sweep_asked_at <= $begun_at)
        THEN NULL
        ELSE left_sweep
    END,
    right_sweep = CASE
        WHEN right_account = $account_id
            AND (right_sweep = $scan_id OR sweep_asked_at <= $begun_at)
        THEN NULL
        ELSE right_sweep
    END
FROM waiting
WHERE tenant_id = $tenant_id
    AND connection_id = waiting_id
RETURNING
    connection_id, left_account, right_account,
    left_sweep IS NULL AS left_scanned, right_sweep IS NULL AS right_scanned;

-- name: lock_open_intents
-- Those of the given intents that are still open.
SELECT found.intent_id, found.link_id, found.body, found.number, found.sent_at
FROM unnest($intent_ids::text[]) AS wanted (intent_id)
CROSS JOIN LATERAL (
    SELECT
        intents.intent_id, intents.link_id, intents.body, intents.number,
        intents.sent_at, intents.state
    FROM reconciler.intents
    WHERE intents.connection_id = $connection_id
        AND intents.intent_id = wanted.intent_id
        AND intents.tenant_id = $tenant_id
    LIMIT 1
    FOR UPDATE
) AS found
WHERE found.state IN ('open', 'unknown');

-- name: save_intents
-- Note what became of intents, which are there already; closed ones stay as history.
INSERT INTO reconciler.intents (
    tenant_id, connection_id, intent_id, link_id, account_id, side, kind, state,
    body, decided_at, sent_at, look_at, closed_at, outcome, reason
)
SELECT
    $tenant_id, $connection_id, told.intent_id, told.link_id, told.account_id,
    told.side, told.kind, told.state, told.body, $now::timestamptz, told.sent_at,
    told.look_at,
    CASE WHEN told.state IN ('done', 'dead') THEN $now::timestamptz END,
    told.outcome, told.reason
FROM unnest(
    $intent_ids::text[], $link_ids::text[], $account_ids::text[], $sides::text[],
    $kinds::text[], $states::text[], $bodies::bytea[], $sent_at::timestamptz[],
    $look_at::timestamptz[], $outcomes::text[], $reasons::text[]
) AS told (
    intent_id, link_id, account_id, side, kind, state, body, sent_at, look_at,
    outcome, reason
)
ON CONFLICT (connection_id, intent_id, tenant_id) DO UPDATE
SET
    state = EXCLUDED.state,
    body = EXCLUDED.body,
    sent_at = coalesce(EXCLUDED.sent_at, intents.sent_at),
    look_at = EXCLUDED.look_at,
    closed_at = EXCLUDED.closed_at,
    outcome = EXCLUDED.outcome,
    reason = EXCLUDED.reason;

-- name: find_open_creates
-- The number of the first of an account's creates whose outcome nobody knows yet, but
-- for some; those from before $after are waited for no longer.
SELECT wanted.account_id, found.number
FROM unnest($account_ids::text[]) AS wanted (account_id)
CROSS JOIN LATERAL (
    SELECT min(intents.number) AS number
    FROM reconciler.intents
    JOIN reconciler.connections
        ON connections.connection_id = intents.connection_id
        AND connections.tenant_id = intents.tenant_id
    WHERE intents.account_id = wanted.account_id
        AND intents.tenant_id = $tenant_id
        AND intents.kind = 'create'
        AND intents.state IN ('open', 'unknown')
        AND NOT intents.intent_id = ANY ($but::text[])
        AND greatest(intents.decided_at, connections.sync_started_at)
            > $after::timestamptz
        AND connections.deleted_at IS NULL
) AS found
WHERE found.number IS NOT NULL;

-- name: find_creating
-- The connections that have creates without an answer in an account; those from before
-- $after are waited for no longer.
SELECT DISTINCT intents.connection_id
FROM reconciler.intents
JOIN reconciler.connections
    ON connections.connection_id = intents.connection_id
    AND connections.tenant_id = intents.tenant_id
WHERE intents.account_id = $account_id
    AND intents.tenant_id = $tenant_id
    AND intents.kind = 'create'
    AND intents.state IN ('open', 'unknown')
    AND greatest(intents.decided_at, connections.sync_started_at)
        > $after::timestamptz
    AND connections.deleted_at IS NULL;

-- name: load_open_creates
-- Creates of a connection without an answer, those whose answer is lost first and then
-- the oldest; those from before $after are waited for no longer.
SELECT intents.body, intents.number
FROM reconciler.intents
JOIN reconciler.connections
    ON connections.connection_id = intents.connection_id
    AND connections.tenant_id = intents.tenant_id
WHERE intents.connection_id = $connection_id
    AND intents.tenant_id = $tenant_id
    AND intents.account_id = ANY ($account_ids::text[])
    AND intents.kind = 'create'
    AND intents.state IN ('open', 'unknown')
    AND greatest(intents.decided_at, connections.sync_started_at)
        > $after::timestamptz
    AND connections.deleted_at IS NULL
ORDER BY intents.state = 'open', intents.decided_at, intents.intent_id
LIMIT $limit;

-- name: add_losses
-- Values that gave way in a conflict.
INSERT INTO reconciler.losses (
    tenant_id, connection_id, intent_id, mapping_id, side, fields, lost_at
)
SELECT
    $tenant_id, $connection_id, lost.intent_id, lost.mapping_id, lost.side,
    lost.fields, $now
FROM unnest(
    $intent_ids::text[], $mapping_ids::text[], $sides::text[], $fields::bytea[]
) AS lost (intent_id, mapping_id, side, fields)
ON CONFLICT (connection_id, intent_id, mapping_id, side, tenant_id) DO NOTHING;

-- name: claim_looks
-- Open intents whose fate should be looked up by now, of connections that run;
-- each is due again later, should the answer be lost too.
UPDATE reconciler.intents
SET look_at = $again_at
FROM reconciler.connections
WHERE connections.tenant_id = intents.tenant_id
    AND connections.connection_id = intents.connection_id
    AND intents.ctid = ANY (ARRAY(
        SELECT due.ctid
        FROM reconciler.intents AS due
        JOIN reconciler.connections AS running
            ON running.tenant_id = due.tenant_id
            AND running.connection_id = due.connection_id
        WHERE due.look_at <= $now
            AND due.state IN ('open', 'unknown')
            AND running.state IN ('syncing', 'live')
            AND running.deleted_at IS NULL
        ORDER BY due.look_at
        LIMIT $limit
        FOR UPDATE OF due SKIP LOCKED
    ))
RETURNING
    intents.tenant_id, intents.connection_id, intents.account_id, intents.side,
    intents.body, connections.left_side, connections.right_side;

-- name: retry_links
-- Has links planned again whose next try is due, of connections that run. Each is
-- due once; its own row says in full when it was to be tried.
WITH due AS (
    UPDATE reconciler.links
    SET retry_at = NULL
    WHERE ctid = ANY (ARRAY(
        SELECT waiting.ctid
        FROM reconciler.links AS waiting
        JOIN reconciler.connections AS running
            ON running.tenant_id = waiting.tenant_id
            AND running.connection_id = waiting.connection_id
        WHERE waiting.retry_at <= $now
            AND running.state IN ('syncing', 'live')
            AND running.deleted_at IS NULL
        ORDER BY waiting.retry_at
        LIMIT $limit
        FOR UPDATE OF waiting SKIP LOCKED
    ))
    RETURNING tenant_id, connection_id, left_record_id, right_record_id
), marked AS (
    INSERT INTO reconciler.dirty (tenant_id, connection_id, side, record_id)
    SELECT due.tenant_id, due.connection_id, ends.side, ends.record_id
    FROM due
    CROSS JOIN LATERAL (
        VALUES ('left', due.left_record_id), ('right', due.right_record_id)
    ) AS ends (side, record_id)
    WHERE ends.record_id IS NOT NULL
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (connection_id, side, record_id, tenant_id) DO UPDATE
    SET mark = EXCLUDED.mark
    RETURNING tenant_id, connection_id
), concerned AS (
    SELECT tenant_id, connection_id
    FROM reconciler.connections
    WHERE (tenant_id, connection_id) IN (
        SELECT tenant_id, connection_id
        FROM marked
    )
    ORDER BY connection_id, tenant_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET due_at = $now
FROM concerned
WHERE connections.tenant_id = concerned.tenant_id
    AND connections.connection_id = concerned.connection_id;

-- name: count_links
-- Contacts of a connection by state, and how many of them have both sides.
SELECT
    state,
    count(*) AS contacts,
    count(*) FILTER (
        WHERE left_record_id IS NOT NULL AND right_record_id IS NOT NULL
    ) AS linked
FROM reconciler.links
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
GROUP BY state;

-- name: list_links
-- A page of the contacts of a connection, oldest first.
SELECT link_id, body, name, email, changed_at
FROM reconciler.links
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND link_id > $after
ORDER BY link_id
LIMIT $limit;

-- name: list_links_in_state
-- A page of the contacts of a connection that are in one state, oldest first.
SELECT link_id, body, name, email, changed_at
FROM reconciler.links
WHERE tenant_id = $tenant_id
    AND connection_id = $connection_id
    AND state = $state
    AND link_id > $after
ORDER BY link_id
LIMIT $limit;

-- name: list_links_with_email
-- A page of the contacts of a connection one of whose records has an address.
SELECT links.link_id, links.body, links.name, links.email, links.changed_at
FROM reconciler.links
WHERE links.tenant_id = $tenant_id
    AND links.connection_id = $connection_id
    AND links.link_id > $after
    AND ($state::text IS NULL OR links.state = $state::text)
    AND links.link_id IN (
        SELECT named.link_id
        FROM reconciler.emails
        JOIN reconciler.links AS named
            ON named.tenant_id = emails.tenant_id
            AND named.connection_id = $connection_id
            AND named.left_record_id = emails.record_id
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = $left_account
            AND emails.email = $email
        UNION
        SELECT named.link_id
        FROM reconciler.emails
        JOIN reconciler.links AS named
            ON named.tenant_id = emails.tenant_id
            AND named.connection_id = $connection_id
            AND named.right_record_id = emails.record_id
        WHERE emails.tenant_id = $tenant_id
            AND emails.account_id = $right_account
            AND emails.email = $email
    )
ORDER BY links.link_id
LIMIT $limit;

-- name: purge_links
-- A batch of the links of deleted connections.
DELETE FROM reconciler.links
WHERE ctid = ANY (ARRAY(
    SELECT links.ctid
    FROM reconciler.connections
    JOIN reconciler.links USING (tenant_id, connection_id)
    WHERE connections.deleted_at IS NOT NULL
    LIMIT $limit
));

-- name: purge_dirty
-- A batch of what waits for deleted connections.
DELETE FROM reconciler.dirty
WHERE ctid = ANY (ARRAY(
    SELECT dirty.ctid
    FROM reconciler.connections
    JOIN reconciler.dirty USING (tenant_id, connection_id)
    WHERE connections.deleted_at IS NOT NULL
    LIMIT $limit
));

-- name: purge_intents
-- A batch of the history of deleted connections.
DELETE FROM reconciler.intents
WHERE ctid = ANY (ARRAY(
    SELECT intents.ctid
    FROM reconciler.connections
    JOIN reconciler.intents USING (tenant_id, connection_id)
    WHERE connections.deleted_at IS NOT NULL
    LIMIT $limit
));

-- name: purge_losses
-- A batch of the values kept for deleted connections.
DELETE FROM reconciler.losses
WHERE ctid = ANY (ARRAY(
    SELECT losses.ctid
    FROM reconciler.connections
    JOIN reconciler.losses USING (tenant_id, connection_id)
    WHERE connections.deleted_at IS NOT NULL
    LIMIT $limit
));

-- name: purge_connections
-- Deleted connections of which nothing else is left.
DELETE FROM reconciler.connections
WHERE deleted_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.links
        WHERE links.tenant_id = connections.tenant_id
            AND links.connection_id = connections.connection_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.dirty
        WHERE dirty.tenant_id = connections.tenant_id
            AND dirty.connection_id = connections.connection_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.intents
        WHERE intents.tenant_id = connections.tenant_id
            AND intents.connection_id = connections.connection_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.losses
        WHERE losses.tenant_id = connections.tenant_id
            AND losses.connection_id = connections.connection_id
    );

-- name: purge_observations
-- A batch of what was observed of accounts that no connection is left for.
DELETE FROM reconciler.observations
WHERE ctid = ANY (ARRAY(
    SELECT observations.ctid
    FROM reconciler.accounts
    JOIN reconciler.observations USING (tenant_id, account_id)
    WHERE accounts.unused_since IS NOT NULL
    LIMIT $limit
));

-- name: purge_emails
-- A batch of the addresses of accounts that no connection is left for.
DELETE FROM reconciler.emails
WHERE ctid = ANY (ARRAY(
    SELECT emails.ctid
    FROM reconciler.accounts
    JOIN reconciler.emails USING (tenant_id, account_id)
    WHERE accounts.unused_since IS NOT NULL
    LIMIT $limit
));

-- name: purge_scan_parts
-- A batch of the scan parts of accounts that no connection is left for.
DELETE FROM reconciler.scan_parts
WHERE ctid = ANY (ARRAY(
    SELECT scan_parts.ctid
    FROM reconciler.accounts
    JOIN reconciler.scan_parts USING (tenant_id, account_id)
    WHERE accounts.unused_since IS NOT NULL
    LIMIT $limit
));

-- name: purge_scans
-- Scans that are over for long, and those of accounts no connection is left for.
DELETE FROM reconciler.scans
WHERE ctid = ANY (ARRAY(
    SELECT scans.ctid
    FROM reconciler.scans
    LEFT JOIN reconciler.accounts USING (tenant_id, account_id)
    WHERE accounts.account_id IS NULL
        OR accounts.unused_since IS NOT NULL
        OR coalesce(scans.asked_at, scans.first_read_at) < $before
    LIMIT $limit
));

-- name: purge_accounts
-- Accounts that no connection is left for, once nothing else is left of them.
DELETE FROM reconciler.accounts
WHERE unused_since IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.observations
        WHERE observations.tenant_id = accounts.tenant_id
            AND observations.account_id = accounts.account_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM reconciler.emails
        WHERE emails.tenant_id = accounts.tenant_id
            AND emails.account_id = accounts.account_id
    );

-- name: find_suppressed
-- Which of these keyed hashes are of somebody who was erased, and by which erasure.
SELECT suppressions.digest, suppressions.erasure_id
FROM reconciler.suppressions
WHERE suppressions.tenant_id = $tenant_id
    AND suppressions.digest = ANY ($digests::bytea[]);

-- name: add_suppressions
-- Whom not to import again; who is known is known by the newest erasure. One who was
-- seen since has a time.
INSERT INTO reconciler.suppressions (
    tenant_id, digest, key_id, account_id, erasure_id, created_at, seen_at
)
SELECT
    $tenant_id, kept.digest, $key_id, kept.account_id, kept.erasure_id, $now,
    $seen_at::timestamptz
FROM unnest($digests::bytea[], $account_ids::text[], $erasure_ids::text[])
    AS kept (digest, account_id, erasure_id)
ORDER BY kept.digest
ON CONFLICT (tenant_id, digest) DO UPDATE
SET
    erasure_id = EXCLUDED.erasure_id,
    seen_at = coalesce(EXCLUDED.seen_at, suppressions.seen_at);

-- name: count_suppressed
-- How many records that accounts showed were left out because their person was erased.
SELECT count(*) AS suppressed
FROM reconciler.suppressions
WHERE account_id = ANY ($account_ids::text[])
    AND account_id <> ''
    AND tenant_id = $tenant_id
    AND seen_at IS NOT NULL;

-- name: claim_erasure
-- An erasure that is due, for one replica at a time until the commit.
SELECT tenant_id, erasure_id
FROM reconciler.erasures
WHERE next_at <= $now
ORDER BY next_at
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: list_suppression_keys
-- Which keys the hashes and notes of all tenants were made with.
SELECT suppressions.key_id
FROM reconciler.suppressions
UNION
SELECT erasures.key_id
FROM reconciler.erasures;

-- name: forget_history
-- A batch of the writes that were over before then, with what gave way to them.
WITH old AS (
    SELECT intents.tenant_id, intents.connection_id, intents.intent_id
    FROM reconciler.intents
    WHERE intents.closed_at < $before::timestamptz
    ORDER BY intents.closed_at
    LIMIT $limit
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM reconciler.losses
    USING old
    WHERE losses.connection_id = old.connection_id
        AND losses.intent_id = old.intent_id
        AND losses.tenant_id = old.tenant_id
)
DELETE FROM reconciler.intents
USING old
WHERE intents.connection_id = old.connection_id
    AND intents.intent_id = old.intent_id
    AND intents.tenant_id = old.tenant_id;

-- name: forget_erasures
-- A batch of the erasures that were over before then.
DELETE FROM reconciler.erasures
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM reconciler.erasures AS old
    WHERE old.finished_at < $before::timestamptz
    ORDER BY old.finished_at
    LIMIT $limit
    FOR UPDATE SKIP LOCKED
));
