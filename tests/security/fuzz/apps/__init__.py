"""A module for each app, called as the app is; `vendors` finds it there.

It has ``usual(call, random)``, which answers as the vendor usually does, ``OPERATIONS``
by name, and, where an app has decoders that no operation reaches alone, ``DECODERS``:
of one that is pushed to, ``hear`` (``samples.hears``).
"""
