"""Every identity type, with the real program."""
import contextlib
import http.server
import json
import threading
import time

import pytest
from conftest import ROLE, wait_until
from scripted_aws import Refusal


@contextlib.contextmanager
def credentials_endpoint(answer):
    """A container credentials endpoint on loopback; records the Authorization headers."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            seen.append((self.path, self.headers.get("Authorization")))
            status, body = answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def good_credentials():
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return 200, json.dumps({"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "s", "Token": "t", "AccountId": "1",
                            "Expiration": expires}).encode()


def access_keys(scripted):
    return {headers["Authorization"].split("Credential=")[1].split("/")[0]
            for operation, _, headers in scripted.calls if operation == "GetSecretValue"}


def plan_without_identities(make_plan, scripted):
    scripted.put("db", "one")
    plan = make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}])
    del plan["identities"]
    return plan


def test_ecs_task_role_through_the_full_uri_with_a_token_file(scripted, agent, make_plan, volume, tmp_path):
    agent.write_plan(plan_without_identities(make_plan, scripted))
    token = tmp_path / "container-token"
    token.write_text("first-token")
    with credentials_endpoint(good_credentials) as (uri, seen):
        agent.environment.update({"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri + "/v1/credentials",
                                  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)})
        done = agent.call("once")
        assert done.returncode == 0, done.stderr
        assert seen == [("/v1/credentials", "first-token")]
    assert access_keys(scripted) == {"ASIACONTAINER"}
    assert (volume / "secrets" / "v").read_text() == "one"


def test_pod_identity_in_the_plan(scripted, agent, make_plan, tmp_path):
    token = tmp_path / "pod-token"
    token.write_text("pod-token")
    plan = plan_without_identities(make_plan, scripted)
    with credentials_endpoint(good_credentials) as (uri, seen):
        plan["identities"] = {"default": {"type": "podIdentity", "uri": uri + "/v1/credentials",
                                          "tokenFile": str(token)}}
        agent.write_plan(plan)
        done = agent.call("once")
        assert done.returncode == 0, done.stderr
        assert seen[0][1] == "pod-token"


def test_environment_keys_and_profile(scripted, agent, make_plan, tmp_path):
    plan = plan_without_identities(make_plan, scripted)
    plan["identities"] = {"default": {"type": "environment"}}
    agent.write_plan(plan)
    agent.environment.update({"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "x"})
    assert agent.call("once").returncode == 0
    shared = tmp_path / "credentials"
    shared.write_text("[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = y\n"
                      "[ops]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = y\n")
    plan["identities"] = {"default": {"type": "profile", "profile": "ops"}}
    agent.write_plan(plan)
    agent.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(shared)
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    assert access_keys(scripted) == {"AKIAENVIRONMENT", "AKIAPROFILE"}


def test_the_plan_wins_over_what_another_webhook_put_into_the_environment(scripted, agent, make_plan):
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}]))
    agent.environment.update({"AWS_ACCESS_KEY_ID": "AKIASTRANGER", "AWS_SECRET_ACCESS_KEY": "x",
                              "AWS_ROLE_ARN": ROLE.replace("app", "stranger"), "AWS_REGION": "us-west-2",
                              "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    assert {scripted.role_of_key[key] for key in access_keys(scripted)} == {ROLE}


def test_a_failing_configured_identity_never_falls_through(scripted, agent, make_plan):
    plan = plan_without_identities(make_plan, scripted)
    agent.write_plan(plan)
    agent.environment.update({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token"})
    with credentials_endpoint(good_credentials) as (uri, seen):
        agent.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = uri
        done = agent.call("once", "--deadline", "2s")
        assert done.returncode == 1 and "/nonexistent/token" in done.stderr
        assert seen == []


def test_nothing_configured_says_what_would(scripted, agent, make_plan):
    agent.write_plan(plan_without_identities(make_plan, scripted))
    done = agent.call("once", "--deadline", "2s")
    assert done.returncode == 1
    for word in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS"):
        assert word in done.stderr


def test_a_rotated_token_file_is_read_again_after_the_service_refused(scripted, agent, make_plan, token):
    scripted.put("db", "one")
    wanted = token.read_text() + "-new"

    def refuse_the_old_one(form):
        if form["WebIdentityToken"] != [wanted]:
            raise Refusal(400, "ExpiredTokenException", "Token expired: " + form["WebIdentityToken"][0])

    scripted.script["AssumeRoleWithWebIdentity"] = refuse_the_old_one
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}]))
    with agent.run() as child:
        wait_until("a refusal", lambda: scripted.count("AssumeRoleWithWebIdentity") > 0)
        old = token.read_text()
        token.write_text(wanted)
        agent.wait_ready(child)
        assert old not in agent.log_text(), "a refused token was logged"


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock_is_learnt_from_the_answer(scripted, agent, make_plan, hours):
    import calendar

    scripted.date_offset = hours * 3600.0
    scripted.put("db", "one")
    seen = []

    def check_time(_):
        stamp = scripted.calls[-1][2]["X-Amz-Date"]
        sent = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        seen.append(sent)
        if abs(sent - time.time() - scripted.date_offset) > 300:
            word = "Signature expired" if hours > 0 else "Signature not yet current"
            raise Refusal(400, "InvalidSignatureException", f"{word}: {stamp} is now earlier than something")

    scripted.script["GetSecretValue"] = check_time
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}]))
    done = agent.call("once", "--deadline", "20s")
    assert done.returncode == 0, done.stderr
    assert len(seen) == 2
