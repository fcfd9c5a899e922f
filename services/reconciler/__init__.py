"""Owns connections, observations, links, intents and their history.

Answers the commands of ``proto.reconciler``, takes what the connector observed and
wrote, decides in ``engine`` and sends jobs to the connector. Never calls an app.
"""
