"""The command line, in processes of its own and in this one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from symsafe import cli

__all__ = ["status_of_main", "until_at_work"]


def status_of_main() -> object:
    """Run the command line here; signals are handled as before when it is left."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    return caught.value.code


def until_at_work(process: subprocess.Popen[str]) -> None:
    """Wait until a command is some seconds into its search, however slowly it was loaded.

    It has begun when it catches SIGTERM; where the system does not tell, it has a moment more.
    """
    if sys.platform == "linux":
        while process.poll() is None:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            caught = next(int(x.split()[1], 16) for x in lines if x.startswith("SigCgt"))
            if caught >> (signal.SIGTERM - 1) & 1:
                break
            time.sleep(0.05)
    else:
        time.sleep(3)
    time.sleep(3)
