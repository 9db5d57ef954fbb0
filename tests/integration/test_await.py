"""Push: the await protocol, against a scripted endpoint."""
from conftest import wait_until

HOUR = {"interval": "1h", "maxStaleness": "2h"}


def test_a_change_arrives_by_push_long_before_the_interval(scripted, agent, make_plan, volume):
    scripted.offers_await = True
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], refresh=HOUR))
    with agent.run() as child:
        agent.wait_ready(child)
        for value in ("two", "three"):
            wait_until("a parked await", lambda: scripted.waiting > 0)
            scripted.put("db", value)
            wait_until(f"value {value}", lambda: (volume / "secrets" / "v").read_text() == value)
        entries = [call[1] for call in scripted.calls if call[0] == "AwaitSecretChange"][-1]["Entries"]
        assert [entry["SecretId"] for entry in entries] == ["db"] and entries[0]["VersionStage"] == "AWSCURRENT"
        headers = [call[2] for call in scripted.calls if call[0] == "AwaitSecretChange"][-1]
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert headers["X-Amz-Target"] == "keyturn.AwaitSecretChange"


def test_an_endpoint_that_does_not_announce_it_is_never_asked(scripted, agent, make_plan, volume):
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        reads = scripted.count("GetSecretValue")
        wait_until("two more polls", lambda: scripted.count("GetSecretValue") >= reads + 2)
        assert scripted.count("AwaitSecretChange") == 0


def test_a_hint_service_says_when_and_the_aws_endpoint_what(scripted, authority, agent, make_plan, volume):
    from scripted_aws import scripted_aws

    with scripted_aws(authority) as hint:
        version = scripted.put("db", "one")
        hint.put("db", "never read", version=version)
        agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}],
                                   refresh={**HOUR, "hintUrl": hint.endpoint}))
        with agent.run() as child:
            agent.wait_ready(child)
            wait_until("a parked await", lambda: hint.waiting > 0)
            version = scripted.put("db", "two")
            hint.put("db", "never read", version=version)
            wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == "two")
        assert scripted.count("AwaitSecretChange") == 0
        assert set(hint.operations()) == {"AwaitSecretChange"}


def test_push_off_means_off(scripted, agent, make_plan, volume):
    scripted.offers_await = True
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}],
                               refresh={"interval": "1s", "maxStaleness": "1m", "push": "off"}))
    with agent.run() as child:
        agent.wait_ready(child)
        reads = scripted.count("GetSecretValue")
        wait_until("two more polls", lambda: scripted.count("GetSecretValue") >= reads + 2)
        assert scripted.count("AwaitSecretChange") == 0


def test_a_server_that_forgets_the_operation_leaves_polling_in_place(scripted, agent, make_plan, volume):
    from scripted_aws import Refusal

    def unknown(_):
        raise Refusal(400, "UnknownOperationException")

    scripted.offers_await = True
    scripted.script["AwaitSecretChange"] = unknown
    scripted.put("db", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        wait_until("an attempt", lambda: scripted.count("AwaitSecretChange") > 0)
        scripted.put("db", "two")
        wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == "two")
        assert scripted.count("AwaitSecretChange") <= 3
