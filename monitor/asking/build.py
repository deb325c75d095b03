"""Which build this is: what a bundle names, and what a bit-for-bit comparison needs to be the same."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np

from kernels.machine_code import BUILD
from monitor.answers.bundle import Build


def this_build() -> Build:
    """Return the kernels' build, the CPU class that they were compiled for, and numpy's version."""
    return Build(BUILD, llvm.get_host_cpu_name(), np.__version__)
