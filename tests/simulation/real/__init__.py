"""The simulation's scenarios on real Postgres and NATS, in time that jumps.

Here: the loop, the servers' sides of a world, and how a seed is played on them. What
happens, and what must be so, is what any simulation has.
"""
