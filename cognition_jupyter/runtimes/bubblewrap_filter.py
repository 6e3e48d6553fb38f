"""System calls that a bubblewrap sandbox has no use for: what engines forbid by default, too.

Above all new user namespaces, in which a process would be root again and could reach much of the
kernel that capabilities keep others from; and the keyrings, which no namespace separates.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

_NEW_USER_NAMESPACE = 0x10000000  # CLONE_NEWUSER
_X32 = 0x40000000  # numbers of x86_64's other set of calls

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # in struct seccomp_data, little-endian


@dataclass(frozen=True)
class _Machine:
    architecture: int
    clone: int
    unshare: int
    # add_key, request_key, keyctl, perf_event_open, setns, bpf, userfaultfd
    forbidden: tuple[int, ...]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 56, 272, (248, 249, 250, 298, 308, 321, 323)),
    "aarch64": _Machine(0xC00000B7, 220, 97, (217, 218, 219, 241, 268, 280, 282)),
}
_CLONE3 = 435  # its flags are in memory, where a filter can't look; libraries fall back to clone
_IO_URING = (425, 426, 427)


def system_call_filter() -> bytes | None:
    """The program for `bwrap --seccomp`; None on a machine whose calls are not known here."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return None
    refused, unknown = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, unknown),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, unknown),
        (_IF_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, unknown),
    ]
    for number in (*machine.forbidden, *_IO_URING):
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, refused)]
    program += [
        (_IF_EQUAL, 2, 0, machine.clone),
        (_IF_EQUAL, 1, 0, machine.unshare),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_SET, 0, 1, _NEW_USER_NAMESPACE),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
