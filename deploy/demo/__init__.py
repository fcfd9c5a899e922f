"""The demo: fills two apps with people, connects them, syncs, edits, deletes, shows.

Uses Tandem as an integrator does, by REST, and the two apps as their own users do.
"""
