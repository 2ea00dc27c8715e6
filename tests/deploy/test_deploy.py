"""What a lab deploys: every file parses, names only what there is, and gives each part its own."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from celery.bin.celery import celery
from check_jsonschema.builtin_schemas import get_builtin_schema
from django.core.management import get_commands, load_command_class
from gunicorn.config import Config
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OBJECTS = [
    found
    for path in MANIFESTS
    for found in yaml.safe_load_all(path.read_text())
    if found is not None
]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OF_OTHERS = {"database", "broker"}
"""Services of the compose file whose images are not ours."""
OWN = {name: made for name, made in COMPOSE["services"].items() if name not in OF_OTHERS}
SECRETS = {
    "DOUGONG_DATABASE_URL",
    "DOUGONG_BROKER_URL",
    "DOUGONG_SECRET_KEY",
    "DOUGONG_METRICS_TOKEN",
}
OF_THE_HUB_ALONE = SECRETS - {"DOUGONG_BROKER_URL"}
HUB_IMAGE, JUDGE_IMAGES = "dougong-hub", {"dougong-judge", "dougong-judge-cuda"}


def env_file(name: str) -> dict[str, str]:
    lines = (DEPLOY / "env" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def pod_of(found: dict) -> dict | None:
    spec = found.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template", {}).get("spec")


PODS = {found["metadata"]["name"]: pod for found in OBJECTS if (pod := pod_of(found))}
CONTAINERS = [
    (name, container)
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", ()), *pod["containers"]]
]
CONFIG = {
    (found["kind"], found["metadata"]["name"]): found.get("data") or found.get("stringData") or {}
    for found in OBJECTS
    if found["kind"] in {"ConfigMap", "Secret"}
}


def env_of(container: dict) -> dict[str, str]:
    """The variables of a container, but for those that the cluster makes."""
    env: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            env |= CONFIG[kind, source[key]["name"]] if key in source else {}
    given = container.get("env", ())
    return env | {each["name"]: each["value"] for each in given if "value" in each}


def unit(path: Path) -> dict[str, list[str]]:
    parser = configparser.RawConfigParser(
        strict=False, dict_type=_Many, empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(path.read_text())
    return {key: value.split("\n") for key, value in parser["Service"].items()}


class _Many(dict):
    """Keeps every value of a key that is given twice, as systemd does for lists."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]
        super().__setitem__(key, value)


def commands() -> dict[str, list[str]]:
    """Every command line that starts something of ours, by where it stands."""
    found = {f"image {n}": json.loads(each) for n, each in enumerate(_cmds())}
    found |= {f"compose {name}": each["command"] for name, each in OWN.items() if "command" in each}
    for name, container in CONTAINERS:
        line = container.get("command")
        if line == ["sh", "-c"]:
            line = shlex.split(container["args"][0].partition("&&")[0])
        if line:
            found[f"pod {name} {container['name']}"] = line
    for path in UNITS:
        line = shlex.split(unit(path)["ExecStart"][-1].replace("%%", "%"))
        line = shlex.split(line[-1].removeprefix("exec ")) if line[0] == "/bin/sh" else line
        found[path.name] = line
    return found


def _cmds() -> list[str]:
    return re.findall(r"^CMD (.*)$", CONTAINERFILE, re.MULTILINE)


COMMANDS = commands()


def test_the_compose_file_is_of_its_schema():
    schema = get_builtin_schema("vendor.compose-spec")
    assert [error.message for error in Draft202012Validator(schema).iter_errors(COMPOSE)] == []
    assert list(Draft202012Validator(schema).iter_errors({"services": {"web": {"img": "x"}}}))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_manifests_are_of_kubernetes_schemas(path):
    validator = pytest.importorskip(
        "kubernetes_validate", reason="70 MB of schemas; pip install kubernetes-validate to look"
    )
    for found in yaml.safe_load_all(path.read_text()):
        if found["apiVersion"] != "keda.sh/v1alpha1":
            validator.validate(found, "1.34", strict=True)


def test_what_manifests_refer_to_is_there():
    names = {(found["kind"], found["metadata"]["name"]) for found in OBJECTS}
    for found in OBJECTS:
        assert found["kind"] == "Namespace" or found["metadata"]["namespace"] == "dougong"
        spec = found.get("spec", {})
        if found["kind"] in {"Deployment", "StatefulSet"}:
            labels = spec["template"]["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= labels.items()
        if found["kind"] == "ScaledObject":
            assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) in names
    for name, pod in PODS.items():
        claims = [each["persistentVolumeClaim"] for each in pod["volumes"] if len(each) > 1 and
                  "persistentVolumeClaim" in each]  # fmt: skip
        assert {("PersistentVolumeClaim", claim["claimName"]) for claim in claims} <= names
        owner = next(o for o in OBJECTS if o["metadata"]["name"] == name and pod_of(o))
        made = owner["spec"].get("volumeClaimTemplates", ())
        volumes = {v["name"] for v in pod["volumes"]} | {v["metadata"]["name"] for v in made}
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_every_variable_is_documented():
    page = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"`([A-Z_]+)`", page))
    used = {*env_file("hub.env.example"), *env_file("judge.env.example")}
    used |= {name for service in OWN.values() for name in service.get("environment", ())}
    used |= {name for _, container in CONTAINERS for name in env_of(container)}
    for path in UNITS:
        words = [word for line in unit(path)["Environment"] for word in shlex.split(line)]
        used |= {word.partition("=")[0] for word in words}
    used |= set(re.findall(r"\b(DOUGONG_[A-Z_]+)=", CONTAINERFILE))
    assert used - documented == {"BACKUPS"}  # of the backup unit's own shell line


@pytest.mark.parametrize("where", sorted(COMMANDS))
def test_every_command_is_there_and_takes_its_arguments(where):
    program, *arguments = COMMANDS[where]
    match Path(program).name:
        case "gunicorn":
            Config().parser().parse_args(arguments)
        case "celery":
            assert arguments[:2] == ["-A", "dougong_registry.celery:app"]
            command = celery.commands[arguments[2]]
            options = {name for each in command.params for name in each.opts}
            flags = [each for each in arguments[3:] if each.startswith("-")]
            assert set(flags) <= options, f"{arguments[2]} knows no {set(flags) - options}"
        case "dougong-hub":
            command = load_command_class(get_commands()[arguments[0]], arguments[0])
            command.create_parser("dougong-hub", arguments[0]).parse_args(arguments[1:])
        case "dougong":
            _takes(arguments)
        case "dougong-judge":
            started = re.search(
                r'^exec dougong (\w+) "\$@"$', (DEPLOY / "judge.sh").read_text(), re.M
            )
            assert started is not None
            _takes([started.group(1), *arguments])
        case other:
            pytest.fail(f"{other} is no program of ours")


def _takes(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dougong", arguments[0], "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(flag in done.stdout for flag in arguments[1:] if flag.startswith("-"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    for path in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"(/opt/dougong|/usr)/bin/[\w-]+", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "DelegateSubgroup" not in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_can_gain_nothing(path):
    service = unit(path)
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["User"] == ["dougong-judge" if "judge" in path.stem else "dougong"]


def test_a_judge_keeps_what_its_sandbox_needs_and_starts_only_with_one():
    service = unit(DEPLOY / "systemd" / "dougong-judge.service")
    # Each of these hides part of /proc, forbids a system call of bubblewrap's, or hides a device.
    spoilers = {
        "RestrictNamespaces", "ProtectProc", "ProtectKernelTunables", "ProtectKernelLogs",
        "ProtectHostname", "ProtectControlGroups", "ProtectClock", "PrivateDevices",
        "SystemCallFilter",
    }  # fmt: skip
    assert spoilers & service.keys() == set()
    probe = service["ExecStartPre"][0].split(" ", 1)[1]
    script = (DEPLOY / "judge.sh").read_text().replace("\\\n", " ")
    assert shlex.split(probe)[:-1] == re.findall(r"bwrap (.*?) true;", script)[0].split()
    for name in ("judge-cpu", "judge-cuda"):
        context = PODS[name]["containers"][0]["securityContext"]
        assert PODS[name]["hostUsers"] is False
        assert (context["procMount"], context["seccompProfile"]["type"]) == (
            "Unmasked", "Unconfined",
        )  # fmt: skip
        assert {"seccomp=unconfined", "systempaths=unconfined"} <= set(OWN[name]["security_opt"])


def test_the_judges_start_script_refuses_a_machine_without_a_sandbox(tmp_path):
    for name, text in {"bwrap": "exit 1", "dougong": "echo started"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = ["sh", str(DEPLOY / "judge.sh")]
    refused = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (78, "")
    assert "docs/deploy.md" in refused.stderr
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 0\n")
    started = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (started.returncode, started.stdout) == (0, "started\n")


def test_no_file_holds_a_secret():
    values = [env_file("hub.env.example"), env_file("judge.env.example"), *CONFIG.values()]
    assert {env[name] for env in values for name in SECRETS if name in env} == {""}
    for _, container in CONTAINERS:
        given = {each["name"] for each in container.get("env", ())}
        assert SECRETS & given == set()
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if name in SECRETS or "PASSWORD" in name:
                assert re.search(r"\$\{[A-Z]+_PASSWORD:\?", value), name
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert not re.search(r"dgp_\w|BEGIN [A-Z ]*PRIVATE KEY|://[^:/\s]*:[^$@\s]+@", text), (
                path
            )


def test_nothing_of_ours_runs_as_root():
    stages = re.split(r"^FROM ", CONTAINERFILE, flags=re.MULTILINE)[1:]
    last = {stage.split()[2]: stage for stage in stages}
    for target in ("hub", "judge"):
        users = re.findall(r"^USER (\d+):(\d+)$", last[target], re.MULTILINE)
        assert users == [("10001", "10001")]
        assert last[target].index("USER ") > last[target].rindex("RUN ")
    for service in OWN.values():
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["read_only"] is True
    for pod in PODS.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
    for _, container in CONTAINERS:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_judge_has_neither_the_database_nor_a_secret_of_the_hub():
    judges = [env_file("judge.env.example")]
    for service in OWN.values():
        hub = service["image"] == HUB_IMAGE
        assert service["env_file"] == ["env/hub.env" if hub else "env/judge.env"]
        if not hub:
            judges.append(service["environment"])
            assert "inside" not in service["networks"]
    for _, container in CONTAINERS:
        env = env_of(container)
        if container["image"] == HUB_IMAGE:
            assert env.keys() >= SECRETS
        else:
            judges.append(env)
            assert container["image"] in JUDGE_IMAGES
            assert env.keys() >= {"DOUGONG_BROKER_URL", "DOUGONG_HUB_URL", "DOUGONG_RUNNER_KEY"}
    assert len(judges) == 5
    assert all(OF_THE_HUB_ALONE & env.keys() == set() for env in judges)
    files = {path.stem: unit(path)["EnvironmentFile"] for path in UNITS}
    assert files.pop("dougong-judge") == ["/etc/dougong/judge.env"]
    assert set(map(tuple, files.values())) == {("/etc/dougong/hub.env",)}
    assert PODS["judge-cuda"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize("source", ["env", "kubernetes", "with the staff pages"])
def test_the_deploy_check_is_clean_under_the_production_environment(source, tmp_path):
    web = env_of(PODS["web"]["containers"][0])
    env = web if source == "kubernetes" else env_file("hub.env.example")
    staff = {"DOUGONG_ADMIN": "1"} if source == "with the staff pages" else {}
    made = {
        "DOUGONG_DATABASE_URL": "postgresql://dougong:chosen@database/dougong",
        "DOUGONG_BROKER_URL": "redis://:chosen@broker:6379/0",
        "DOUGONG_SECRET_KEY": "k3y-of-a-test-" + "".join(map(chr, range(65, 122))),
        "DOUGONG_METRICS_TOKEN": "chosen",
    }
    assert {name for name, value in env.items() if not value} == made.keys()
    done = subprocess.run(
        [sys.executable, "-m", "dougong_registry", "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"], "DOUGONG_HOME": str(tmp_path), **env, **made, **staff},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
