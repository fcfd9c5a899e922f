"""Run the emulator alone: `python -m tests.emulators.activecampaign --port 0`."""

import sys

from tests.emulators.activecampaign.emulator import Emulator
from tests.emulators.core import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(Emulator))
