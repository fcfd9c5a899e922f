"""The connector: the app catalogue, poll schedule, cursors, call budgets, journal.

It reads accounts, tells what it saw, carries out intents and tells what became of
them. It never decides what to write.
"""
