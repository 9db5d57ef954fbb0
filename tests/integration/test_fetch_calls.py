"""How many calls the agent makes, counted at the endpoint."""
import pytest
from conftest import ROLE, wait_until
from scripted_aws import Refusal


def files_for(count):
    return [{"path": f"s{index}", "from": {"secret": f"secret-{index}"}} for index in range(count)]


@pytest.mark.parametrize("count, singles, batches", [(1, 1, 0), (3, 3, 0), (4, 0, 1), (20, 0, 1), (21, 0, 2), (45, 0, 3)])
def test_calls_by_number_of_secrets(scripted, agent, make_plan, volume, count, singles, batches):
    for index in range(count):
        scripted.put(f"secret-{index}", f"value-{index}")
    agent.write_plan(make_plan(scripted.endpoint, files_for(count)))
    assert agent.call("once").returncode == 0
    for index in range(count):
        assert (volume / "secrets" / f"s{index}").read_text() == f"value-{index}"
    # 21 = 20 + 1: the remainder may be a batch or a single call, never more than one call.
    assert scripted.count("BatchGetSecretValue") + scripted.count("GetSecretValue") == singles + batches
    assert scripted.count("AssumeRoleWithWebIdentity") == 1
    assert scripted.count("AwaitSecretChange") == 0


def test_pages_of_a_batch_are_followed(scripted, agent, make_plan, volume):
    scripted.page_size = 7
    for index in range(20):
        scripted.put(f"secret-{index}", f"value-{index}")
    agent.write_plan(make_plan(scripted.endpoint, files_for(20)))
    assert agent.call("once").returncode == 0
    assert len(list((volume / "secrets" / "..data").iterdir())) == 20
    assert scripted.count("BatchGetSecretValue") == 3


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_refused_batch_falls_back_to_single_calls(scripted, agent, make_plan, volume, code):
    def refuse(_):
        raise Refusal(400, code, "no")

    scripted.script["BatchGetSecretValue"] = refuse
    for index in range(5):
        scripted.put(f"secret-{index}", f"value-{index}")
    agent.write_plan(make_plan(scripted.endpoint, files_for(5)))
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    assert scripted.count("GetSecretValue") == 5
    assert (volume / "secrets" / "s4").read_text() == "value-4"


def test_one_secret_of_a_batch_may_fail_alone(scripted, agent, make_plan, volume):
    for index in range(5):
        scripted.put(f"secret-{index}", f"value-{index}")
    files = files_for(5) + [{"path": "gone", "from": {"secret": "not-there"}, "optional": True}]
    agent.write_plan(make_plan(scripted.endpoint, files))
    assert agent.call("once").returncode == 0
    assert not (volume / "secrets" / "gone").exists() and (volume / "secrets" / "s0").exists()


def test_one_secret_of_many_files_is_fetched_once_and_always_with_its_stage(scripted, agent, make_plan, volume):
    scripted.put("db", '{"a": "1", "b": "2"}')
    agent.write_plan(make_plan(scripted.endpoint, [
        {"path": "a", "from": {"secret": "db", "key": "/a"}}, {"path": "b", "from": {"secret": "db", "key": "/b"}},
        {"path": "all.env", "from": {"secret": "db"}, "format": "env"}]))
    assert agent.call("once").returncode == 0
    calls = [parameters for operation, parameters, _ in scripted.calls if operation == "GetSecretValue"]
    assert calls == [{"SecretId": "db", "VersionStage": "AWSCURRENT"}]


def test_binary_and_largest_values_arrive_byte_for_byte(scripted, agent, make_plan, volume):
    blob = bytes(range(256)) * 256
    scripted.put("blob", blob)
    scripted.put("text", "x" * 65536)
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "blob", "from": {"secret": "blob"}},
                                                   {"path": "text", "from": {"secret": "text"}}]))
    assert agent.call("once").returncode == 0
    assert (volume / "secrets" / "blob").read_bytes() == blob
    assert (volume / "secrets" / "text").read_bytes() == b"x" * 65536


def test_a_pinned_version_and_parameters(scripted, agent, make_plan, volume):
    old = scripted.put("pinned", "old")
    scripted.put("pinned", "new")
    scripted.parameters["/prod/feature"] = ("String", "on", 3)
    scripted.parameters["/prod/key"] = ("SecureString", "s3cret", 1)
    agent.write_plan(make_plan(scripted.endpoint, [
        {"path": "pinned", "from": {"secret": "pinned", "versionId": old}},
        {"path": "feature", "from": {"parameter": "/prod/feature"}},
        {"path": "key", "from": {"parameter": "/prod/key"}}]))
    assert agent.call("once").returncode == 0
    assert (volume / "secrets" / "pinned").read_text() == "old"
    assert (volume / "secrets" / "feature").read_text() == "on"
    assert (volume / "secrets" / "key").read_text() == "s3cret"
    assert scripted.count("GetParameters") == 1
    assert all(call[1]["WithDecryption"] for call in scripted.calls if call[0] == "GetParameters")


def test_several_identities_and_regions_in_one_plan(scripted, agent, make_plan, volume, token):
    scripted.put("one", "1")
    scripted.put("two", "2")
    plan = make_plan(scripted.endpoint, [
        {"path": "one", "from": {"secret": "one"}},
        {"path": "two", "from": {"secret": "two", "identity": "audit", "region": "us-east-1"}}])
    other = ROLE.replace("app", "audit")
    plan["identities"]["audit"] = {"type": "assumeRole", "source": "default", "roleArn": other, "externalId": "ext"}
    agent.write_plan(plan)
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    used = {}
    for operation, parameters, headers in scripted.calls:
        if operation == "GetSecretValue":
            scope = headers["Authorization"].split("Credential=")[1].split(",")[0].split("/")
            used[parameters["SecretId"]] = (scripted.role_of_key[scope[0]], scope[2])
    assert used == {"one": (ROLE, "eu-central-1"), "two": (other, "us-east-1")}
    chained = next(form for operation, form, _ in scripted.calls if operation == "AssumeRole")
    assert chained["ExternalId"] == ["ext"]


def test_ssm_parameters_against_moto(moto, agent, make_plan, volume):
    ssm = moto.client("ssm")
    ssm.put_parameter(Name="/app/plain", Value="p", Type="String")
    ssm.put_parameter(Name="/app/secure", Value="s", Type="SecureString")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "plain", "from": {"parameter": "/app/plain"}},
                                               {"path": "secure", "from": {"parameter": "/app/secure"}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        assert (volume / "secrets" / "secure").read_text() == "s"
        ssm.put_parameter(Name="/app/plain", Value="q", Type="String", Overwrite=True)
        wait_until("the new value", lambda: (volume / "secrets" / "plain").read_text() == "q")


@pytest.mark.parametrize("count", [4, 21])
def test_batches_against_moto(moto, agent, make_plan, volume, count):
    client = moto.client()
    for index in range(count):
        client.create_secret(Name=f"batch-{count}-{index}", SecretString=f"value-{index}")
    agent.write_plan(make_plan(moto.endpoint, [{"path": f"s{index}", "from": {"secret": f"batch-{count}-{index}"}}
                                               for index in range(count)]))
    done = agent.call("once")
    assert done.returncode == 0, done.stderr
    assert (volume / "secrets" / f"s{count - 1}").read_text() == f"value-{count - 1}"
