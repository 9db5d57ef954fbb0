"""A canary value is pushed through every path; it may be in its files and nowhere else.

Looked at: stdout, stderr, logs, metrics, status, error texts, argv and environment. test_secrecy_memory.py looks into the
process, test_secrecy_paths.py goes the less usual ways.
"""
import json
import pathlib
import re
import urllib.request
import uuid

import pytest
from scripted_aws import Refusal

FORMATS = [
    ("raw", {}), ("json", {"format": "json"}), ("env", {"format": "env"}), ("properties", {"format": "properties"}),
    ("yaml", {"format": "yaml"}), ("files", {"format": "files"}),
]


def canary():
    return "CANARY" + uuid.uuid4().hex


def assert_nowhere(agent, values, *texts):
    for value in values:
        for text in (agent.log_text(), *texts):
            assert value not in text


def database(secret):
    return json.dumps({"engine": "postgres", "host": "h", "port": 5432, "username": "u", "password": secret,
                       "dbname": "d"})


def test_every_format_and_surface(scripted, agent, make_plan, volume):
    secret = canary()
    scripted.put("db", database(secret))
    files = [{"path": name, "from": {"secret": "db"}, **extra} for name, extra in FORMATS]
    files += [{"path": "t", "with": {"db": {"secret": "db"}}, "template": "{{db.password}}"},
              {"path": "dsn", "from": {"secret": "db"}, "format": "dsn"},
              {"path": "pgpass", "from": {"secret": "db"}, "format": "pgpass"},
              {"path": "my.cnf", "from": {"secret": "db"}, "format": "mycnf"}]
    agent.write_plan(make_plan(scripted.endpoint, files))
    with agent.run("--listen", "127.0.0.1:0") as child:
        agent.wait_ready(child)
        assert secret in (volume / "secrets" / "t").read_text()
        address = next(json.loads(line)["address"] for line in agent.log_text().splitlines() if "listening" in line)
        pages = [urllib.request.urlopen(f"http://{address}{path}", timeout=5).read().decode()
                 for path in ("/metrics", "/status", "/readyz")]
        process = pathlib.Path(f"/proc/{child.pid}")
        argv, environ = (process / "cmdline").read_text(), (process / "environ").read_text()
        shown = [agent.call(name).stdout for name in ("status", "ready", "render")]
        assert_nowhere(agent, [secret], argv, environ, json.dumps(agent.state()), *pages, *shown)


@pytest.mark.parametrize("value, file", [
    ("{canary}", {"format": "json"}), ('{{"password": "{canary}"', {"format": "env"}),
    ('{{"a": "{canary}", "a": "{canary}"}}', {"format": "properties"}), ("[\"{canary}\"]", {"format": "files"}),
    ('{{"../x": "{canary}"}}', {"format": "files"}), ('{{"password": "{canary}\\n"}}', {"format": "pgpass"}),
    ("-----BEGIN CERTIFICATE-----\n{canary}\n-----END CERTIFICATE-----\n", {"format": "pem"}),
    ('{{"other": "{canary}"}}', {"key": "/password"}), ("{canary}", {"jmesPath": "password"}),
    ('{{"a": "{canary}\\u0000"}}', {"format": "env"}), ('{{"x": {{"y": "{canary}"}}}}', {"format": "dsn"}),
])
def test_errors_of_rendering(scripted, agent, make_plan, value, file):
    secret = canary()
    scripted.put("db", value.format(canary=secret))
    entry = {"path": "f", "from": {"secret": "db"}, **file}
    for key in ("key", "jmesPath"):
        if key in entry:
            entry["from"][key] = entry.pop(key)
    agent.write_plan(make_plan(scripted.endpoint, [entry]))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert done.returncode == 1
    assert secret not in done.stdout + done.stderr
    shown = agent.call("render", "--show-values", "--log-level", "debug")
    assert shown.returncode == 1 and secret not in shown.stdout + shown.stderr


def test_a_server_that_echoes_the_token_in_its_error(scripted, agent, make_plan, token):
    secret = canary()
    token.write_text(secret)

    def echo(form):
        raise Refusal(400, "InvalidIdentityToken", "bad token " + form["WebIdentityToken"][0])

    scripted.script["AssumeRoleWithWebIdentity"] = echo
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"secret": "db"}}]))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert done.returncode == 1 and "InvalidIdentityToken" in done.stderr
    assert secret not in done.stdout + done.stderr


def test_an_answer_whose_version_is_no_text_is_refused_without_the_value(scripted, agent, make_plan):
    secret = canary()
    scripted.put("db", secret)
    original = scripted.do_GetSecretValue
    scripted.do_GetSecretValue = lambda parameters: {**original(parameters), "VersionId": {"odd": secret}}
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"secret": "db"}}]))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert done.returncode == 1 and secret not in done.stdout + done.stderr


def test_an_answer_cut_after_the_value_publishes_and_tells_nothing(scripted, agent, make_plan, volume):
    secret = canary()
    scripted.put("db", secret)
    whole = json.dumps(scripted.do_GetSecretValue({"SecretId": "db"}))
    scripted.cut_after["GetSecretValue"] = len(whole) - 1  # all but the closing brace: the value is in it
    assert secret in whole[:-1]
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"secret": "db"}}]))
    done = agent.call("once", "--deadline", "2s", "--log-level", "debug")
    assert done.returncode == 1 and scripted.count("GetSecretValue") >= 1
    assert "GetSecretValue" in done.stderr and secret not in done.stdout + done.stderr
    assert not (volume / "secrets" / "f").exists()


def test_no_core_dump_and_no_other_reader(scripted, agent, make_plan):
    scripted.put("db", "x")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"secret": "db"}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        limits = pathlib.Path(f"/proc/{child.pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s", limits)
        # A process that is not dumpable has its /proc files owned by root.
        assert pathlib.Path(f"/proc/{child.pid}/environ").stat().st_uid == 0
