#!/usr/bin/env python3
"""Writes the ECS task definitions of manifests/ecs from one description and one Plan.

A task definition carries the Plan as a JSON string inside JSON: nobody should have to escape that by hand.
"""
import copy
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "manifests" / "ecs"
STATE = "/keyturn/.keyturn"


def logging(plan: dict, prefix: str) -> dict:
    # non-blocking: a log service that does not answer must never hold up the writer of the log.
    return {"logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/app-with-keyturn", "awslogs-region": plan["aws"]["region"],
        "awslogs-stream-prefix": prefix, "mode": "non-blocking", "max-buffer-size": "1m"}}


def agent_container(plan: dict) -> dict:
    return {
        "name": "keyturn-agent",
        "image": "keyturn-agent:latest",
        "essential": True,
        "user": "65532",
        "readonlyRootFilesystem": True,
        "command": ["run", "--state-dir", STATE],
        "environment": [{"name": "KEYTURN_PLAN", "value": json.dumps(plan, separators=(",", ":"))}],
        "mountPoints": [{"sourceVolume": "keyturn", "containerPath": "/keyturn", "readOnly": False}],
        # Green only when every file is there; retries cover three minutes of a slow start.
        "healthCheck": {"command": ["CMD", "/keyturn-agent", "ready", "--state-dir", STATE], "interval": 5,
                        "timeout": 5, "retries": 10, "startPeriod": 180},
        # What is on the tmpfs counts as memory of the container that wrote it: 32 MiB + 2 x the volume's size.
        "memory": 64,
        "memoryReservation": 16,
        "stopTimeout": 10,
        "logConfiguration": logging(plan, "keyturn"),
    }


def app_container(plan: dict) -> dict:
    return {
        "name": "app",
        "image": "example/app:latest",
        "essential": True,
        "dependsOn": [{"containerName": "keyturn-agent", "condition": "HEALTHY"}],
        "mountPoints": [{"sourceVolume": "keyturn", "containerPath": "/keyturn", "readOnly": True}],
        "memory": 384,
        "memoryReservation": 256,
        "logConfiguration": logging(plan, "app"),
    }


def task(name: str, plan: dict, volume: dict, **extra) -> dict:
    return {"family": name, "networkMode": "awsvpc", "taskRoleArn": "arn:aws:iam::123456789012:role/app",
            "containerDefinitions": [agent_container(plan), app_container(plan)],
            "volumes": [{"name": "keyturn", **volume}], **extra}


def definitions() -> dict[str, dict]:
    plan = json.loads((FOLDER / "plan.json").read_text())
    on_disk = copy.deepcopy(plan)
    for target in on_disk["targets"]:
        target["allowDisk"] = True
    tmpfs = {"dockerVolumeConfiguration": {"scope": "task", "driver": "local", "driverOpts": {
        "type": "tmpfs", "device": "tmpfs", "o": "size=16m,mode=0755,uid=65532,noexec,nosuid,nodev"}}}
    fargate = {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
               "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"}
    return {"ec2-task-definition.json": task("app-with-keyturn", plan, tmpfs, requiresCompatibilities=["EC2"]),
            "fargate-task-definition.json": task("app-with-keyturn-fargate", on_disk, {}, **fargate)}


def main() -> int:
    """With --check: 1 when a file differs from what this program would write."""
    stale = 0
    for name, definition in definitions().items():
        text = json.dumps(definition, indent=2) + "\n"
        path = FOLDER / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                print(f"manifests/ecs/{name} is stale: run tools/make_ecs_manifests.py")
                stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
