"""Run one command and see that it ends when our process ends, however that happens.

Started as a script with the standard library only: `supervise.py PARENT_PID GRACE_S FOLDER LOG COMMAND...`.
It prints the command's pid on one line, then waits. SIGTERM, or the death of PARENT_PID, ends the command (SIGTERM,
then SIGKILL after GRACE_S). When the parent is gone nobody else can tidy up, so FOLDER, unless "-", is removed then.
The supervisor's own death, even by SIGKILL, kills the command through Linux' parent-death signal. That signal alone,
asked for by the parent, would not do: it follows the thread that forked, and threads of a Python program come and go.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys

_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG = 1
# How late the parent's death may be noticed: short enough that the port is free when somebody starts again.
_POLL_S = 0.25


def main(arguments: list[str]) -> int:
    """Run the command to its end and return its exit code as a shell would (128 + signal)."""
    parent, grace_s, folder, log = int(arguments[0]), float(arguments[1]), arguments[2], arguments[3]
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_supervisor() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)

    with open(log, "ab") as out:  # noqa: PTH123 (start-up time: pathlib is not needed here)
        child = subprocess.Popen(
            arguments[4:],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            close_fds=False,  # the lock on the data folder lives as long as the command
            preexec_fn=die_with_supervisor,  # noqa: PLW1509 (this program has one thread)
        )
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"%d\n" % child.pid)
    _wait(child, parent)
    _end(child, grace_s)
    if folder != "-" and os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)
    code = child.returncode
    return code if code >= 0 else 128 - code


def _wait(child: subprocess.Popen[bytes], parent: int) -> None:
    """Return when the command has ended, the parent is gone, or somebody asked us to stop."""
    while child.poll() is None and os.getppid() == parent:
        caught = signal.sigtimedwait(_WATCHED, _POLL_S)
        if caught is not None and caught.si_signo != signal.SIGCHLD:
            return


def _end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
