"""The canary on the less usual ways: hooks, push, batches, parameters, binaries, publications that fail.

Each test first shows that the canary went that way: it is in the file, or the server sent it.
"""
import base64
import http.server
import json
import os
import pathlib
import subprocess
import threading

import pytest
from conftest import wait_until
from scripted_aws import Refusal
from test_secrecy import assert_nowhere, canary

HOUR = {"interval": "1h", "maxStaleness": "2h"}


def everything_shown(agent, child):
    """All texts by which a running agent speaks, but its log."""
    process = pathlib.Path(f"/proc/{child.pid}")
    shown = [agent.call(name, *flags) for name, *flags in (("status",), ("status", "--json"), ("ready",))]
    return [json.dumps(agent.state()), (process / "cmdline").read_text(), (process / "environ").read_text(),
            *(text for done in shown for text in (done.stdout, done.stderr))]


def spellings(secret):
    """The value as it is, and as base64 at each of the three alignments."""
    found = [secret]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        found.append(text[4 if shift else 0:-4])
    return found


def test_hooks_are_told_that_and_not_what(scripted, agent, make_plan, volume, tmp_path):
    old, new = canary(), canary()
    posts = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            posts.append(f"{self.requestline}\n{self.headers}\n{body}")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mark, hook = tmp_path / "mark", tmp_path / "hook.sh"
    hook.write_text("#!/bin/sh\n{ tr '\\0' '\\n' </proc/$$/environ; tr '\\0' '\\n' </proc/$$/cmdline; cat; ls -l /proc/$$/fd; } "
                    f"> {mark}.tmp\nmv {mark}.tmp {mark}\n")
    hook.chmod(0o755)
    scripted.put("db", old)
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], refresh=HOUR, notify=[
        {"exec": [str(hook), "argument"]}, {"http": f"http://127.0.0.1:{server.server_address[1]}/reload"},
        {"sentinel": ".changed"}]))
    try:
        with agent.run() as child:
            agent.wait_ready(child)
            scripted.put("db", new)
            agent.poke(child)
            wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == new)
            wait_until("all hooks", lambda: mark.exists() and posts and (volume / "secrets" / ".changed").exists())
            seen = [mark.read_text(), *posts, (volume / "secrets" / ".changed").read_text()]
            assert "KEYTURN_CHANGE_ID=" in seen[0] and "argument" in seen[0] and "changeId" in posts[0]
            assert_nowhere(agent, [old, new], *seen, *everything_shown(agent, child))
    finally:
        server.shutdown()
        server.server_close()


def echo_of(scripted, sent):
    """A server's error text that repeats the caller's session token, which only its request could tell it."""
    token = scripted.calls[-1][2]["X-Amz-Security-Token"]
    sent.append(token)
    return f"who sent {token}?"


def test_push_tells_nothing_even_when_its_answers_do(scripted, agent, make_plan, volume):
    old, new, sent = canary(), canary(), []
    scripted.offers_await = True
    scripted.put("db", old)
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], refresh=HOUR))

    def echo(_):
        raise Refusal(400, "ValidationException", echo_of(scripted, sent))

    with agent.run() as child:
        agent.wait_ready(child)
        wait_until("a parked await", lambda: scripted.waiting > 0)
        scripted.script["AwaitSecretChange"] = echo
        scripted.put("db", new)
        wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == new)
        wait_until("the refusal in the log", lambda: "waiting for changes failed" in agent.log_text())
        asked = json.dumps([call[1] for call in scripted.calls if call[0] == "AwaitSecretChange"])
        assert sent and "redacted" in agent.log_text()
        assert_nowhere(agent, [old, new, *sent], asked, *everything_shown(agent, child))


@pytest.mark.parametrize("whole", [False, True], ids=["one entry", "the whole batch"])
def test_errors_of_batches(scripted, agent, make_plan, whole):
    values, sent = [canary() for _ in range(5)], []
    for index, value in enumerate(values):
        scripted.put(f"s{index}", value)

    def echo(parameters):
        if whole or parameters["SecretId"] == "s4":
            raise Refusal(400, "InvalidParameterException" if whole else "AccessDeniedException", echo_of(scripted, sent))

    scripted.script["BatchGetSecretValue" if whole else "GetSecretValue"] = echo
    files = [{"path": f"s{index}", "from": {"secret": f"s{index}"}} for index in range(4)]
    files.append({"path": "s4", "from": {"secret": "s4"}, "format": "json"})  # is no JSON, if it can be read
    agent.write_plan(make_plan(scripted.endpoint, files))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert done.returncode == 1 and scripted.count("BatchGetSecretValue") >= 1
    assert "s4" in done.stderr
    assert whole or "redacted" in done.stderr
    assert sent and not [value for value in (*values, *sent) if value in done.stdout + done.stderr]


@pytest.mark.parametrize("file", [{}, {"format": "env"}, {"from": {"parameter": "/p", "key": "/absent"}}])
def test_secure_parameters(scripted, agent, make_plan, volume, file):
    secret = canary()
    scripted.parameters["/p"] = ("SecureString", secret, 1)
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"parameter": "/p"}, **file}]))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert scripted.count("GetParameters") >= 1 and done.returncode == (1 if file else 0), done.stderr
    assert file or (volume / "secrets" / "f").read_text() == secret
    assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("file", [{}, {"format": "json"}, {"from": {"secret": "bin", "key": "/absent"}}])
def test_binary_secrets(scripted, agent, make_plan, volume, file):
    secret = canary()
    scripted.put("bin", b"\xff\x00" + secret.encode())
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "f", "from": {"secret": "bin"}, **file}]))
    done = agent.call("once", "--deadline", "1s", "--log-level", "debug")
    assert scripted.count("GetSecretValue") >= 1 and done.returncode == (1 if file else 0), done.stderr
    assert file or secret.encode() in (volume / "secrets" / "f").read_bytes()
    assert not [text for text in spellings(secret) if text in done.stdout + done.stderr]


@pytest.mark.skipif(os.geteuid() != 0, reason="a volume of its own size needs a mount, which needs root")
def test_a_publication_that_fails(scripted, agent, make_plan, tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], check=True)
    try:
        secret, agent.volume = canary(), mount
        scripted.put("db", "small")
        plan = make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], refresh=HOUR)
        plan["targets"][0]["path"] = str(mount / "secrets")
        agent.write_plan(plan)
        with agent.run() as child:
            agent.wait_ready(child)
            (mount / "filler").write_bytes(b"x" * 220_000)
            scripted.put("db", secret * 1600)
            agent.poke(child)
            wait_until("the failure", lambda: agent.state()["targets"][0]["error"])
            assert_nowhere(agent, [secret], *everything_shown(agent, child))
            left = [path for path in mount.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
            assert left == [], "a failed generation stayed behind"
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)
