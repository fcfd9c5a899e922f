-- Records that are read beside others to see whether the app is well.

ALTER TABLE connector.wanted_reads
    ADD COLUMN is_control boolean NOT NULL DEFAULT false;
