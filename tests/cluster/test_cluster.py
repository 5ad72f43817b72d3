"""Grids beyond one machine: a real Slurm, and what is sent to Kubernetes; whole grids where FD2LIB_CLUSTER=1 asks."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))
import toy_grid  # noqa: E402
from kubernetes_api import kubernetes_api  # noqa: E402
from slurm import missing_programs  # noqa: E402

PROFILES = ROOT / "examples" / "cluster"
MANIFESTS = [
    (f"{path.name}-{told['kind']}", told)
    for path in (PROFILES / "kubernetes" / "setup.yaml", PROFILES / "kubernetes" / "controller.yaml")
    for told in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
STUDENTS = {f"sre2lpp{fd2}-whole-seed{seed}" for fd2 in ("", "_fd2") for seed in (0, 1)}
whole_grid = pytest.mark.skipif(
    os.environ.get("FD2LIB_CLUSTER") != "1", reason="takes minutes; FD2LIB_CLUSTER=1 runs it (see the page on clusters)"
)


def needs(*modules: str):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}; pip install -e '.[cluster]'")


def profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))


def snakemake(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


# Slurm


def told_of(jobs: list[dict[str, str]]) -> None:
    """Four runs went through Slurm, one was killed, and only it was submitted again, twice: it was killed once more."""
    first, again = ([job for job in jobs if job["command"] == number] for number in ("1", "2"))
    assert first + again == jobs, "the third command submits nothing"
    names = [job["job"] for job in first]
    assert len(names) == len(set(names)) == 8
    students = {name for name in names if "teacher" not in name}
    assert {name.removeprefix("plumage-").rpartition("-")[0] for name in students} == STUDENTS
    killed = [job for job in first if job["state"] != "COMPLETED"]
    assert [(job["state"], job["why"]) for job in killed] == [("CANCELLED", "first")]
    assert killed[0]["job"] in students
    assert [(job["job"], job["state"]) for job in again] == [
        (killed[0]["job"], "CANCELLED"),
        (killed[0]["job"], "COMPLETED"),
    ]
    assert len({job["slurm_job"] for job in jobs}) == len(jobs) and all(int(job["seconds"]) > 0 for job in jobs)


def test_the_table_of_the_page_is_of_such_a_grid():
    with open(ROOT / "results" / "cluster" / "slurm.csv", encoding="utf-8", newline="") as stream:
        told_of(list(csv.DictReader(stream)))


@whole_grid
@needs("snakemake_executor_plugin_slurm")
@pytest.mark.skipif(bool(missing_programs()), reason=f"Slurm's programs are missing here: {missing_programs()}")
def test_a_grid_on_slurm_repeats_only_what_was_killed_and_gives_a_local_runs_rows(tmp_path):
    seen = toy_grid.run(tmp_path / "grid")
    assert [status == 0 for status in seen.statuses] == [False, True, True], seen.told
    told_of(seen.jobs)
    assert "Nothing to be done" in seen.told[2]
    for number in (job["slurm_job"] for job in seen.jobs if job["command"] == "2"):
        assert "evaluate: continuing" in seen.log_of(number), "it goes on from the checkpoint"
    there, here = seen.rows("slurm"), seen.rows("locally")
    assert len(there) == len(here) == 4
    same = ("method", "seed", "settings", "fingerprint", "last_top1", "best_top1", "teacher_top1", "mean_pixel_change")
    assert [[row[name] for name in same] for row in there] == [[row[name] for name in same] for row in here]
    left = [path for path in Path("/proc").glob("[0-9]*") if str(tmp_path) in _variables(path)]
    assert not left, "no process of the cluster's is left"


def _variables(process: Path) -> str:
    try:
        return (process / "environ").read_bytes().decode(errors="replace")
    except OSError:  # it has ended, or is somebody else's
        return ""


# What the paper's whole table takes


@pytest.mark.parametrize(("plan", "file"), [("", "paper_table.csv"), ("gpu", "gpu_plan.csv")])
def test_the_table_of_costs_is_what_its_script_counts(plan, file):
    command = [sys.executable, str(ROOT / "benchmarks" / "grid_cost.py"), *plan.split()]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    committed = (ROOT / "results" / "cluster" / file).read_text(encoding="utf-8")
    assert run.stdout.strip() == committed.strip(), run.stderr
    *stages, whole, chain = csv.DictReader(committed.splitlines())
    count = "PFLOP, in the grid"
    alone, grid, longest = (
        float(text.replace(",", "")) for text in (whole["PFLOP, each row alone"], whole[count], chain[count])
    )
    assert longest < grid < alone
    for name in (count, "thousand steps"):
        parts, (all_of_it,) = ([float(row[name].replace(",", "")) for row in rows] for rows in (stages, [whole]))
        assert abs(sum(parts) - all_of_it) < len(stages), "stages add up"


# Profiles


@pytest.mark.parametrize("name", ["local", "slurm", "kubernetes"])
def test_a_profile_retries_resumes_and_asks_for_gpus(name):
    told = profile(name)
    assert told["executor"] == name and told["retries"] == 2 and told["rerun-incomplete"] and told["keep-going"]
    assert all(told["set-resources"][rule]["gpu"] == 1 for rule in ("teacher", "students"))


@needs("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")
@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_profile_plans_each_job_once_with_its_resources(name, tmp_path):
    (tmp_path / "grid").mkdir()
    prefix = ["--default-storage-prefix", str(tmp_path / "grid")] if name == "kubernetes" else []
    config = ["--config", f"plan={toy_grid.PLAN}", "out=rows", "--", "rows/runs.csv"]
    run = snakemake("--profile", str(PROFILES / name), "--dry-run", *prefix, *config, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    jobs = [line for line in (run.stdout + run.stderr).splitlines() if line.strip().startswith("wildcards: job=")]
    assert len(jobs) == len(set(jobs)) == 8
    asked = [line for line in (run.stdout + run.stderr).splitlines() if "resources:" in line and "gpu=1" in line]
    assert len(asked) == 8 and all("mem_mb=16000" in line for line in asked)


# Kubernetes: there is none here. Manifests are held against the models of Kubernetes' own client, field by field.


def fitting(told: Any, kind: str, place: str) -> None:
    """Check that a manifest has only fields that its kind has, of their types, and all that are required."""
    from kubernetes.client import models

    if kind.startswith(("list[", "dict(")):
        inner = kind[5:-1].split(", ")[-1]
        assert isinstance(told, list if kind.startswith("list") else dict), place
        items = enumerate(told) if isinstance(told, list) else told.items()
        for key, value in items:
            fitting(value, inner, f"{place}[{key}]")
    elif kind in ("str", "int", "bool", "object", "datetime", "float"):
        types = {"str": str, "int": int, "bool": bool, "float": (int, float)}
        assert isinstance(told, types.get(kind, object)), f"{place} is {told!r}, expected {kind}"
    else:
        model = getattr(models, kind)
        fields = {alias: name for name, alias in model.attribute_map.items()}
        assert isinstance(told, dict) and not (told.keys() - fields.keys()), (
            f"{place}: {sorted(told.keys() - fields.keys())}"
        )
        for key, value in told.items():
            fitting(value, model.openapi_types[fields[key]], f"{place}.{key}")
        model(**{fields[key]: value for key, value in told.items()})  # complains about a required one that is missing


@needs("kubernetes")
@pytest.mark.parametrize("told", [told for _, told in MANIFESTS], ids=[name for name, _ in MANIFESTS])
def test_a_manifest_has_the_fields_of_its_kind(told):
    kinds = {"rbac.authorization.k8s.io/v1": "V1"}
    fitting(told, f"{kinds.get(told['apiVersion'], 'V1')}{told['kind']}", told["kind"])
    assert told["metadata"].get("namespace", "fd2lib") == profile("kubernetes")["kubernetes-namespace"]


@needs("kubernetes")
def test_a_misspelt_or_missing_field_is_found():
    (role,) = [told for _, told in MANIFESTS if told["kind"] == "RoleBinding"]
    with pytest.raises(AssertionError, match="rolRef"):
        fitting({**role, "rolRef": role["roleRef"]}, "V1RoleBinding", "here")
    with pytest.raises(ValueError, match="role_ref"):
        fitting({key: value for key, value in role.items() if key != "roleRef"}, "V1RoleBinding", "here")
    with pytest.raises(AssertionError, match="expected str"):
        fitting({**role, "kind": 1}, "V1RoleBinding", "here")


def test_manifests_profile_and_image_name_the_same_things():
    told, by_kind = profile("kubernetes"), {manifest["kind"]: manifest for _, manifest in MANIFESTS}
    pod = by_kind["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    claim = by_kind["PersistentVolumeClaim"]["metadata"]["name"]
    assert told["kubernetes-persistent-volumes"] == [f"{claim}:/grid"]
    assert {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]} == {claim}
    assert {"name": "grid", "mountPath": "/grid"} in container["volumeMounts"]
    assert container["image"] == told["container-image"] and told["default-storage-prefix"].startswith("/grid/")
    assert pod["serviceAccountName"] == told["kubernetes-service-account-name"] == by_kind["Role"]["metadata"]["name"]
    assert (ROOT / container["args"][0].partition("=")[2] / "config.yaml").is_file()
    built = (PROFILES / "kubernetes" / "Containerfile").read_text(encoding="utf-8")
    assert f"WORKDIR {container['workingDir']}\n" in built and f"-t {container['image']} " in built


@whole_grid
@needs("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")
@pytest.mark.skipif(
    shutil.which("rsync") is None, reason="rsync, by which jobs on Kubernetes pass files, is missing here"
)
def test_what_is_sent_to_kubernetes_is_valid_allowed_and_does_the_work(tmp_path):
    volume, tools = tmp_path / "grid", tmp_path / "bin"
    volume.mkdir()
    tools.mkdir()
    plan = (
        toy_grid.PLAN.read_text(encoding="utf-8").replace('"sre2lpp,sre2lpp_fd2"', '"sre2lpp"').replace('"0,1"', '"0"')
    )
    (volume / "plan.toml").write_text(plan, encoding="utf-8")
    # In place of the image: this environment, where there is nothing to install.
    for name, script in {"python": f'exec {sys.executable} "$@"', "pip": "exit 0"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    inside = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    places = [
        "--kubernetes-persistent-volumes",
        f"fd2lib-grid:{volume}",
        "--default-storage-prefix",
        str(volume / "files"),
    ]
    config = [f"plan={volume / 'plan.toml'}", "out=rows", f"runs_dir={volume / 'runs'}", "device=cpu"]
    words = ["--profile", str(PROFILES / "kubernetes"), *places, "--nolock", "--seconds-between-status-checks", "2"]
    (tmp_path / "controller").mkdir()
    shutil.copy(ROOT / "Snakefile", tmp_path / "controller")  # sources are sent from below the working folder
    with kubernetes_api(tmp_path, os.environ | inside) as api:
        command = [sys.executable, "-m", "snakemake", *words, "--config", *config, "--", "rows/runs.csv"]
        environment = os.environ | inside | {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        run = subprocess.run(command, cwd=tmp_path / "controller", env=environment, capture_output=True, text=True)
    assert run.returncode == 0, (run.stdout, run.stderr, *api.told.values())
    assert len(api.sent) == 2 and set(api.done.values()) == {0}
    for job in api.sent.values():
        fitting(job, "V1Job", "job")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1", "without a limit Kubernetes gives no GPU"
    with open(volume / "files" / "rows" / "runs.csv", encoding="utf-8", newline="") as stream:
        assert [row["method"] for row in csv.DictReader(stream)] == ["sre2lpp"]
    (role,) = [told for _, told in MANIFESTS if told["kind"] == "Role"]
    allowed = {(verb, name) for rule in role["rules"] for name in rule["resources"] for verb in rule["verbs"]}
    assert api.asked <= allowed, json.dumps(sorted(api.asked - allowed))
