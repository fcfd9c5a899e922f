-- What every service needs to send once and to receive once.

CREATE TABLE outbox (
    tenant_id   text NOT NULL,
    message_id  text NOT NULL,
    subject     text NOT NULL,
    stream      text NOT NULL,
    payload     bytea NOT NULL,
    awaiting    text[] NOT NULL,
    tries       integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    next_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id)
);

CREATE INDEX outbox_due ON outbox (next_at);

CREATE TABLE inbox (
    tenant_id    text NOT NULL,
    message_id   text NOT NULL,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id)
);

CREATE INDEX inbox_age ON inbox (received_at);

-- Only of messages that did not end well the first time.
CREATE TABLE attempts (
    tenant_id   text NOT NULL,
    message_id  text NOT NULL,
    begun       integer NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id)
);

CREATE TABLE dead_letters (
    -- Empty where nobody knows whose message it was.
    tenant_id    text NOT NULL,
    message_id   text NOT NULL,
    subject      text NOT NULL,
    sender       text NOT NULL,
    payload      bytea NOT NULL,
    reason       text NOT NULL,
    received_at  timestamptz NOT NULL,
    -- Set by an operator; the service then handles the message again.
    replay_at    timestamptz,
    PRIMARY KEY (tenant_id, message_id)
);

CREATE INDEX dead_letters_age ON dead_letters (received_at);
