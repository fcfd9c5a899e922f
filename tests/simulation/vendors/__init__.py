"""Made-up vendors: what they are like, what they hold, how they answer, how to ask.

``ways`` says how a vendor behaves, ``book`` holds one account and logs what happens
to it, ``api`` and ``oauth`` answer requests, ``line`` carries them through bad
weather, and ``app`` is the connector's side.
"""
