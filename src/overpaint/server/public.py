"""Which addresses are public: those of machines on the internet, and not of this one or of its network."""

from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address

_NAT64 = ip_network("64:ff9b::/96")
_UNICAST = ip_network("2000::/3")  # all that is given out of IPv6 for use between networks
# what ``ipaddress`` lets pass, or did in some version of Python 3.11 to 3.13; IANA's registries of special addresses
_NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # shared by customers of one provider; also a cloud's metadata
        "168.63.129.16/32",  # Azure's, to be reached only from inside of its machines
        "192.0.0.0/24",  # protocol assignments; also a cloud's metadata
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
]


def is_public(address: Address) -> bool:
    """Whether it is one machine's address on the public internet, by its number alone.

    IPv6 addresses with an IPv4 address inside are not: nothing honest is named so any more. The exception is NAT64's
    64:ff9b::/96, by which a machine without IPv4 sees the rest of the world: there the address inside decides.
    """
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.version == 6 and address not in _UNICAST:
        return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
