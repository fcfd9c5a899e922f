"""Two users at one database: the database in memory, or a real Postgres.

``stage`` is the database, ``program`` what two users do to it at random, and the
modules named for services what a user of each can do. Nothing here judges: the tests
compare what came of it.
"""
