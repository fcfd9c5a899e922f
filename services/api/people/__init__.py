"""How people get in: invited, by password, at a provider, by a second factor, anew.

Each step is judged, counted and written down here; ``routes`` has the requests and
pages that lead to it, ``proofs`` what a step proves, ``store`` the rows.
"""
