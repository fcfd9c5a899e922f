"""``python -m services.api create-person``: how a tenant gets its first owner.

The password is asked for on the terminal, or read from standard input: as an argument
everybody on the machine could read it.
"""

import argparse
import asyncio
import getpass
import sys
from typing import Final

from proto.ids import PersonId
from services.api.errands import naming
from services.api.people import signing
from services.api.proofs import passwords
from services.api.proofs.passwords import Hasher
from services.api.requests.permissions import ROLES, Role
from services.api.store import ledger, roster
from services.api.store.ledger import AuditEntry
from services.api.store.roster import NewPerson
from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS

EXIT_REFUSED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    naming.add_tenant_argument(parser)
    parser.add_argument("--email", required=True, type=_email)
    parser.add_argument("--role", choices=ROLES, default=Role.OWNER.value)


async def create_person(desk: Desk, arguments: argparse.Namespace) -> int:
    """Store a person and print their id."""
    password = await asyncio.to_thread(_ask)
    if fault := passwords.fault_of(password, email=arguments.email):
        sys.stderr.write(f"api: {fault}\n")
        return EXIT_REFUSED
    password_hash = await Hasher().hash(password)
    now = desk.clock.now()
    person_id = desk.identifiers.new(PersonId)
    async with desk.store.transaction(ALL_TENANTS) as work:
        tenant_id = await naming.take_tenant(
            work.transaction, desk, named=arguments.tenant, now=now
        )
        new = NewPerson(
            tenant_id=tenant_id,
            person_id=person_id,
            email=arguments.email,
            role=arguments.role,
            password_hash=password_hash,
        )
        if not await roster.add_person(work.transaction, new, now=now):
            sys.stderr.write("api: the tenant has somebody of this address\n")
            return EXIT_REFUSED
        entry = AuditEntry(
            tenant_id=tenant_id,
            actor=naming.COMMAND_LINE,
            act="person.add",
            object_id=person_id,
            fields=("email", "password", "role"),
            outcome="done",
        )
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    sys.stdout.write(person_id + "\n")
    return 0


def _ask() -> str:
    """Return the password: typed twice where somebody is there, else one line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        sys.stderr.write("api: the two are not the same\n")
        return ""
    return first


def _email(text: str) -> str:
    normal = signing.normal_email(text)
    if not normal:
        raise argparse.ArgumentTypeError("this is no email address")
    return normal


CREATE_PERSON: Final = Errand(
    name="create-person",
    help="make a person, and their tenant if need be; asks for the password",
    add_arguments=add_arguments,
    do=create_person,
)
