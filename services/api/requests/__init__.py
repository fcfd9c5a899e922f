"""What each request goes through: who asks, what they may, how often, what is logged.

``routing`` and ``guard`` surround every route; ``access`` finds the caller by an API
key or a session and ``permissions`` says what that reaches; ``calls`` is what a route
gets. How a person comes by a session is in ``people``.
"""
