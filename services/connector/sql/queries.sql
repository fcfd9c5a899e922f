-- name: follow_account
-- What an account is needed for; the newest word wins. It is due at once when it
-- becomes wanted or when a scan is wanted that is not done.
INSERT INTO connector.accounts (
    tenant_id, account_id, app, is_wanted, asked_at, wanted_scan_id, due_at, read_asks
)
VALUES ($tenant_id, $account_id, $app, $is_wanted, $asked_at, $scan_id, $now, 1)
ON CONFLICT (tenant_id, account_id) DO UPDATE
SET
    app = EXCLUDED.app,
    is_wanted = EXCLUDED.is_wanted,
    asked_at = EXCLUDED.asked_at,
    wanted_scan_id = coalesce(EXCLUDED.wanted_scan_id, accounts.wanted_scan_id),
    failures = 0,
    due_at = CASE
        WHEN NOT accounts.is_wanted
            OR (
                EXCLUDED.wanted_scan_id IS NOT NULL
                AND EXCLUDED.wanted_scan_id IS DISTINCT FROM accounts.done_scan_id
            )
        THEN EXCLUDED.due_at
        ELSE accounts.due_at
    END,
    read_asks = accounts.read_asks + 1
WHERE accounts.asked_at IS NULL OR accounts.asked_at <= EXCLUDED.asked_at;

-- name: make_due
-- A followed account is to be read at once.
UPDATE connector.accounts
SET due_at = $now, read_asks = read_asks + 1
WHERE tenant_id = $tenant_id AND account_id = $account_id;

-- name: make_due_after_push
-- Accounts whose apps told of changes are to be read at once; one that waits for its
-- turn keeps its place, and one that cannot be read its pause. In one order, so that
-- replicas do not wait for each other. Tells which are being written to.
WITH told AS (
    SELECT due.tenant_id, due.account_id
    FROM connector.accounts AS due
    JOIN unnest($tenant_ids::text[], $account_ids::text[]) AS pushed (
        tenant_id, account_id
    )
        ON due.tenant_id = pushed.tenant_id AND due.account_id = pushed.account_id
    WHERE due.is_wanted AND NOT due.is_lost AND due.failures = 0
    ORDER BY due.account_id, due.tenant_id
    FOR UPDATE OF due
)
UPDATE connector.accounts
SET
    due_at = least(accounts.due_at, $now),
    read_asks = accounts.read_asks + 1
FROM told
WHERE accounts.tenant_id = told.tenant_id
    AND accounts.account_id = told.account_id
RETURNING
    accounts.tenant_id, accounts.account_id,
    accounts.write_at IS NOT NULL AS has_open_writes;

-- name: want_reads
-- Records that the account's next turn reads by id, and controls to be read beside
-- them. What is wanted for its own sake is no control.
INSERT INTO connector.wanted_reads (
    tenant_id, account_id, record_id, asked_at, is_control
)
SELECT $tenant_id, $account_id, wanted.record_id, $now, wanted.is_control
FROM unnest($record_ids::text[], $are_controls::boolean[]) AS wanted (
    record_id, is_control
)
ON CONFLICT (tenant_id, account_id, record_id) DO UPDATE
SET
    asked_at = EXCLUDED.asked_at,
    is_control = wanted_reads.is_control AND EXCLUDED.is_control;

-- name: wanted_reads
-- The records that were asked for longest ago, but for those put back.
SELECT record_id, asked_at
FROM connector.wanted_reads
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND NOT is_control
    AND asked_at <= $before
ORDER BY asked_at, record_id
LIMIT $limit::bigint;

-- name: controls
-- A few records that were said to be there, those said so last first.
SELECT record_id, asked_at
FROM connector.wanted_reads
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND is_control
ORDER BY asked_at DESC, record_id
LIMIT $limit::bigint;

-- name: forget_controls
-- Nothing waits to be read beside them; those asked for since stay.
DELETE FROM connector.wanted_reads AS control
WHERE control.tenant_id = $tenant_id
    AND control.account_id = $account_id
    AND control.is_control
    AND control.asked_at <= $before
    AND NOT EXISTS (
        SELECT waiting.record_id
        FROM connector.wanted_reads AS waiting
        WHERE waiting.tenant_id = control.tenant_id
            AND waiting.account_id = control.account_id
            AND NOT waiting.is_control
    );

-- name: forget_wanted_reads
-- These were read; one that was asked for again since stays.
DELETE FROM connector.wanted_reads
USING unnest($record_ids::text[], $asked_at::timestamptz[]) AS read (
    record_id, asked_at
)
WHERE wanted_reads.tenant_id = $tenant_id
    AND wanted_reads.account_id = $account_id
    AND wanted_reads.record_id = read.record_id
    AND wanted_reads.asked_at = read.asked_at;

-- name: put_back_reads
-- These could not be read and wait; one that was asked for again since does not.
UPDATE connector.wanted_reads
SET asked_at = $until
FROM unnest($record_ids::text[], $asked_at::timestamptz[]) AS left_over (
    record_id, asked_at
)
WHERE wanted_reads.tenant_id = $tenant_id
    AND wanted_reads.account_id = $account_id
    AND wanted_reads.record_id = left_over.record_id
    AND wanted_reads.asked_at = left_over.asked_at;

-- name: set_authorised
-- Whether auth has usable credentials; the newest word wins. What was held back is
-- tried, or answered, at once.
UPDATE connector.accounts
SET
    is_lost = $is_lost,
    authorised_at = $at,
    failures = 0,
    write_failures = 0,
    write_error_code = NULL,
    write_at = CASE WHEN write_at > $now THEN $now ELSE write_at END,
    write_asks = write_asks + 1,
    error_code = CASE WHEN $is_lost THEN $error_code ELSE NULL END,
    error_since = CASE WHEN $is_lost THEN $at::timestamptz ELSE NULL END,
    due_at = $now,
    read_asks = read_asks + 1
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND (authorised_at IS NULL OR authorised_at <= $at);

-- name: get_account
-- One account as it stands.
SELECT
    tenant_id, account_id, app, is_wanted, is_lost, wanted_scan_id, done_scan_id,
    scan_id, scan_cursor, scan_part, scan_page_count, scan_record_count,
    scan_expected_count, changes_cursor, read_asks, interval_s, failures, error_code,
    last_read_at, write_asks, write_failures, write_error_code, lease_version,
    calls_day, calls_today,
    write_at IS NOT NULL AS has_open_writes,
    EXISTS (
        SELECT wanted.record_id
        FROM connector.wanted_reads AS wanted
        WHERE wanted.tenant_id = accounts.tenant_id
            AND wanted.account_id = accounts.account_id
            AND NOT wanted.is_control
    ) AS has_wanted_reads
FROM connector.accounts
WHERE tenant_id = $tenant_id AND account_id = $account_id;

-- name: claim_due
-- Accounts to be read, longest due first, now leased to us. A lease that we hold
-- already goes on; any other gets a new version, so that its last holder is fenced
-- off. Locked rows are another replica's work: skip them, and those that share their
-- limits with accounts of another replica.
WITH claimed AS (
    SELECT due.tenant_id, due.account_id
    FROM connector.accounts AS due
    WHERE due.is_wanted
        AND NOT due.is_lost
        AND due.due_at <= $now
        AND (
            due.lease_until IS NULL
            OR due.lease_until <= $now
            OR due.lease_owner = $owner
        )
        AND NOT EXISTS (
            SELECT shared.limited_by
            FROM connector.shared_limits AS shared
            WHERE shared.limited_by = due.limited_by
                AND shared.lease_until > $now
                AND shared.lease_owner <> $owner
        )
        AND (due.tenant_id, due.account_id) NOT IN (
            SELECT busy.tenant_id, busy.account_id
            FROM unnest($busy_tenants::text[], $busy_accounts::text[]) AS busy (
                tenant_id, account_id
            )
        )
    ORDER BY due.due_at
    LIMIT $limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE connector.accounts
SET
    lease_version = accounts.lease_version + CASE
        WHEN accounts.lease_owner = $owner AND accounts.lease_until > $now THEN 0
        ELSE 1
    END,
    lease_owner = $owner,
    lease_until = $until
FROM claimed
WHERE accounts.tenant_id = claimed.tenant_id
    AND accounts.account_id = claimed.account_id
RETURNING
    accounts.tenant_id, accounts.account_id, accounts.app, accounts.lease_version,
    accounts.calls_day, accounts.calls_today, accounts.limited_by;

-- name: claim_writing
-- Accounts with writes to be carried out, those with urgent ones and then those that
-- wait longest first, now leased to us; leases and limits behave as for reading.
WITH claimed AS (
    SELECT due.tenant_id, due.account_id
    FROM connector.accounts AS due
    WHERE due.write_at <= $now
        AND (
            due.lease_until IS NULL
            OR due.lease_until <= $now
            OR due.lease_owner = $owner
        )
        AND NOT EXISTS (
            SELECT shared.limited_by
            FROM connector.shared_limits AS shared
            WHERE shared.limited_by = due.limited_by
                AND shared.lease_until > $now
                AND shared.lease_owner <> $owner
        )
        AND (due.tenant_id, due.account_id) NOT IN (
            SELECT busy.tenant_id, busy.account_id
            FROM unnest($busy_tenants::text[], $busy_accounts::text[]) AS busy (
                tenant_id, account_id
            )
        )
    ORDER BY
        EXISTS (
            SELECT urgent.intent_id
            FROM connector.writes AS urgent
            WHERE urgent.account_id = due.account_id
                AND urgent.tenant_id = due.tenant_id
                AND urgent.is_urgent
                AND urgent.done_at IS NULL
        ) DESC,
        due.write_at
    LIMIT $limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE connector.accounts
SET
    lease_version = accounts.lease_version + CASE
        WHEN accounts.lease_owner = $owner AND accounts.lease_until > $now THEN 0
        ELSE 1
    END,
    lease_owner = $owner,
    lease_until = $until
FROM claimed
WHERE accounts.tenant_id = claimed.tenant_id
    AND accounts.account_id = claimed.account_id
RETURNING
    accounts.tenant_id, accounts.account_id, accounts.app, accounts.lease_version,
    accounts.calls_day, accounts.calls_today, accounts.limited_by;

-- name: claim_one
-- A certain account, due or not, now leased to us if nobody else has it; unknown
-- accounts get a row for it. Leases behave as for reading.
INSERT INTO connector.accounts (
    tenant_id, account_id, app, due_at, lease_version, lease_owner, lease_until
)
VALUES ($tenant_id, $account_id, $app, $now, 1, $owner, $until)
ON CONFLICT (tenant_id, account_id) DO UPDATE
SET
    lease_version = accounts.lease_version + CASE
        WHEN accounts.lease_owner = $owner AND accounts.lease_until > $now THEN 0
        ELSE 1
    END,
    lease_owner = EXCLUDED.lease_owner,
    lease_until = EXCLUDED.lease_until
WHERE accounts.lease_until IS NULL
    OR accounts.lease_until <= $now
    OR accounts.lease_owner = $owner
RETURNING
    accounts.tenant_id, accounts.account_id, accounts.app, accounts.lease_version,
    accounts.calls_day, accounts.calls_today, accounts.limited_by;

-- name: renew_leases
-- The accounts that are still ours stay so; returns those.
UPDATE connector.accounts
SET lease_until = $until
FROM unnest($tenant_ids::text[], $account_ids::text[], $versions::bigint[]) AS held (
    tenant_id, account_id, lease_version
)
WHERE accounts.tenant_id = held.tenant_id
    AND accounts.account_id = held.account_id
    AND accounts.lease_version = held.lease_version
    AND accounts.lease_owner = $owner
RETURNING accounts.tenant_id, accounts.account_id;

-- name: release_lease
-- Nobody here works on the account any more; any replica may by whose clock it is so
-- late, and this one at once.
UPDATE connector.accounts
SET lease_until = $until
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version
    AND lease_owner = $owner;

-- name: add_calls
-- Calls made, counted by account and day.
UPDATE connector.accounts
SET
    calls_today = made.calls + CASE
        WHEN accounts.calls_day = made.day THEN accounts.calls_today
        ELSE 0
    END,
    calls_day = made.day
FROM unnest(
    $tenant_ids::text[], $account_ids::text[], $days::date[], $counts::integer[]
) AS made (tenant_id, account_id, day, calls)
WHERE accounts.tenant_id = made.tenant_id
    AND accounts.account_id = made.account_id
    AND (accounts.calls_day IS NULL OR accounts.calls_day <= made.day);

-- name: note_limit
-- Whose calls are counted together with the account's, while it is ours.
UPDATE connector.accounts
SET limited_by = $limited_by
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: lease_limit
-- A shared limit, now leased to us if nobody else has it, with the calls of its day.
INSERT INTO connector.shared_limits (limited_by, lease_owner, lease_until)
VALUES ($limited_by, $owner, $until)
ON CONFLICT (limited_by) DO UPDATE
SET
    lease_owner = EXCLUDED.lease_owner,
    lease_until = EXCLUDED.lease_until
WHERE shared_limits.lease_until <= $now
    OR shared_limits.lease_owner = $owner
RETURNING shared_limits.calls_day, shared_limits.calls_today;

-- name: renew_limits
-- The shared limits that are still ours stay so; returns those. In one order, so that
-- replicas do not wait for each other.
WITH held AS (
    SELECT shared.limited_by
    FROM connector.shared_limits AS shared
    WHERE shared.limited_by = ANY ($limited_by::text[])
        AND shared.lease_owner = $owner
    ORDER BY shared.limited_by
    FOR UPDATE
)
UPDATE connector.shared_limits
SET lease_until = $until
FROM held
WHERE shared_limits.limited_by = held.limited_by
RETURNING shared_limits.limited_by;

-- name: release_limit
-- No account here needs the limit any more; any replica may have it by whose clock it
-- is so late, and this one at once.
UPDATE connector.shared_limits
SET lease_until = $until
WHERE limited_by = $limited_by AND lease_owner = $owner;

-- name: add_shared_calls
-- Calls made, counted by limit and day, whoever has it by now. In one order, so that
-- replicas do not wait for each other.
WITH made AS (
    SELECT shared.limited_by, given.day, given.calls
    FROM connector.shared_limits AS shared
    JOIN unnest($limited_by::text[], $days::date[], $counts::integer[]) AS given (
        limited_by, day, calls
    )
        ON shared.limited_by = given.limited_by
    WHERE shared.calls_day IS NULL OR shared.calls_day <= given.day
    ORDER BY shared.limited_by
    FOR UPDATE OF shared
)
UPDATE connector.shared_limits
SET
    calls_today = made.calls + CASE
        WHEN shared_limits.calls_day = made.day THEN shared_limits.calls_today
        ELSE 0
    END,
    calls_day = made.day
FROM made
WHERE shared_limits.limited_by = made.limited_by;

-- name: prune_limits
-- What nobody has called for since; one that is just being leased is looked at again.
DELETE FROM connector.shared_limits
WHERE lease_until < $before;

-- name: save_scan
-- How far a scan is, if the account is still ours.
UPDATE connector.accounts
SET
    scan_id = $scan_id,
    scan_cursor = $scan_cursor,
    scan_part = $scan_part,
    scan_page_count = $scan_page_count,
    scan_record_count = $scan_record_count,
    scan_expected_count = $scan_expected_count,
    done_scan_id = $done_scan_id,
    changes_cursor = $changes_cursor,
    last_read_at = $read_at,
    failures = 0,
    error_code = NULL,
    error_since = NULL
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: save_changes
-- The cursor that changes were read to, if the account is still ours.
UPDATE connector.accounts
SET
    changes_cursor = $changes_cursor,
    last_read_at = $read_at,
    failures = 0,
    error_code = NULL,
    error_since = NULL
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: hold_lease
-- One row if the account is still ours, which it then is until the transaction ends.
SELECT lease_version
FROM connector.accounts
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version
FOR SHARE;

-- name: finish_reading
-- When the account is due again; at once if it was asked for during the turn.
UPDATE connector.accounts
SET
    due_at = CASE WHEN read_asks = $read_asks THEN $due_at ELSE due_at END,
    interval_s = $interval_s
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: note_failure
-- Reading failed: why, since when, and when to try again; lost ones are left alone.
-- What was read before counts as success, unless it was for nothing.
UPDATE connector.accounts
SET
    failures = greatest(failures, $failures_before) + 1,
    error_code = $error_code,
    error_since = coalesce(error_since, $now),
    is_lost = is_lost OR $is_lost,
    due_at = CASE WHEN read_asks = $read_asks THEN $due_at ELSE due_at END
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: count_waiting
-- Messages of one subject that no receipt has closed, as far as it matters.
SELECT count(*) AS waiting
FROM (
    SELECT outbox.message_id
    FROM outbox
    WHERE outbox.tenant_id = $tenant_id AND outbox.subject = $subject
    LIMIT $limit::bigint
) AS unreceipted;

-- name: add_writes
-- The journal gets each intent once.
INSERT INTO connector.writes (
    tenant_id, intent_id, account_id, connection_id, payload, created_at, is_urgent
)
SELECT
    $tenant_id, new.intent_id, $account_id, $connection_id, new.payload, $now,
    new.is_urgent
FROM unnest(
    $intent_ids::text[], $payloads::bytea[], $are_urgent::boolean[]
) AS new (intent_id, payload, is_urgent)
ON CONFLICT (tenant_id, intent_id) DO NOTHING;

-- name: reopen_for_look
-- A question about an intent that was answered before takes the answer's place, and is
-- as urgent; one that is still open is answered by itself.
UPDATE connector.writes
SET
    payload = look.payload,
    state = 'new',
    reason = NULL,
    created_at = $now,
    sent_at = NULL,
    done_at = NULL,
    result = NULL
FROM unnest($intent_ids::text[], $payloads::bytea[]) AS look (intent_id, payload)
WHERE writes.tenant_id = $tenant_id
    AND writes.intent_id = look.intent_id
    AND writes.account_id = $account_id
    AND writes.connection_id = $connection_id
    AND writes.state = 'done';

-- name: make_writing_due
-- The account has writes to be carried out; unknown accounts get a row for it. Where
-- writes have to wait, these wait along.
INSERT INTO connector.accounts (
    tenant_id, account_id, app, due_at, write_at, write_asks
)
VALUES ($tenant_id, $account_id, $app, $now, $now, 1)
ON CONFLICT (tenant_id, account_id) DO UPDATE
SET
    write_at = CASE
        WHEN accounts.write_failures > 0
        THEN coalesce(accounts.write_at, EXCLUDED.write_at)
        ELSE least(accounts.write_at, EXCLUDED.write_at)
    END,
    write_asks = accounts.write_asks + 1;

-- name: done_results
-- The answers to intents that were carried out before.
SELECT result
FROM connector.writes
WHERE tenant_id = $tenant_id
    AND intent_id = ANY ($intent_ids::text[])
    AND account_id = $account_id
    AND connection_id = $connection_id
    AND state = 'done';

-- name: open_writes
-- Intents in one state but for some, urgent ones and then the oldest first.
SELECT connection_id, payload, sent_at, reason, is_urgent
FROM connector.writes
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND done_at IS NULL
    AND state = $state
    AND intent_id <> ALL ($but::text[])
ORDER BY is_urgent DESC, created_at, intent_id
LIMIT $limit::bigint;

-- name: mark_sent
-- From now on these may have reached the app.
UPDATE connector.writes
SET state = 'sent', sent_at = $now
WHERE tenant_id = $tenant_id
    AND intent_id = ANY ($intent_ids::text[])
    AND account_id = $account_id
    AND state = 'new';

-- name: put_off
-- These were not carried out for sure, and may be tried again, when those have had
-- their turn that wait behind them.
UPDATE connector.writes
SET state = 'new', sent_at = NULL, reason = off.reason, created_at = $now
FROM unnest($intent_ids::text[], $reasons::text[]) AS off (intent_id, reason)
WHERE writes.tenant_id = $tenant_id
    AND writes.intent_id = off.intent_id
    AND writes.intent_id = ANY ($intent_ids::text[])
    AND writes.account_id = $account_id
    AND writes.state <> 'done';

-- name: save_results
-- What became of intents; returns those that were still open.
UPDATE connector.writes
SET state = 'done', result = answer.result, done_at = $now
FROM unnest($intent_ids::text[], $results::bytea[]) AS answer (intent_id, result)
WHERE writes.tenant_id = $tenant_id
    AND writes.intent_id = answer.intent_id
    AND writes.intent_id = ANY ($intent_ids::text[])
    AND writes.account_id = $account_id
    AND writes.state <> 'done'
RETURNING writes.intent_id;

-- name: finish_writing
-- When to look at the account's writes again; at once if more came during the turn,
-- unless all have to wait.
UPDATE connector.accounts
SET
    write_at = CASE
        WHEN write_asks = $write_asks OR $write_failures::integer > 0 THEN $write_at
        ELSE write_at
    END,
    write_failures = $write_failures::integer,
    write_error_code = $write_error_code
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: step_back
-- The account goes on with its writes when those that wait behind it had their turn.
UPDATE connector.accounts
SET write_at = $now
WHERE tenant_id = $tenant_id
    AND account_id = $account_id
    AND lease_version = $lease_version;

-- name: prune_writes
-- Answers that nobody asks for again go, a batch at a time. One that is just being
-- asked about anew is looked at again after the wait.
WITH old AS (
    SELECT writes.tenant_id, writes.intent_id
    FROM connector.writes
    WHERE writes.state = 'done' AND writes.done_at < $before
    LIMIT $limit::bigint
)
DELETE FROM connector.writes
USING old
WHERE writes.tenant_id = old.tenant_id
    AND writes.intent_id = old.intent_id
    AND writes.state = 'done';
