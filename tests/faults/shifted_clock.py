"""``python -m tests.faults.shifted_clock SECONDS MODULE ARGUMENTS…``: a program whose clock is off."""

from __future__ import annotations

import datetime as dt
import runpy
import sys

import time_machine

if __name__ == "__main__":
    seconds, module = float(sys.argv[1]), sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    shifted = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=seconds)
    with time_machine.travel(shifted, tick=True):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
