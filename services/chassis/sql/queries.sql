-- name: add_to_outbox
-- Messages to be told once this transaction is committed.
INSERT INTO outbox (
    message_id, tenant_id, subject, stream, payload, awaiting, created_at, next_at
)
SELECT
    message.message_id, message.tenant_id, message.subject, message.stream,
    message.payload, string_to_array(message.awaiting, ','), $now, $now
FROM unnest(
    $message_ids::text[], $tenant_ids::text[], $subjects::text[],
    $streams::text[], $payloads::bytea[], $awaiting::text[]
) AS message (message_id, tenant_id, subject, stream, payload, awaiting);

-- name: claim_outbox
-- Messages that are due, oldest first; each is due again later unless a receipt
-- closes it before. Locked rows are another replica's work: skip them.
WITH due AS (
    SELECT tenant_id, message_id
    FROM outbox
    WHERE next_at <= $now::timestamptz
    ORDER BY next_at
    LIMIT $limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox
SET
    tries = outbox.tries + 1,
    next_at = $now::timestamptz
        + least($again_s * power(2, least(outbox.tries, 16)), $again_s_max)
        * interval '1 second'
FROM due
WHERE outbox.tenant_id = due.tenant_id
    AND outbox.message_id = due.message_id
RETURNING
    outbox.tenant_id, outbox.message_id, outbox.subject, outbox.stream,
    outbox.payload, outbox.awaiting, outbox.tries;

-- name: close_outbox
-- Receipts of one receiver: a message that nobody else is awaited for is done.
WITH receipted AS (
    SELECT
        outbox.tenant_id, outbox.message_id,
        array_remove(outbox.awaiting, $receiver) AS awaiting
    FROM outbox
    JOIN unnest($tenant_ids::text[], $message_ids::text[])
        AS receipt (tenant_id, message_id)
        ON outbox.tenant_id = receipt.tenant_id
        AND outbox.message_id = receipt.message_id
    ORDER BY outbox.tenant_id, outbox.message_id
    FOR UPDATE OF outbox
), done AS (
    DELETE FROM outbox
    USING receipted
    WHERE outbox.tenant_id = receipted.tenant_id
        AND outbox.message_id = receipted.message_id
        AND cardinality(receipted.awaiting) = 0
)
UPDATE outbox
SET awaiting = receipted.awaiting
FROM receipted
WHERE outbox.tenant_id = receipted.tenant_id
    AND outbox.message_id = receipted.message_id
    AND cardinality(receipted.awaiting) > 0;

-- name: hasten_outbox
-- After the broker was away: whatever was sent before may be lost, so it is due.
UPDATE outbox
SET
    next_at = $now,
    tries = 0
WHERE tries > 0;

-- name: count_outbox
-- How many messages wait, and for how many seconds the oldest has.
SELECT
    count(*) AS waiting,
    coalesce(extract(epoch FROM $now::timestamptz - min(created_at)), 0)::float8
        AS oldest_s
FROM outbox;

-- name: remember_message
-- One row the first time a message is seen, none after that.
INSERT INTO inbox (tenant_id, message_id, received_at)
VALUES ($tenant_id, $message_id, $now)
ON CONFLICT (tenant_id, message_id) DO NOTHING
RETURNING message_id;

-- name: forget_messages
-- The inbox keeps what could still be repeated; older rows go, a batch at a time.
WITH old AS (
    SELECT tenant_id, message_id
    FROM inbox
    WHERE received_at < $before
    LIMIT $limit::bigint
)
DELETE FROM inbox
USING old
WHERE inbox.tenant_id = old.tenant_id
    AND inbox.message_id = old.message_id;

-- name: count_attempt
-- One more attempt at a message, and how many there were with it.
INSERT INTO attempts (tenant_id, message_id, begun, last_at)
VALUES ($tenant_id, $message_id, 1, $now)
ON CONFLICT (tenant_id, message_id) DO UPDATE
SET
    begun = attempts.begun + 1,
    last_at = excluded.last_at
RETURNING begun;

-- name: spare_attempts
-- Takes back attempts that an outage ended.
UPDATE attempts
SET begun = greatest(attempts.begun - spared.count, 0)
FROM unnest($tenant_ids::text[], $message_ids::text[], $counts::integer[])
    AS spared (tenant_id, message_id, count)
WHERE attempts.tenant_id = spared.tenant_id
    AND attempts.message_id = spared.message_id;

-- name: end_attempts
-- A message that took effect needs no count any more.
DELETE FROM attempts
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: forget_attempts
-- Counts of messages that nobody repeats any more; there are never many.
DELETE FROM attempts
WHERE last_at < $before;

-- name: add_dead_letter
-- A message that cannot be handled, kept for an operator to see and to replay.
INSERT INTO dead_letters (
    tenant_id, message_id, subject, sender, payload, reason, received_at
)
VALUES ($tenant_id, $message_id, $subject, $sender, $payload, $reason, $now)
ON CONFLICT (tenant_id, message_id) DO NOTHING;

-- name: forget_dead_letters
-- What no operator asked for in all that time goes, a batch at a time: it may hold
-- contact values.
WITH old AS (
    SELECT tenant_id, message_id
    FROM dead_letters
    WHERE received_at < $before AND replay_at IS NULL
    ORDER BY received_at
    LIMIT $limit::bigint
)
DELETE FROM dead_letters
USING old
WHERE dead_letters.tenant_id = old.tenant_id
    AND dead_letters.message_id = old.message_id
    AND dead_letters.replay_at IS NULL;

-- name: check_database
-- Proves that the database answers.
SELECT 1 AS answer;

-- name: has_migrations
-- Whether the schema was ever migrated.
SELECT to_regclass('migrations') IS NOT NULL AS answer;

-- name: list_migrations
-- The names of the migrations that this schema has.
SELECT name
FROM migrations
ORDER BY name;

-- name: count_dead_letters
-- How many messages wait for an operator.
SELECT count(*) AS waiting
FROM dead_letters;

-- name: list_dead_letters
-- What waits for an operator, oldest first, without its content.
SELECT tenant_id, message_id, subject, sender, reason, received_at, replay_at
FROM dead_letters
ORDER BY received_at, message_id
LIMIT $limit::bigint;

-- name: replay_dead_letters
-- Asks for one message, or for all, to be handled again.
UPDATE dead_letters
SET replay_at = $now
WHERE message_id = coalesce($chosen::text, message_id);

-- name: take_dead_letter
-- One message to be handled again, once for each time that it is asked for: one that
-- ends whoever handles it must not do so for ever.
UPDATE dead_letters
SET
    reason = $reason,
    replay_at = NULL
WHERE (tenant_id, message_id) = (
    SELECT tenant_id, message_id
    FROM dead_letters
    WHERE replay_at IS NOT NULL
    ORDER BY replay_at, message_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING tenant_id, message_id, subject, payload;

-- name: drop_dead_letter
-- A message that took effect after all.
DELETE FROM dead_letters
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: keep_dead_letter
-- A message whose replay failed waits for the operator; one that was cut off by an
-- outage has a time to be replayed at.
UPDATE dead_letters
SET
    reason = $reason,
    replay_at = $replay_at
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: check_role
-- What the role that we log in as could do that a service must not, and what it cannot
-- do that it has to; which tables of tenants show every row to everybody.
WITH own AS (
    SELECT
        roles.oid AS role_id,
        roles.rolname::text AS name,
        (
            SELECT other.oid
            FROM pg_roles AS other
            WHERE other.rolname = $all_tenants_role
        ) AS all_tenants_id
    FROM pg_roles AS roles
    WHERE roles.rolname = session_user
), relations AS (
    SELECT
        class.oid AS relation_id,
        class.relname::text AS name,
        class.relowner AS owner_id,
        namespace.nspowner AS schema_owner_id,
        class.relrowsecurity AND class.relforcerowsecurity AS is_separated
    FROM pg_class AS class
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = $schema AND class.relkind IN ('r', 'p')
)
SELECT
    own.name,
    EXISTS (
        SELECT other.oid
        FROM pg_roles AS other
        WHERE (other.rolsuper OR other.rolbypassrls)
            AND pg_has_role(own.role_id, other.oid, 'MEMBER')
    ) AS is_too_strong,
    EXISTS (
        SELECT relations.relation_id
        FROM relations
        WHERE pg_has_role(own.role_id, relations.owner_id, 'MEMBER')
            OR pg_has_role(own.role_id, relations.schema_owner_id, 'MEMBER')
    ) AS is_owner,
    coalesce(
        pg_has_role(own.role_id, own.all_tenants_id, 'USAGE'), false
    ) AS is_all_tenants,
    coalesce(
        pg_has_role(own.role_id, own.all_tenants_id, 'MEMBER'), false
    ) AS may_serve_all,
    ARRAY(
        SELECT relations.name
        FROM relations
        JOIN pg_attribute AS attribute ON attribute.attrelid = relations.relation_id
        WHERE attribute.attname = 'tenant_id'
            AND NOT attribute.attisdropped
            AND NOT relations.is_separated
        ORDER BY relations.name
    ) AS mixed
FROM own;
