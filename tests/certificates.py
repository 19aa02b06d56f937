"""Certificates made on the spot for receivers that speak TLS, good and bad ones."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of a test; `pem` is the file to trust it by."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    @property
    def pem(self) -> Path:
        """The file with its certificate."""
        path = self.folder / "authority.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def context(self, *, host: str = "127.0.0.1", expired: bool = False) -> ssl.SSLContext:
        """Return the TLS context of a receiver that shows a certificate for `host` signed by this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        ends_at = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        alternative: x509.GeneralName = x509.DNSName(host)
        if host[0].isdigit():
            alternative = x509.IPAddress(ip_address(host))
        certificate = (
            _builder(_name(host), self.certificate.subject, key.public_key(), ends_at)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{host}-{expired}.pem"
        path.write_bytes(_private(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def new_authority(folder: Path) -> Authority:
    """Return a fresh authority that keeps its files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("An authority of a test")
    certificate = (
        _builder(name, name, key.public_key(), datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_may_sign_certificates(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate, folder)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends_at: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(ends_at - timedelta(days=30))
        .not_valid_after(ends_at)
    )


def _may_sign_certificates() -> x509.KeyUsage:
    """Return what Python 3.13 and newer ask of an authority."""
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
