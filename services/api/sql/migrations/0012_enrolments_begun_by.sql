-- Which cookie began to set a second factor up: no other browser of the same person's is
-- shown the secret. What waits at this moment is begun again.

ALTER TABLE api.enrolments ADD COLUMN cookie_digest bytea NOT NULL DEFAULT '';
