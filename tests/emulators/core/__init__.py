"""What every emulator needs: clock, cursors, limits, faults, OAuth server, host.

It knows no vendor. Its own administration sits under `/_emulator`, where no vendor has
anything.
"""
