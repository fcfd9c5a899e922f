"""The pure core: what is linked with whom, what is written, what an answer means.

Values in, values out; no clock, no randomness, no I/O. Reading order: ``model``,
``canon``, ``lenses``, ``mapping``, then ``match``, ``merge``, ``guards``, and at
the top ``plan`` and ``fold``.
"""
