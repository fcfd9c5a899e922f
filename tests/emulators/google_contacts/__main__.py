"""Run the emulator alone: `python -m tests.emulators.google_contacts --port 0`."""

import sys

from tests.emulators.core import command_line
from tests.emulators.google_contacts.emulator import Emulator

if __name__ == "__main__":
    sys.exit(command_line.run(Emulator))
