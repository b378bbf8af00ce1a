"""The examples for Slurm and Kubernetes: what they start is a command that there is."""

import subprocess
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples" / "fleet"


def options_of(run, command: str) -> str:
    return run(command, "--help").out


def test_the_job_is_one_of_kubernetes():
    job = yaml.safe_load((EXAMPLES / "job.yaml").read_text())
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    schemas.validate(job, schemas.latest_version(), strict=True)


def test_the_shards_of_the_job_are_as_many_as_its_pods(run):
    spec = yaml.safe_load((EXAMPLES / "job.yaml").read_text())["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert f"$(JOB_COMPLETION_INDEX)/{spec['completions']}" in container["args"]
    assert container["command"][:2] == ["selfhvd", "deblur"]
    known = options_of(run, "deblur")
    assert all(word in known for word in container["args"] if word.startswith("--"))


def test_the_ray_job_starts_a_fleet(run):
    spec = yaml.safe_load((EXAMPLES / "rayjob.yaml").read_text())["spec"]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    assert all(group["template"]["spec"]["containers"][0]["envFrom"] for group in groups)  # both reach the store
    words = spec["entrypoint"].split()
    assert words[:2] == ["selfhvd", "fleet"] and "--state" in words
    known = options_of(run, "fleet")
    assert all(word in known for word in words if word.startswith("-"))


def test_the_script_for_slurm_is_one_of_bash(run):
    script = EXAMPLES / "slurm.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    command = script.read_text().replace("\\\n", "").rpartition("exec selfhvd deblur ")[2]
    known = options_of(run, "deblur")
    assert all(word in known for word in command.split() if word.startswith("-"))
    wrong = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_CPUS_PER_TASK": "1"}
    told = subprocess.run(["/bin/bash", str(script), "in", "out", "4"], env=wrong, capture_output=True, text=True)
    assert told.returncode == 2 and "choose --array=0-3" in told.stderr
    assert all(line.startswith("#SBATCH --") for line in script.read_text().splitlines() if line.startswith("#SB"))
