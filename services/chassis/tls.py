"""What is true of every TLS connection between Tandem and its own surroundings.

Versions 1.2 and 1.3, and suites whose keys are of one connection alone and that notice
what was altered. Calls to apps and to the provider are not meant: their servers are
others' to choose for, and Python's own settings are for them.
"""

import ssl
from pathlib import Path
from typing import Final, NamedTuple

SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of version 1.2, as OpenSSL names them; those of 1.3 are like that all."""
OLDEST: Final = ssl.TLSVersion.TLSv1_2


class Papers(NamedTuple):
    """What proves a peer to us and us to it: files, which may change at any time."""

    authority_file: Path | None = None
    """Who alone may vouch for it; None: whom the system trusts."""
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what one connection is made with; it reads the files.

        The peer has to show a certificate for the very name that is called.

        Raises:
            OSError: A file cannot be read, or is not what it should be.
        """
        context = ssl.create_default_context(cafile=self.authority_file)
        _harden(context)
        if self.certificate_file is not None:
            _show(context, self.certificate_file, key_file=self.key_file)
        return context


def server_context(certificate_file: Path, key_file: Path | None) -> ssl.SSLContext:
    """Return what a server shows its certificate with.

    Raises:
        OSError: A file cannot be read, or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _show(context, certificate_file, key_file=key_file)
    return context


def reason_of(err: OSError) -> str:
    """Return why TLS did not come about, in words that repeat no path and no name."""
    if isinstance(err, ssl.SSLCertVerificationError):
        return err.verify_message
    if isinstance(err, ssl.SSLError):
        return err.reason or "it cannot be understood"
    return err.strerror or "it cannot be read"


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = OLDEST
    context.set_ciphers(SUITES)


def _show(
    context: ssl.SSLContext, certificate_file: Path, *, key_file: Path | None
) -> None:
    # Without the last argument OpenSSL would ask whoever is at the keyboard.
    context.load_cert_chain(certificate_file, key_file, password="")
