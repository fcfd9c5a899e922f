"""Run the emulator alone: `python -m tests.emulators.mailchimp --port 0`."""

import sys

from tests.emulators.core import command_line
from tests.emulators.mailchimp.emulator import Emulator

if __name__ == "__main__":
    sys.exit(command_line.run(Emulator))
