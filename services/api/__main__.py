"""Starts the api, applies its migrations, or does one of its errands."""

import sys

from services.api import service
from services.api.config import Config
from services.api.errands import audit, key, person, rotation
from services.chassis import process

OFFERED = (
    key.CREATE_KEY,
    person.CREATE_PERSON,
    audit.CHECK_AUDIT,
    rotation.ROTATE_KEYS,
)

if __name__ == "__main__":
    sys.exit(process.run("api", Config, serve=service.serve, offering=OFFERED))
