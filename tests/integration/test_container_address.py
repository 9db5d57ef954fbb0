"""The container credentials address of ECS, 169.254.170.2, in a network namespace of the test's own."""
import contextlib
import ctypes
import http.server
import json
import os
import shutil
import subprocess
import threading
import time

import pytest
from scripted_aws import scripted_aws

CLONE_NEWNET = 0x40000000

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None,
                                reason="a network namespace needs root and ip(8)")


@contextlib.contextmanager
def own_network():
    """This thread, and what it starts, in a network that has only loopback and ECS's address."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace here: {os.strerror(ctypes.get_errno())}")
        try:
            for command in ("link set lo up", "addr add 169.254.170.2/32 dev lo"):
                subprocess.run(["ip", *command.split()], check=True)
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0
    finally:
        os.close(before)


@contextlib.contextmanager
def task_endpoint(script):
    """What the ECS agent serves at the address; script(path) → (status, answer)."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Host")))
            status, answer = script(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("169.254.170.2", 80), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def task_role(_):
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return 200, {"AccessKeyId": "ASIATASKROLE", "SecretAccessKey": "s", "Token": "t", "Expiration": expires,
                 "RoleArn": "arn:aws:iam::123456789012:role/task"}


def plan_for(make_plan, endpoint):
    plan = make_plan(endpoint, [{"path": "v", "from": {"secret": "db"}}])
    del plan["identities"]
    return plan


def test_the_relative_uri_is_asked_at_ecs_address_without_a_token(authority, agent, make_plan, volume):
    with own_network(), scripted_aws(authority) as aws, task_endpoint(task_role) as seen:
        aws.put("db", "one")
        agent.write_plan(plan_for(make_plan, aws.endpoint))
        agent.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/0a1b-2c?x=1"
        # Beaten by the relative one; nothing listens there.
        agent.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/full"
        done = agent.call("once")
        assert done.returncode == 0, done.stderr
        assert seen == [("/v2/credentials/0a1b-2c?x=1", None, "169.254.170.2")]
        used = [headers["Authorization"] for name, _, headers in aws.calls if name == "GetSecretValue"]
        assert len(used) == 1 and "Credential=ASIATASKROLE/" in used[0]
    assert (volume / "secrets" / "v").read_text() == "one"


def test_a_refusal_there_is_said_without_the_path_that_is_as_good_as_a_password(authority, agent, make_plan):
    def refuse(_):
        return 404, {"code": "NoIdMatch", "message": "no such task"}

    with own_network(), scripted_aws(authority) as aws, task_endpoint(refuse) as seen:
        agent.write_plan(plan_for(make_plan, aws.endpoint))
        agent.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/PASSWORDLIKE"
        done = agent.call("once", "--deadline", "2s", "--log-level", "debug")
        assert done.returncode == 1 and seen and aws.calls == []
        assert "404" in done.stderr or "NoIdMatch" in done.stderr, done.stderr
        assert "PASSWORDLIKE" not in done.stdout + done.stderr


def test_a_relative_uri_that_would_change_the_host_is_refused_unasked(authority, agent, make_plan):
    with own_network(), scripted_aws(authority) as aws, task_endpoint(task_role) as seen:
        agent.write_plan(plan_for(make_plan, aws.endpoint))
        for text in ("@127.0.0.1/x", "relative"):
            agent.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = text
            done = agent.call("once", "--deadline", "1s")
            assert done.returncode == 1 and "relative URI must begin with '/'" in done.stderr, done.stderr
        assert seen == [] and aws.calls == []
