-- name: page_outbox
-- A page of what waits for receipts, kept from being sent until the commit.
SELECT message_id, subject, payload
FROM outbox
WHERE tenant_id = $tenant_id
    AND message_id > $after
ORDER BY message_id
LIMIT $limit::bigint
FOR UPDATE;

-- name: redact_outbox
-- A message without what is not to be told any more.
UPDATE outbox
SET payload = $payload
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: drop_from_outbox
-- A message that has nothing left to tell.
DELETE FROM outbox
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: count_of_subject
-- How many messages of a subject wait for receipts.
SELECT count(*) AS waiting
FROM outbox
WHERE tenant_id = $tenant_id AND subject = $subject;

-- name: page_dead_letters
-- A page of a tenant's messages that could not be handled.
SELECT message_id, subject, payload
FROM dead_letters
WHERE tenant_id = $tenant_id
    AND message_id > $after
ORDER BY message_id
LIMIT $limit::bigint
FOR UPDATE;

-- name: redact_dead_letter
-- A message without what is not to be kept any more.
UPDATE dead_letters
SET payload = $payload
WHERE tenant_id = $tenant_id AND message_id = $message_id;

-- name: erase_dead_letter
-- A message that has nothing left to be replayed for.
DELETE FROM dead_letters
WHERE tenant_id = $tenant_id AND message_id = $message_id;
