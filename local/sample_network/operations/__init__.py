"""Every operation of the protocol, by family: its XDR, its effects, and its failures."""
