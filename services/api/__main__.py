"""Starts the api, applies its migrations, or does one of its errands."""

import sys

from services.api import errand_audit, errand_person, errand_rotate, errands, service
from services.api.config import Config
from services.chassis import process

OFFERED = (
    errands.CREATE_KEY,
    errand_person.CREATE_PERSON,
    errand_audit.CHECK_AUDIT,
    errand_rotate.ROTATE_KEYS,
)

if __name__ == "__main__":
    sys.exit(process.run("api", Config, serve=service.serve, offering=OFFERED))
