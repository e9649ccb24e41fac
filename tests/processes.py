"""Commands of train/ in processes of their own, without the seconds that each takes to import torch.

They are forked from a server that has imported what training needs and has computed nothing: the fork of a process that has computed may
wait for ever for threads that it does not have.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["train.training", "train.pretrain.pretraining"])
SECONDS = 300  # at most, on a busy machine


class Command:
    """`python -m MODULE ARGUMENTS`, without GPU, one thread a process; several processes share the work as those of a launcher do."""

    def __init__(self, said: Path, module: str, *arguments: str | Path, processes: int = 1) -> None:
        self.said = said
        self.said.unlink(missing_ok=True)
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(processes)} if processes > 1 else {}
        ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {} for rank in range(processes)]
        given = (said, module, [str(argument) for argument in arguments])
        self.processes = [FORKS.Process(target=_run, args=(*given, {**shared, **rank})) for rank in ranks]
        for process in self.processes:
            process.start()

    def kill(self) -> None:
        """kill -9, all of them; none may have ended before."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()
        assert {process.exitcode for process in self.processes} == {-9}, self.said.read_text("utf-8", "replace")

    def finish(self) -> str:
        """Wait for its end, which must be a good one: what it said."""
        for process in self.processes:
            process.join(SECONDS)
        said = self.said.read_text("utf-8", "replace")
        assert {process.exitcode for process in self.processes} == {0}, said
        return said


def _run(said: Path, module: str, arguments: list[str], variables: dict[str, str]) -> None:
    import torch

    with said.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(variables, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    torch.set_num_threads(1)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
