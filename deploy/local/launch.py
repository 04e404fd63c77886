"""How does a server start so that it never outlives its parent and never runs as root?

Run as a script in the child, before the server takes the process over: what has to be set there (the death signal, the
user) cannot be set safely between fork and exec of a process with threads.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522
ORPHANED = 3
"""Exit status when the parent was gone before its death could be watched."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def leave_root(user: str) -> None:
    """Become ``user``, keeping only the right to read: the programs may lie in a home that only root may enter."""
    account = pwd.getpwnam(user)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    reading = 1 << CAP_DAC_READ_SEARCH
    rights = (_Data * 2)(_Data(reading, reading, reading))
    # A container may not hold this right; then the programs have to be readable for everybody, and mostly are.
    if libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), rights) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)
    else:
        libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), (_Data * 2)())


def die_with(parent: int, signal_number: int) -> None:
    """Ask the kernel to send us a signal when the parent ends; only Linux can."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(ORPHANED)


def main() -> None:
    """Become the program: ``launch.py PARENT SIGNAL USER PROGRAM ARGUMENT...`` (USER ``-``: stay who we are)."""
    parent, signal_number, user, *command = sys.argv[1:]
    # A parent that waits for signals has them blocked, a background job ignores some: neither is for the server.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_DFL)
    if user != "-":
        leave_root(user)  # before the death signal: a change of user clears it
    die_with(int(parent), int(signal_number))
    os.execv(command[0], command)  # noqa: S606 - the point of this file: no shell, no return


if __name__ == "__main__":
    main()
