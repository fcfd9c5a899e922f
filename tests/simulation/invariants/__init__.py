"""What must always be true, and what must be true in the end: I1 to I16.

The numbers are those of the hazards list. ``truth`` is what the simulation knows and
Tandem does not; each checker compares it with what Tandem did or says.
"""
