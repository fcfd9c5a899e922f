-- What an app pushes makes its account due, with those of other tenants in one statement.
GRANT
    SELECT (failures, read_asks),
    UPDATE (due_at, read_asks)
ON connector.accounts TO tandem_connector_all_tenants;
