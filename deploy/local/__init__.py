"""Tandem on one machine: embedded Postgres and NATS, and the services as processes.

Nothing here is imported by a service. Tests, the demo and `python -m deploy.local`
use it to start the real parts on loopback and to leave nothing running behind them.
"""
