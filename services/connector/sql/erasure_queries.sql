-- name: cancel_writes
-- Writes that are not begun any more, also those that are still to come; returns whose
-- end this is. What was sent is answered by itself, and what was answered stays so.
INSERT INTO connector.writes (
    tenant_id, intent_id, account_id, connection_id, payload, state, created_at,
    done_at, result
)
SELECT
    $tenant_id, ended.intent_id, ended.account_id, ended.connection_id, ended.payload,
    'done', $now, $now, ended.result
FROM unnest(
    $intent_ids::text[], $account_ids::text[], $connection_ids::text[],
    $payloads::bytea[], $results::bytea[]
) AS ended (intent_id, account_id, connection_id, payload, result)
ORDER BY ended.intent_id
ON CONFLICT (intent_id, tenant_id) DO UPDATE
SET
    state = 'done',
    payload = EXCLUDED.payload,
    done_at = EXCLUDED.done_at,
    result = EXCLUDED.result
WHERE writes.state = 'new'
RETURNING intent_id;

-- name: erase_writes
-- Nothing is kept of these writes, whatever became of them.
DELETE FROM connector.writes
WHERE intent_id = ANY ($intent_ids::text[])
    AND tenant_id = $tenant_id;

-- name: erase_wanted_reads
-- Nobody reads these records by their ids any more.
DELETE FROM connector.wanted_reads
USING unnest($account_ids::text[], $record_ids::text[])
    AS erased (account_id, record_id)
WHERE wanted_reads.account_id = erased.account_id
    AND wanted_reads.record_id = erased.record_id
    AND wanted_reads.tenant_id = $tenant_id;
