-- name: add_erasure
-- Somebody is to be erased; nothing has been done yet.
INSERT INTO reconciler.erasures (
    tenant_id, erasure_id, digest, key_id, step, subject, asked_at, next_at, step_at
)
VALUES (
    $tenant_id, $erasure_id, $digest, $key_id, 'begun', $subject, $now, $now, $now
);

-- name: load_erasure
-- One erasure, as far as it is.
SELECT
    erasure_id, digest, key_id, step, subject, remains, asked_at, next_at, fence,
    step_at, traces_at, finished_at, records, links, writes, shared_emails
FROM reconciler.erasures
WHERE tenant_id = $tenant_id
    AND erasure_id = $erasure_id;

-- name: list_erasures
-- A page of a tenant's erasures, oldest first.
SELECT
    erasure_id, digest, key_id, step, subject, remains, asked_at, next_at, fence,
    step_at, traces_at, finished_at, records, links, writes, shared_emails
FROM reconciler.erasures
WHERE tenant_id = $tenant_id
    AND erasure_id > $after
ORDER BY erasure_id
LIMIT $limit;

-- name: save_erasure
-- How far an erasure is after a step.
UPDATE reconciler.erasures
SET
    step = $step,
    subject = $subject,
    remains = $remains,
    next_at = $next_at,
    fence = $fence,
    step_at = $step_at,
    traces_at = $traces_at,
    finished_at = $finished_at,
    records = $records,
    links = $links,
    writes = $writes,
    shared_emails = $shared_emails
WHERE tenant_id = $tenant_id
    AND erasure_id = $erasure_id;

-- name: note_traces_erased
-- The connector has nothing any more; an erasure that is over already stays so.
UPDATE reconciler.erasures
SET
    traces_at = $at,
    next_at = $now
WHERE tenant_id = $tenant_id
    AND erasure_id = $erasure_id
    AND next_at IS NOT NULL;

-- name: drop_suppressions
-- Lets everybody be imported again whom the erasures removed that these hashes are of.
DELETE FROM reconciler.suppressions
WHERE tenant_id = $tenant_id
    AND erasure_id IN (
        SELECT known.erasure_id
        FROM reconciler.suppressions AS known
        WHERE known.tenant_id = $tenant_id
            AND known.digest = ANY ($digests::bytea[])
    );

-- name: draw_fence
-- A number that every transaction begun by now is below.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS fence;

-- name: is_past_fence
-- Whether every transaction that wrote anything below the fence is over.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $fence AS is_past;

-- name: list_apps_of_accounts
-- Every account that anything is kept of, with its app.
SELECT account_id, app
FROM reconciler.accounts
WHERE tenant_id = $tenant_id
ORDER BY account_id;

-- name: find_records_of_emails
-- Which records have any of these addresses.
SELECT found.account_id, found.record_id, found.email
FROM unnest($account_ids::text[]) AS every (account_id)
CROSS JOIN unnest($emails::text[]) AS wanted (email)
CROSS JOIN LATERAL (
    SELECT emails.account_id, emails.record_id, emails.email
    FROM reconciler.emails
    WHERE emails.account_id = every.account_id
        AND emails.email = wanted.email
        AND emails.tenant_id = $tenant_id
    LIMIT $limit
) AS found
LIMIT $limit;

-- name: find_emails_of_records
-- Which addresses records have.
SELECT DISTINCT emails.email
FROM unnest($account_ids::text[], $record_ids::text[])
    AS wanted (account_id, record_id)
CROSS JOIN LATERAL (
    SELECT had.email
    FROM reconciler.emails AS had
    WHERE had.account_id = wanted.account_id
        AND had.record_id = wanted.record_id
        AND had.tenant_id = $tenant_id
    LIMIT $emails_max
) AS emails
ORDER BY emails.email;

-- name: find_links_of_emails
-- Which links are listed under any of these addresses, in lower case.
SELECT
    found.connection_id, found.link_id, found.email, connections.left_account,
    connections.right_account, found.left_record_id, found.right_record_id
FROM reconciler.connections
CROSS JOIN unnest($emails::text[]) AS wanted (email)
CROSS JOIN LATERAL (
    SELECT
        links.connection_id, links.link_id, links.email, links.left_record_id,
        links.right_record_id
    FROM reconciler.links
    WHERE links.connection_id = connections.connection_id
        AND lower(links.email) = wanted.email
        AND links.email <> ''
        AND links.tenant_id = $tenant_id
    LIMIT $limit
) AS found
WHERE connections.tenant_id = $tenant_id
LIMIT $limit;

-- name: find_links_of_places
-- Which links are about any of these records, of every connection.
SELECT
    found.connection_id, found.link_id, found.email, connections.left_account,
    connections.right_account, found.left_record_id, found.right_record_id
FROM unnest($account_ids::text[], $record_ids::text[])
    AS wanted (account_id, record_id)
JOIN reconciler.connections
    ON connections.left_account = wanted.account_id
    AND connections.tenant_id = $tenant_id
CROSS JOIN LATERAL (
    SELECT
        links.connection_id, links.link_id, links.email, links.left_record_id,
        links.right_record_id
    FROM reconciler.links
    WHERE links.connection_id = connections.connection_id
        AND links.left_record_id = wanted.record_id
        AND links.tenant_id = $tenant_id
    LIMIT 1
) AS found
UNION
SELECT
    found.connection_id, found.link_id, found.email, connections.left_account,
    connections.right_account, found.left_record_id, found.right_record_id
FROM unnest($account_ids::text[], $record_ids::text[])
    AS wanted (account_id, record_id)
JOIN reconciler.connections
    ON connections.right_account = wanted.account_id
    AND connections.tenant_id = $tenant_id
CROSS JOIN LATERAL (
    SELECT
        links.connection_id, links.link_id, links.email, links.left_record_id,
        links.right_record_id
    FROM reconciler.links
    WHERE links.connection_id = connections.connection_id
        AND links.right_record_id = wanted.record_id
        AND links.tenant_id = $tenant_id
    LIMIT 1
) AS found;

-- name: find_named_link
-- One link, wherever its records are.
SELECT
    links.connection_id, links.link_id, links.email, connections.left_account,
    connections.right_account, links.left_record_id, links.right_record_id
FROM reconciler.links
JOIN reconciler.connections
    ON connections.connection_id = links.connection_id
    AND connections.tenant_id = links.tenant_id
WHERE links.connection_id = $connection_id
    AND links.link_id = $link_id
    AND links.tenant_id = $tenant_id;

-- name: find_open_writes_of_links
-- Writes of links that nobody knows the outcome of yet.
SELECT
    found.connection_id, found.intent_id, found.account_id, found.kind, found.state,
    found.decided_at
FROM unnest($connection_ids::text[], $link_ids::text[])
    AS wanted (connection_id, link_id)
CROSS JOIN LATERAL (
    SELECT
        intents.connection_id, intents.intent_id, intents.account_id, intents.kind,
        intents.state, intents.decided_at
    FROM reconciler.intents
    WHERE intents.connection_id = wanted.connection_id
        AND intents.link_id = wanted.link_id
        AND intents.tenant_id = $tenant_id
        AND intents.state IN ('open', 'unknown')
    LIMIT 1
) AS found;

-- name: erase_intents
-- A batch of the history of links and of records, but what is open unless it is forced.
WITH chosen AS (
    SELECT found.connection_id, found.intent_id
    FROM unnest($connection_ids::text[], $link_ids::text[])
        AS wanted (connection_id, link_id)
    CROSS JOIN LATERAL (
        SELECT intents.connection_id, intents.intent_id
        FROM reconciler.intents
        WHERE intents.connection_id = wanted.connection_id
            AND intents.link_id = wanted.link_id
            AND intents.tenant_id = $tenant_id
            AND (intents.state NOT IN ('open', 'unknown') OR $is_forced::boolean)
        LIMIT $limit
    ) AS found
    UNION
    SELECT found.connection_id, found.intent_id
    FROM unnest($account_ids::text[], $record_ids::text[])
        AS wanted (account_id, record_id)
    JOIN reconciler.connections
        ON connections.tenant_id = $tenant_id
        AND wanted.account_id IN (connections.left_account, connections.right_account)
    CROSS JOIN LATERAL (
        SELECT intents.connection_id, intents.intent_id
        FROM reconciler.intents
        WHERE intents.connection_id = connections.connection_id
            AND intents.source_id = wanted.record_id
            AND intents.tenant_id = $tenant_id
            -- The other account may have the same id for somebody else.
            AND wanted.account_id = CASE intents.side
                WHEN 'left' THEN connections.right_account
                ELSE connections.left_account
            END
            AND (intents.state NOT IN ('open', 'unknown') OR $is_forced::boolean)
        LIMIT $limit
    ) AS found
), held AS (
    SELECT intents.connection_id, intents.intent_id
    FROM chosen
    JOIN reconciler.intents
        ON intents.connection_id = chosen.connection_id
        AND intents.intent_id = chosen.intent_id
        AND intents.tenant_id = $tenant_id
    ORDER BY intents.connection_id, intents.intent_id
    LIMIT $limit
    FOR UPDATE OF intents
)
DELETE FROM reconciler.intents
USING held
WHERE intents.connection_id = held.connection_id
    AND intents.intent_id = held.intent_id
    AND intents.tenant_id = $tenant_id
RETURNING intents.connection_id, intents.intent_id, intents.decided_at;

-- name: erase_links
-- Links without an open write, or all if it is forced.
-- Its key is named beside its place, which row-level security finds no rows by.
DELETE FROM reconciler.links
WHERE connection_id = ANY ($connection_ids::text[])
    AND link_id = ANY ($link_ids::text[])
    AND tenant_id = $tenant_id
    AND ctid = ANY (ARRAY(
        SELECT found.place
        FROM unnest($connection_ids::text[], $link_ids::text[])
            AS wanted (connection_id, link_id)
        CROSS JOIN LATERAL (
            SELECT links.ctid AS place
            FROM reconciler.links
            WHERE links.connection_id = wanted.connection_id
                AND links.link_id = wanted.link_id
                AND links.tenant_id = $tenant_id
                AND (links.intent_id IS NULL OR $is_forced::boolean)
            LIMIT 1
            FOR UPDATE
        ) AS found
    ))
RETURNING connection_id, link_id;

-- name: erase_losses
-- Values that gave way to these writes.
WITH held AS (
    SELECT losses.connection_id, losses.intent_id, losses.mapping_id, losses.side
    FROM unnest($connection_ids::text[], $intent_ids::text[])
        AS wanted (connection_id, intent_id)
    JOIN reconciler.losses
        ON losses.connection_id = wanted.connection_id
        AND losses.intent_id = wanted.intent_id
        AND losses.tenant_id = $tenant_id
    ORDER BY losses.connection_id, losses.intent_id, losses.mapping_id, losses.side
    FOR UPDATE OF losses
)
DELETE FROM reconciler.losses
USING held
WHERE losses.connection_id = held.connection_id
    AND losses.intent_id = held.intent_id
    AND losses.mapping_id = held.mapping_id
    AND losses.side = held.side
    AND losses.tenant_id = $tenant_id;

-- name: erase_observations
-- What accounts showed of these records.
WITH held AS (
    SELECT observations.account_id, observations.record_id
    FROM unnest($account_ids::text[], $record_ids::text[])
        AS wanted (account_id, record_id)
    JOIN reconciler.observations
        ON observations.account_id = wanted.account_id
        AND observations.record_id = wanted.record_id
        AND observations.tenant_id = $tenant_id
    ORDER BY observations.account_id, observations.record_id
    FOR UPDATE OF observations
)
DELETE FROM reconciler.observations
USING held
WHERE observations.account_id = held.account_id
    AND observations.record_id = held.record_id
    AND observations.tenant_id = $tenant_id;

-- name: erase_emails
-- The addresses of these records, which go along with what was shown of them.
DELETE FROM reconciler.emails
USING unnest($account_ids::text[], $record_ids::text[])
    AS wanted (account_id, record_id)
WHERE emails.account_id = wanted.account_id
    AND emails.record_id = wanted.record_id
    AND emails.tenant_id = $tenant_id;

-- name: erase_dirty
-- Nobody plans these records any more.
WITH held AS (
    SELECT dirty.connection_id, dirty.side, dirty.record_id
    FROM unnest($account_ids::text[], $record_ids::text[])
        AS wanted (account_id, record_id)
    JOIN reconciler.connections
        ON connections.tenant_id = $tenant_id
        AND wanted.account_id IN (connections.left_account, connections.right_account)
    CROSS JOIN LATERAL (
        VALUES ('left', connections.left_account), ('right', connections.right_account)
    ) AS ends (side, account_id)
    JOIN reconciler.dirty
        ON dirty.connection_id = connections.connection_id
        AND dirty.side = ends.side
        AND dirty.record_id = wanted.record_id
        AND dirty.tenant_id = $tenant_id
    WHERE ends.account_id = wanted.account_id
    ORDER BY dirty.connection_id, dirty.side, dirty.record_id
    FOR UPDATE OF dirty
)
DELETE FROM reconciler.dirty
USING held
WHERE dirty.connection_id = held.connection_id
    AND dirty.side = held.side
    AND dirty.record_id = held.record_id
    AND dirty.tenant_id = $tenant_id;

-- name: end_leases
-- Whoever plans a connection goes by what it has loaded, and has to load it anew.
WITH concerned AS (
    SELECT connections.connection_id AS concerned_id
    FROM reconciler.connections
    WHERE connections.tenant_id = $tenant_id
        AND (
            connections.left_account = ANY ($account_ids::text[])
            OR connections.right_account = ANY ($account_ids::text[])
        )
    ORDER BY connections.connection_id
    FOR NO KEY UPDATE
)
UPDATE reconciler.connections
SET
    lease_until = NULL,
    lease_version = lease_version + 1
FROM concerned
WHERE connections.tenant_id = $tenant_id
    AND connections.connection_id = concerned.concerned_id;
