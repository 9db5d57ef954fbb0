"""The main job: token → credentials → secrets → files on tmpfs, against moto's server and the aws CLI."""
import json
import os
import signal
import stat
import subprocess

import pytest
from conftest import wait_until

DATABASE = {"engine": "postgres", "host": "db.internal", "port": 5432, "username": "shop", "password": "p'a\"s$s`\\ #",
            "dbname": "shop"}


def create(moto, name, value):
    moto.cli("secretsmanager", "create-secret", "--name", name, "--secret-string",
             value if isinstance(value, str) else json.dumps(value))


def test_files_of_every_shape_appear_and_ready_turns_true(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, DATABASE)
    agent.write_plan(make_plan(moto.endpoint, [
        {"path": "db/password", "from": {"secret": secret_name, "key": "/password"}, "mode": "0440"},
        {"path": "app.env", "from": {"secret": secret_name}, "format": "env"},
        {"path": "split", "from": {"secret": secret_name}, "format": "files"},
        {"path": "pg.conf", "with": {"db": {"secret": secret_name}}, "template": "host={{db.host}} port={{db.port}}\n"},
        {"path": "whole.json", "from": {"secret": secret_name}, "format": "json"},
        {"path": "missing", "from": {"secret": "does/not/exist"}, "optional": True},
    ]))
    target = volume / "secrets"
    with agent.run() as child:
        agent.wait_ready(child)
        assert (target / "db" / "password").read_text() == DATABASE["password"]
        assert stat.S_IMODE((target / "db" / "password").stat().st_mode) == 0o440
        assert (target / "pg.conf").read_text() == "host=db.internal port=5432\n"
        assert (target / "split" / "username").read_text() == "shop"
        assert json.loads((target / "whole.json").read_text()) == DATABASE
        assert not (target / "missing").exists()
        sourced = subprocess.run(["sh", "-c", f"set -a; . {target}/app.env; printf %s \"$password\""],
                                 capture_output=True, text=True, check=True)
        assert sourced.stdout == DATABASE["password"]
        assert os.readlink(target / "..data").startswith("..2")
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    assert (target / "pg.conf").exists(), "published files stay after the agent's end"


def test_a_rotation_reaches_the_file(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", "two")
        wait_until("the new value", lambda: (volume / "secrets" / "value").read_text() == "two")
        version = moto.client().get_secret_value(SecretId=secret_name)["VersionId"]
        wait_until("the state to name it", lambda: agent.state()["files"][0]["versionId"] == version)


def test_sighup_checks_at_once(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}],
                               refresh={"interval": "1h", "maxStaleness": "2h"}))
    with agent.run() as child:
        agent.wait_ready(child)
        moto.client().put_secret_value(SecretId=secret_name, SecretString="two")
        agent.poke(child)
        wait_until("the new value", lambda: (volume / "secrets" / "value").read_text() == "two")


def test_a_changed_plan_is_taken_and_an_invalid_one_is_not(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, DATABASE)
    first = make_plan(moto.endpoint, [{"path": "user", "from": {"secret": secret_name, "key": "/username"}}])
    agent.write_plan(first)
    target = volume / "secrets"
    with agent.run() as child:
        agent.wait_ready(child)
        agent.write_plan('{"version": 1, "targts": []}')
        wait_until("the reason in the state", lambda: "targts" in agent.state()["planError"])
        assert (target / "user").read_text() == "shop" and agent.ready()
        second = make_plan(moto.endpoint, [{"path": "host", "from": {"secret": secret_name, "key": "/host"}}])
        agent.write_plan(second)
        wait_until("the new file", lambda: (target / "host").exists() and not (target / "user").exists())
        assert (target / "host").read_text() == "db.internal"
        wait_until("no plan error", lambda: agent.state()["planError"] == "")


def test_ready_names_the_failing_secret_and_the_cause(moto, agent, make_plan, secret_name):
    create(moto, secret_name, "here")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "a", "from": {"secret": secret_name}},
                                               {"path": "b", "from": {"secret": "prod/absent"}}]))
    with agent.run() as child:
        def says_why():
            assert child.poll() is None, agent.log_text()
            answer = agent.call("ready")
            return answer.returncode == 3 and "prod/absent" in answer.stdout and "NOT_FOUND" in answer.stdout
        wait_until("ready to say why", says_why)
        moto.client().create_secret(Name="prod/absent", SecretString="now")
        agent.wait_ready(child)
    moto.client().delete_secret(SecretId="prod/absent", ForceDeleteWithoutRecovery=True)


def test_once_delivers_and_exits(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, "value")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "v", "from": {"secret": secret_name}}]))
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    assert (volume / "secrets" / "v").read_text() == "value"


def test_once_gives_up_at_its_deadline_with_the_reason(moto, agent, make_plan):
    agent.write_plan(make_plan(moto.endpoint, [{"path": "v", "from": {"secret": "never/there"}}]))
    done = agent.call("once", "--deadline", "2s")
    assert done.returncode == 1
    assert "never/there" in done.stderr and "deadline" in done.stderr


def test_render_shows_names_and_only_on_request_values(moto, agent, make_plan, volume, secret_name):
    create(moto, secret_name, "the-value")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "v", "from": {"secret": secret_name}}]))
    shown = agent.call("render")
    assert shown.returncode == 0 and "9 bytes" in shown.stdout and "the-value" not in shown.stdout
    assert "the-value" in agent.call("render", "--show-values").stdout
    assert not (volume / "secrets").exists()


@pytest.mark.parametrize("plan, word", [("{", "line 1"), ('{"version": 2}', "version"), ("", "plan")])
def test_an_unusable_plan_is_a_usage_error(agent, plan, word):
    agent.write_plan(plan)
    done = agent.call("run")
    assert done.returncode == 2 and word in done.stderr


def test_the_listener_serves_metrics_status_and_probes(moto, agent, make_plan, secret_name):
    import urllib.error
    import urllib.request
    create(moto, secret_name, "value")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "v", "from": {"secret": secret_name}}]))
    with agent.run("--listen", "127.0.0.1:0") as child:
        agent.wait_ready(child)
        address = next(json.loads(line)["address"] for line in agent.log_text().splitlines() if "listening" in line)

        def get(path):
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        assert get("/healthz")[0] == 200 and get("/readyz")[0] == 200 and get("/nothing")[0] == 404
        assert secret_name in get("/status")[1]
        metrics = get("/metrics")[1]
        assert "keyturn_ready 1" in metrics and "keyturn_aws_requests_total" in metrics
