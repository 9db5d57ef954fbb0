"""The ECS task definitions: accepted by the API's model and by moto, and the Plan in them is one that the agent runs."""
import json
import pathlib
import subprocess
import sys

import botocore.session
import botocore.validate
import pytest
from conftest import AGENT, ROOT
from test_credentials import credentials_endpoint, good_credentials

FOLDER = ROOT / "manifests" / "ecs"
NAMES = ["ec2-task-definition.json", "fargate-task-definition.json"]


def load(name):
    return json.loads((FOLDER / name).read_text())


def container(definition, name):
    return next(one for one in definition["containerDefinitions"] if one["name"] == name)


def plan_of(definition):
    environment = {entry["name"]: entry["value"] for entry in container(definition, "keyturn-agent")["environment"]}
    return json.loads(environment["KEYTURN_PLAN"])


def test_they_are_what_the_generator_writes():
    done = subprocess.run([sys.executable, ROOT / "tools" / "make_ecs_manifests.py", "--check"], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_service_model_accepts_them(name):
    shape = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
    report = botocore.validate.ParamValidator().validate(load(name), shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", NAMES)
def test_moto_registers_them_through_the_cli(moto, name):
    answer = moto.cli("ecs", "register-task-definition", "--cli-input-json", f"file://{FOLDER / name}")
    assert answer["taskDefinition"]["status"] == "ACTIVE"


@pytest.mark.parametrize("name", NAMES)
def test_the_app_waits_for_the_agent_and_cannot_write(name):
    app = container(load(name), "app")
    assert app["dependsOn"] == [{"containerName": "keyturn-agent", "condition": "HEALTHY"}]
    assert all(mount["readOnly"] for mount in app["mountPoints"])


def test_only_fargate_allows_the_disk():
    for name in NAMES:
        allowed = [target.get("allowDisk", False) for target in plan_of(load(name))["targets"]]
        assert allowed == [name.startswith("fargate")]


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_inside_delivers_with_task_credentials(scripted, agent, volume, authority, name):
    scripted.put("prod/db", json.dumps({"username": "u", "password": "task-password"}))
    plan = plan_of(load(name))
    plan["targets"][0]["path"] = str(volume / "secrets")
    with credentials_endpoint(good_credentials) as (uri, seen):
        environment = {**agent.environment, "AWS_ENDPOINT_URL": scripted.endpoint,
                       "AWS_CA_BUNDLE": str(authority.path), "KEYTURN_PLAN": json.dumps(plan),
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri + "/v2/credentials/1",
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN": "task-token"}
        done = subprocess.run([str(AGENT), "once"], env=environment, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr
        assert seen == [("/v2/credentials/1", "task-token")]
    assert (volume / "secrets" / "db" / "password").read_text() == "task-password"


def test_the_health_check_of_the_definition_turns_green(scripted, agent, volume, make_plan):
    definition = load(NAMES[0])
    check = container(definition, "keyturn-agent")["healthCheck"]["command"]
    assert check[0] == "CMD" and pathlib.PurePosixPath(check[1]).name == "keyturn-agent"
    scripted.put("prod/db", json.dumps({"password": "p"}))
    plan = plan_of(definition)
    agent.write_plan(make_plan(scripted.endpoint, plan["targets"][0]["files"]))
    with agent.run() as child:
        agent.wait_ready(child)
        probe = [str(AGENT), *check[2:]]
        probe[probe.index("/keyturn/.keyturn")] = str(volume / ".keyturn")
        assert subprocess.run(probe, check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_logs_go_to_the_plans_region_and_never_block(name):
    definition = load(name)
    for one in definition["containerDefinitions"]:
        options = one["logConfiguration"]["options"]
        assert one["logConfiguration"]["logDriver"] == "awslogs"
        assert options["awslogs-region"] == plan_of(definition)["aws"]["region"]
        assert options["mode"] == "non-blocking"
