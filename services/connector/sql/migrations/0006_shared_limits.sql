-- Vendors may count the calls of all accounts of a client together. Whoever has such a
-- limit calls for all of them; they may be of several tenants, so it belongs to none.
CREATE TABLE connector.shared_limits (
    limited_by   text PRIMARY KEY,
    lease_owner  text NOT NULL,
    lease_until  timestamptz NOT NULL,
    calls_day    date,
    calls_today  integer NOT NULL DEFAULT 0
);

ALTER TABLE connector.accounts ADD COLUMN limited_by text NOT NULL DEFAULT '';

GRANT SELECT, INSERT, UPDATE, DELETE
ON connector.shared_limits TO tandem_connector_all_tenants;
GRANT
    SELECT (limited_by),
    UPDATE (limited_by)
ON connector.accounts TO tandem_connector_all_tenants;
