"""Canaries: words that are nowhere but where they belong, through a whole run.

A canary is a secret or something personal that is told from everything else. `words`
says in which writings it is looked for, `searching` looks, `places` collects where it
could have got to, and `belonging` says where it may be. `acts` and `vendors` play the
run, on `servers`.
"""
