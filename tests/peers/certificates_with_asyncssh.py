"""What asyncssh reads in certificates, a JSON object a line: certificates_with_asyncssh.py PRINCIPAL AUTHORITIES FILE."""

import json
import sys

import asyncssh
from asyncssh.public_key import CERT_TYPE_USER


def read(line, principal, authorities):
    try:
        # Its signature is checked as it is read.
        certificate = asyncssh.import_certificate(line)
    except (asyncssh.KeyImportError, ValueError):
        return {"read": False}
    try:
        certificate.validate(CERT_TYPE_USER, principal)
        accepted = certificate.signing_key.public_data in authorities
    except ValueError:
        accepted = False
    return {
        "read": True,
        "serial": str(certificate._serial),
        "key_id": certificate._key_id,
        "principals": list(certificate.principals),
        "after": str(certificate._valid_after),
        "before": str(certificate._valid_before),
        "accepted": accepted,
    }


def main(principal, authorities, path):
    with open(authorities, encoding="utf-8") as lines:
        trusted = {asyncssh.import_public_key(line).public_data for line in lines if line.strip()}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            print(json.dumps(read(line, principal, trusted)))


main(*sys.argv[1:])
