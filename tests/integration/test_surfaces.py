"""What people and probes see: `status`, the listener's answers, signals, a Plan without a file."""
import contextlib
import http.client
import json
import signal

import pytest
from conftest import AGENT, running, wait_until

HOUR = {"interval": "1h", "maxStaleness": "2h"}
FILES = [{"path": "v", "from": {"secret": "db"}}]


def ask(agent, method, path):
    """(status, content type, declared length, body) of one request to the listener."""
    host, _, port = agent.listen_address().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.getheader("Content-Length"), answer.read().decode()


def test_readyz_says_503_and_why_until_it_says_200(scripted, agent, make_plan):
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "prod/absent"}}]))
    with agent.run("--listen", "127.0.0.1:0") as child:
        wait_until("the reason", lambda: "prod/absent" in ask(agent, "GET", "/readyz")[3])
        status, kind, _, body = ask(agent, "GET", "/readyz")
        assert (status, kind) == (503, "text/plain") and "NOT_FOUND" in body and "file v" in body
        assert ask(agent, "HEAD", "/readyz")[0] == 503
        assert ask(agent, "GET", "/healthz")[0] == 200, "liveness is not readiness"
        assert "keyturn_ready 0" in ask(agent, "GET", "/metrics")[3]
        scripted.put("prod/absent", "here")
        agent.wait_ready(child)
        assert ask(agent, "GET", "/readyz") == (200, "text/plain", "3", "ok\n")


@pytest.mark.parametrize("path, kind", [("/readyz", "text/plain"), ("/healthz", "text/plain"),
                                        ("/metrics", "text/plain; version=0.0.4"), ("/status", "application/json")])
def test_methods_of_the_listener(scripted, agent, make_plan, path, kind):
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    with agent.run("--listen", "127.0.0.1:0") as child:
        agent.wait_ready(child)
        status, got, length, body = ask(agent, "GET", path)
        assert (status, got) == (200, kind) and int(length) == len(body) > 0
        assert ask(agent, "GET", path + "?probe=1")[0] == 200
        status, got, length, body = ask(agent, "HEAD", path)
        assert (status, got, body) == (200, kind, "") and int(length) > 0
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert ask(agent, method, path)[0] == 405, method
        assert ask(agent, "HEAD", "/nothing")[0] == 404


def test_status_shows_versions_and_ages(scripted, agent, make_plan, volume):
    version = scripted.put("db", "the-value")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    before = agent.call("status")
    assert before.returncode == 1 and "not started" in before.stderr
    with agent.run() as child:
        agent.wait_ready(child)
        people, machine = agent.call("status"), agent.call("status", "--json")
        assert people.returncode == machine.returncode == 0
        assert people.stdout.startswith("ready: yes") and "the-value" not in people.stdout + machine.stdout
        row = next(line.split() for line in people.stdout.splitlines() if line.startswith("v "))
        state = json.loads(machine.stdout)
        shown = state["files"][0]
        assert row == ["v", version, shown["renderedAt"], shown["lastCheck"], shown["secret"]]
        assert "secret:db-" in shown["secret"]
        assert state == agent.state() and state["ready"] is True and state["stale"] is False
        assert (shown["versionId"], shown["stage"], shown["error"]) == (version, "AWSCURRENT", "")
        assert state["targets"][0]["path"] == str(volume / "secrets") and state["targets"][0]["complete"] is True


def test_status_of_an_agent_that_is_not_ready_names_the_cause(scripted, agent, make_plan):
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES + [{"path": "w", "from": {"secret": "prod/absent"}}]))
    with agent.run():
        wait_until("the cause", lambda: "NOT_FOUND" in agent.call("status").stdout)
        people, machine = agent.call("status"), agent.call("status", "--json")
        assert people.returncode == machine.returncode == 3
        assert people.stdout.startswith("ready: no") and "prod/absent" in people.stdout
        state = json.loads(machine.stdout)
        errors = {file["path"]: file["error"] for file in state["files"]}
        assert state["ready"] is False and errors["w"] == "NOT_FOUND"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_both_ending_signals_end_it_with_0_and_keep_the_files(scripted, agent, make_plan, volume, number):
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    with agent.run() as child:
        agent.wait_ready(child)
        child.send_signal(number)
        assert child.wait(5) == 0
    assert (volume / "secrets" / "v").read_text() == "one"


@pytest.mark.parametrize("where", ["argument", "environment"])
def test_a_plan_without_a_file_is_run(scripted, agent, make_plan, volume, where):
    scripted.put("db", "one")
    plan = json.dumps(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    command, environment = [AGENT, "run"], dict(agent.environment)
    if where == "argument":
        command += ["--plan-json", plan]
    else:
        environment["KEYTURN_PLAN"] = plan
    with running(command, agent.log, env=environment) as child:
        agent.wait_ready(child)
        assert (volume / "secrets" / "v").read_text() == "one"
        scripted.put("db", "two")
        agent.poke(child)  # looks at the Plan too; there is no file to look at
        wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == "two")
        assert agent.state()["planError"] == ""
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == 0
