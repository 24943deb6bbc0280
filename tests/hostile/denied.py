"""denied.py -- runs a command as containers do that deny namespaces: a filter refuses to make or join
any, and to mount. `python3 denied.py COMMAND…`, as root (setpriv comes after it).

Everything below inherits it, as it would a container's.
"""
import ctypes
import errno
import os
import struct
import sys

AUDIT_ARCH_X86_64 = 0xC000003E
NEW_ANY = 0x7E020000  # CLONE_NEW*, all but the time namespace's, which is no flag of clone
CLONE, UNSHARE, SETNS, MOUNT, UMOUNT, PIVOT_ROOT, CLONE3 = 56, 272, 308, 165, 166, 155, 435
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, EQUAL, MASKED, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000


def program():
    """Refusals first; each test jumps over its own answer."""
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, ALLOW),
             (LOAD, 0, 0, 0)]
    for call in (SETNS, MOUNT, UMOUNT, PIVOT_ROOT):
        lines += [(EQUAL, 0, 1, call), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    lines += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    lines += [(EQUAL, 2, 0, CLONE), (EQUAL, 1, 0, UNSHARE), (RETURN, 0, 0, ALLOW),
              (LOAD, 0, 0, 16), (MASKED, 0, 1, NEW_ANY), (RETURN, 0, 0, REFUSE | errno.EPERM),
              (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines), len(lines)


def main():
    if os.uname().machine != "x86_64":
        sys.exit("denied.py: the filter is written for x86_64")
    code, count = program()
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", count, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        sys.exit(f"denied.py: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


main()
