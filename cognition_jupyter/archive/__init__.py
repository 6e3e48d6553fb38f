"""Projects as one portable file: out of a root, into another one, and copied within one."""
