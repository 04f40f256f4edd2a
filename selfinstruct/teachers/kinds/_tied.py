"""Run a command until standard input ends: `python _tied.py COMMAND ...`. Uses the standard library only.

Whoever starts this keeps the other end of its input. When that process ends, however it ends, the input is closed, and
the command is stopped: no model server outlives the run that it was started for.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_S = 5.0


def main(command: list[str]) -> int:
    """Run the command; its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        threading.Thread(target=_stop_at_end_of_input, args=(process,), daemon=True).start()
        return process.wait()


def _stop_at_end_of_input(process: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4096):  # not by sys.stdin, whose lock would be held when this process ends first
        pass
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    os.killpg(0, signal.SIGKILL)  # the session that this process leads, with all that the server started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
