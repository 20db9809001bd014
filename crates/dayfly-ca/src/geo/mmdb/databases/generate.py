#!/usr/bin/env python3
"""Writes the databases beside it, with a writer that is not ours: pip install mmdb-writer netaddr; ./generate.py"""

import pathlib

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = pathlib.Path(__file__).parent
NETWORKS = {"192.0.2.0/24": ("DE", 64496), "2001:db8::/32": ("FR", 64497)}


def write(name, record, version=6):
    writer = MMDBWriter(version, name, ipv4_compatible=version == 6, int_type="uint32")
    for network, (country, system) in NETWORKS.items():
        if version == 6 or ":" not in network:
            writer.insert_network(IPSet([network]), record(country, system))
    writer.to_db_file(str(HERE / f"{name}.mmdb"))


# As MaxMind writes them: names in many languages beside the code.
write("nested", lambda country, system: {"country": {"iso_code": country, "names": {"en": country}}, "autonomous_system_number": system})
# As the free lists of npm's @ip-location-db write them.
write("flat", lambda country, system: {"country_code": country, "autonomous_system_number": system})
# As IPinfo writes them.
write("texts", lambda country, system: {"country": country, "asn": f"AS{system}"})
write("ipv4", lambda country, _: {"country_code": country}, version=4)
