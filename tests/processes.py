"""Commands in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["until_at_work"]


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
