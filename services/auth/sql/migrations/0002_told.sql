-- When others were last told what became of an account.

ALTER TABLE auth.accounts
    ADD COLUMN told_at timestamptz;
