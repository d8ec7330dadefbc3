"""What a worker process gives up before it reads a stranger's bytes. One way: nothing here can be undone.

    rlimits       memory, CPU time and open files within limits, no core file, no byte to any file.
                  Linux; elsewhere as far as the system has them.
    namespaces    no network and none of the system's IPC, for there is none in its own.
                  Linux where a process may make some: not in most containers.
    landlock      no file but those of Python and of libraries can be read, none written; no other process looked into.
                  Linux 5.13; from 6.7 on no TCP either, from 6.12 on no signals to others.
    seccomp       no socket, no other process or program; no file made, changed, moved or removed.
                  Linux on x86-64 and ARM 64, containers too. A list of what is forbidden: of what is there now. Alone
                  it does not keep files from being read, nor, through /proc, the environment of the server.
    audit hook    no socket, program or file to write from Python code, which is all there is where the others are not.
                  No hindrance to machine code.

On Linux it also dies with the server; elsewhere it ends when its pipe closes. There is no RLIMIT_NPROC: that counts all
processes of a user, and decoders need threads. Which of these hold here, ``Sandbox.layers`` tells.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any, Final

_FILES = 32  # that may be open
_PDEATHSIG, _SECCOMP, _NO_NEW_PRIVS = 1, 22, 38  # of prctl
_NEWUSER, _NEWNET, _NEWIPC = 0x10000000, 0x40000000, 0x08000000  # of unshare


def enter(megabytes: int, parent: int) -> list[str]:
    """For the process that waits for pictures: all that need not be done for each. The layers that hold."""
    with contextlib.suppress(OSError):  # if memory runs out, this one is to go and not the server
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_NOFILE, _FILES)
    limit(resource.RLIMIT_AS, _mapped() + (megabytes << 20))
    held = ["rlimits"]
    if sys.platform != "linux":
        return held
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_NEWUSER | _NEWNET | _NEWIPC) == 0 or libc.unshare(_NEWNET | _NEWIPC) == 0:
        held.append("namespaces")
    if _landlock(libc):
        held.append("landlock")
    die_with(parent)  # after unshare, which may clear it
    return held


def enter_task(seconds: int) -> list[str]:
    """For the process that reads one picture and ends."""
    limit(resource.RLIMIT_CPU, seconds)
    held = ["seccomp"] if _seccomp() else []
    sys.addaudithook(_refuse)
    return held


def die_with(parent: int) -> None:
    """End when the parent does (on Linux: when its thread ends that started this)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before
        os._exit(1)


def limit(what: int, most: int) -> None:
    """Never raises a limit that somebody else has set."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS knows some and refuses them
        resource.setrlimit(what, (most, most))


def _mapped() -> int:
    """Bytes of address space that are taken now: libraries map much that they never use."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


_PROGRAMS = ("os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.")
_FORBIDDEN = ("socket.", "ctypes.dlopen", *_PROGRAMS)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(_FORBIDDEN):
        raise PermissionError(errno.EPERM, f"not in a worker process: {event}")


# ---- Landlock (Linux, Documentation/userspace-api/landlock.rst) ------------------------------------------------------

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}  # how many of the rights to files a version knows; 16 from 5 on
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3


def _landlock(libc: ctypes.CDLL) -> bool:
    """Reading below the folders of Python and of libraries is left, nothing else."""
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    wanted = struct.pack("=QQQ", rights, 3, 3)  # files, TCP (bind, connect), scopes (abstract sockets, signals)
    rules = libc.syscall(_CREATE, wanted, ctypes.c_size_t(8 if version < 4 else 16 if version < 6 else 24), 0)
    if rules < 0:
        return False
    try:
        for place in _readable():
            below = os.open(place, os.O_PATH | os.O_CLOEXEC)
            libc.syscall(_ADD, rules, 1, struct.pack("=Qi", _READ_FILE | _READ_FOLDER, below), 0)
            os.close(below)
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _readable() -> list[str]:
    """What is imported late: codecs of the standard library, a library's own libraries."""
    ours = str(Path(__file__).parent.parent)
    places = {sys.prefix, sys.base_prefix, ours, "/lib", "/lib64", "/usr/lib"}
    places |= {place for place in sys.path if place.endswith(("site-packages", "dist-packages"))}  # a user's own
    return [place for place in sorted(places) if place != "/" and Path(place).is_dir()]


# ---- seccomp (Linux, Documentation/userspace-api/seccomp_filter.rst) -------------------------------------------------

# system calls that fail with EPERM: name, number on x86-64, on ARM 64
_DENIED: Final = """
# the network
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242,
sendto 44 206, sendmsg 46 211, sendmmsg 307 269, io_uring_setup 425 425, io_uring_enter 426 426,
io_uring_register 427 427
# programs and processes, other people's too
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, setsid 112 157, setpgid 109 154, ptrace 101 117,
process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272, process_madvise 440 440, tkill 200 130,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_open 434 434, pidfd_getfd 438 438,
pidfd_send_signal 424 424, setpriority 141 140, ioprio_set 251 30, sched_setparam 142 118,
sched_setscheduler 144 119, sched_setattr 314 274
# files made, changed, moved, removed
creat 85 -, truncate 76 45, open_by_handle_at 304 265, memfd_create 319 279, rename 82 -, renameat 264 38,
renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
unlink 87 -, unlinkat 263 35, mknod 133 -, mknodat 259 33, chmod 90 -, fchmod 91 52, fchmodat 268 53,
fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, setxattr 188 5, lsetxattr 189 6,
fsetxattr 190 7, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -
# the system
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268, open_tree 428 428,
move_mount 429 429, fsopen 430 430, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, add_key 248 217,
request_key 249 218, keyctl 250 219, shmget 29 194, msgget 68 186, semget 64 190, mq_open 240 180,
personality 135 92
"""
_UNKNOWN: Final = (435, 437)  # clone3, openat2: as if the kernel were older, so that libc takes clone and openat
_CLONE, _OPEN, _OPENAT, _KILL, _TGKILL, _PRLIMIT = (56, 220), (2, None), (257, 56), (62, 129), (234, 131), (302, 261)
_CLONE_THREAD = 0x10000
_ARCHES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # of classic BPF
_ALLOW, _ERRNO, _KILL_ALL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000


def _seccomp() -> bool:
    found = _ARCHES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None
    if found is None:
        return False
    code = _program(*found, os.getpid())
    buffer = ctypes.create_string_buffer(b"".join(code))
    whole = struct.pack("@HP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and libc.prctl(_SECCOMP, 2, whole, 0, 0) == 0)


def _denied(column: int) -> list[int]:
    lines = [line for line in _DENIED.splitlines() if not line.startswith("#")]
    calls = [call.split() for call in ",".join(lines).split(",") if call.strip()]
    return [int(call[1 + column]) for call in calls if call[1 + column] != "-"]


def _program(column: int, arch: int, pid: int) -> list[bytes]:
    """The filter, over ``struct seccomp_data``: number at 0, architecture at 4, arguments from 16 on, 8 bytes each."""

    def op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, k)

    code = [op(_LOAD, 4), op(_EQUAL, arch, 1, 0), op(_RETURN, _KILL_ALL), op(_LOAD, 0)]
    code += [op(_AT_LEAST, _X32, 0, 1), op(_RETURN, _ERRNO | errno.ENOSYS)]
    for number, error in [*((n, errno.EPERM) for n in _denied(column)), *((n, errno.ENOSYS) for n in _UNKNOWN)]:
        code += [op(_EQUAL, number, 0, 1), op(_RETURN, _ERRNO | error)]
    writing = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
    for numbers, argument, mask, wanted in (
        (_CLONE, 0, _CLONE_THREAD, _CLONE_THREAD),  # threads, no processes
        (_OPEN, 1, writing, 0),
        (_OPENAT, 2, writing, 0),
        (_KILL, 0, 0xFFFFFFFF, pid),  # itself: that is how abort() ends
        (_TGKILL, 0, 0xFFFFFFFF, pid),
        (_PRLIMIT, 0, 0xFFFFFFFF, 0),
    ):
        if (call := numbers[column]) is not None:
            code += [op(_EQUAL, call, 0, 5), op(_LOAD, 16 + 8 * argument), op(_AND, mask)]
            code += [op(_EQUAL, wanted, 0, 1), op(_RETURN, _ALLOW), op(_RETURN, _ERRNO | errno.EPERM)]
    return [*code, op(_RETURN, _ALLOW)]
