"""Every operation of the protocol, by family: how it is written, what it does, and how it fails."""
