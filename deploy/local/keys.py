"""Secrets of one local installation, made on first use and readable by nobody else."""

import base64
import json
import os
import secrets
from pathlib import Path

import nkeys

_KEY_BYTES = 32


def nats_seed(directory: Path, service: str) -> Path:
    """Return the file with a service's NATS seed, made if it is missing."""
    path = directory / f"nats-{service}.seed"
    if not path.exists():
        seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
        write_secret(path, bytes(seed))
    return path


def nats_public_key(seed_file: Path) -> str:
    """Return the public key that belongs to a seed; it goes into the server's conf."""
    public_key: bytes = nkeys.from_seed(bytearray(seed_file.read_bytes())).public_key
    return public_key.decode()


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def key_ring(directory: Path, service: str) -> Path:
    """Return the file with a service's ring of keys, made if it is missing.

    Auth encrypts tokens with it, the api second factors with another; with a third the
    reconciler hashes who was erased.
    """
    path = directory / f"{service}-key-ring.json"
    if not path.exists():
        key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        ring = {"active": "k1", "keys": {"k1": key}}
        write_secret(path, json.dumps(ring).encode())
    return path


def password(directory: Path, name: str) -> str:
    """Return the password kept under a name, made if it is missing."""
    path = password_file(directory, name)
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(_KEY_BYTES).encode())
    return path.read_text()


def password_file(directory: Path, name: str) -> Path:
    """Return the file of the password that is kept under a name."""
    return directory / f"{name}.password"
