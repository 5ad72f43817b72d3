"""A whole Slurm on this host, in one folder, while a block runs: munged, slurmctld and one slurmd, on loopback.

Made of the distribution's packages (Debian and Ubuntu: munge, slurm-wlm). It has one node with two CPUs and, for
"GPUs", two devices that every machine has, so that Slurm counts them. It leaves no process behind: jobs are cancelled,
then each daemon is stopped.
"""

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol")
CONFIG = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
# No control groups, which containers lack: a job's processes are those of its process group.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
# Jobs stay listed, so that squeue can say how they ended.
MinJobAge=3600
KillWait=5
ReturnToService=2
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:2
PartitionName=gpu Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""
NODE = "loop1"


def missing_programs() -> list[str]:
    """Names of Slurm's and munge's programs that are not installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@contextlib.contextmanager
def slurm(folder: Path, patience: float = 30) -> Iterator[dict[str, str]]:
    """Yield the environment in which ``sbatch`` and others speak to the cluster; ``folder`` is new and private."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    with contextlib.ExitStack() as sockets:
        ports = [sockets.enter_context(_free_port()).getsockname()[1] for _ in range(2)]
    told = {"host": socket.gethostname().split(".")[0], "user": getpass.getuser(), "node": NODE, "ports": ports}
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(folder=folder, **told), encoding="utf-8")
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n", encoding="utf-8")
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    # Snakemake's executor takes SLURM_… out of srun's environment, and with it where this cluster's settings are.
    srun = folder / "bin" / "srun"
    srun.write_text(
        f'#!/bin/sh\nSLURM_CONF={shlex.quote(str(config))} exec {shutil.which("srun")} "$@"\n', encoding="utf-8"
    )
    srun.chmod(0o755)
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": os.pathsep.join((str(srun.parent), path))}
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
    files |= {"log-file": folder / "munged.log", "seed-file": folder / "munge.seed"}
    munged = ["munged", "--foreground", "--force", *(f"--{name}={file}" for name, file in files.items())]
    with contextlib.ExitStack() as daemons:
        daemons.enter_context(_daemon(munged, folder, environment))
        _wait(lambda: (folder / "munge.socket").exists(), patience, folder)
        daemons.enter_context(_daemon(["slurmctld", "-D", "-f", str(config)], folder, environment))
        daemons.enter_context(_daemon(["slurmd", "-D", "-N", NODE, "-f", str(config)], folder, environment))
        _wait(lambda: "idle" in ask(["sinfo", "--noheader", "--format=%T"], environment), patience, folder)
        try:
            yield environment
        finally:
            ask(["scancel", f"--user={told['user']}"], environment)
            _wait(lambda: not ask(["squeue", "--noheader"], environment).strip(), patience, folder)


def ask(command: list[str], environment: dict[str, str]) -> str:
    """What a program of Slurm's prints, empty where it fails."""
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


@contextlib.contextmanager
def _free_port() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one


@contextlib.contextmanager
def _daemon(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with open(folder / f"{command[0]}.out", "w", encoding="utf-8") as told:
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(true, patience: float, folder: Path) -> None:
    """Until something is so; the ends of the daemons' logs are the error's words."""
    until = time.monotonic() + patience
    while not true():
        if time.monotonic() > until:
            logs = [path for path in sorted(folder.iterdir()) if path.suffix in (".out", ".log")]
            told = "\n".join(f"{path.name}: {path.read_text(errors='replace')[-600:]}" for path in logs)
            raise TimeoutError(f"Slurm was not ready within {patience:g} s.\n{told}")
        time.sleep(0.2)
