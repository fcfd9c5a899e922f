-- Which mappings were made or changed since the connection is there, and at which
-- version of its settings: what links remember of them from before is void (hazard 76).

ALTER TABLE reconciler.connections
    ADD COLUMN renewed bytea NOT NULL DEFAULT '{}';
