"""Guards of the services, each taken away in turn: the simulation has to notice.

``mutant`` says what a mutant is, the modules named after parts of Tandem hold them, and
``hunt`` plays seeds until each is caught.
"""
