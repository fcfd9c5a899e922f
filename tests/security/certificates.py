"""Certificates for a server of a test, right and wrong in one way each."""

import datetime
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key


def authority(name: str) -> Issued:
    """Return an authority of a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    built = (
        _builder(subject, subject, key, begins=NOW - DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Issued(built, key)


def issued(
    host: str,
    *,
    by: Issued | None,
    begins: datetime.datetime = NOW - DAY,
    key: Key | None = None,
) -> Issued:
    """Return a host's certificate for two days; by nobody: signed with its own key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    signer = by.key if by else key
    issuer = by.certificate.subject if by else _name(host)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    built = (
        _builder(_name(host), issuer, key, begins=begins)
        .add_extension(names, critical=False)
        .sign(signer, hashes.SHA256())
    )
    return Issued(built, key)


def pem(one: Issued) -> bytes:
    """Return a certificate and its key in one text."""
    return one.certificate.public_bytes(
        serialization.Encoding.PEM
    ) + one.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write(one: Issued, path: Path) -> Path:
    """Write a certificate and its key into one file, for its owner alone."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(pem(one))
    draft.chmod(0o600)
    draft.replace(path)
    return path


def server_context(one: Issued, folder: Path) -> ssl.SSLContext:
    """Return what a server needs to show a certificate."""
    path = write(one, folder / f"{one.certificate.serial_number}.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    *,
    begins: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + 2 * DAY)
    )
