"""What a rotation, a deletion and a restoration do to published files, driven by the aws CLI against moto."""
import os
import threading
import uuid

from conftest import wait_until

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


def test_moving_the_stage_moves_the_file_and_pending_is_never_rendered(moto, agent, make_plan, volume, secret_name):
    moto.cli("secretsmanager", "create-secret", "--name", secret_name, "--secret-string", "one")
    first = moto.client().get_secret_value(SecretId=secret_name)["VersionId"]
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}]))
    path = volume / "secrets" / "value"
    with agent.run() as child:
        agent.wait_ready(child)
        token = str(uuid.uuid4())
        moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", "two",
                 "--version-stages", PENDING, "--client-request-token", token)
        checked = agent.state()["files"][0]["lastCheck"]
        agent.poke(child)
        wait_until("another check", lambda: agent.state()["files"][0]["lastCheck"] > checked)
        assert path.read_text() == "one"
        moto.cli("secretsmanager", "update-secret-version-stage", "--secret-id", secret_name, "--version-stage", CURRENT,
                 "--move-to-version-id", token, "--remove-from-version-id", first)
        wait_until("the new value", lambda: path.read_text() == "two")


def test_an_unchanged_secret_changes_nothing_on_disk(moto, agent, make_plan, volume, secret_name):
    moto.cli("secretsmanager", "create-secret", "--name", secret_name, "--secret-string", "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}]))
    with agent.run() as child:
        agent.wait_ready(child)
        before = (os.readlink(volume / "secrets" / "..data"), (volume / "secrets").stat().st_mtime_ns)
        for _ in range(3):
            checked = agent.state()["files"][0]["lastCheck"]
            agent.poke(child)
            wait_until("another check", lambda: agent.state()["files"][0]["lastCheck"] > checked)
        assert before == (os.readlink(volume / "secrets" / "..data"), (volume / "secrets").stat().st_mtime_ns)


def test_a_deleted_secret_keeps_its_last_good_content_and_a_restored_one_goes_on(moto, agent, make_plan, volume,
                                                                                 secret_name):
    moto.cli("secretsmanager", "create-secret", "--name", secret_name, "--secret-string", "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}]))
    path = volume / "secrets" / "value"
    with agent.run() as child:
        agent.wait_ready(child)
        moto.cli("secretsmanager", "delete-secret", "--secret-id", secret_name)
        wait_until("the error in the state", lambda: agent.state()["files"][0]["error"] != "")
        assert path.read_text() == "one" and agent.ready()
        moto.cli("secretsmanager", "restore-secret", "--secret-id", secret_name)
        moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", "two")
        wait_until("the new value", lambda: path.read_text() == "two")
        wait_until("no error", lambda: agent.state()["files"][0]["error"] == "")


def test_current_and_previous_never_straddle_a_rotation(scripted, agent, make_plan, volume):
    scripted.put("pair", "0")
    scripted.put("pair", "1")
    agent.write_plan(make_plan(scripted.endpoint, [
        {"path": "now", "from": {"secret": "pair"}},
        {"path": "before", "from": {"secret": "pair", "stage": PREVIOUS}}]))
    stop = threading.Event()
    count = [1]

    def rotate_during_reads(_):
        # Between the reads of the two stages: the worst moment.
        if count[0] < 40 and count[0] % 3 == 0 and not stop.is_set():
            scripted.put("pair", str(count[0] + 1))
        count[0] += 1

    with agent.run() as child:
        agent.wait_ready(child)
        scripted.script["GetSecretValue"] = rotate_during_reads
        seen = set()
        folder = volume / "secrets"
        for _ in range(30):
            agent.poke(child)
            checks = scripted.count("GetSecretValue")
            wait_until("more reads", lambda: scripted.count("GetSecretValue") > checks)
            directory = os.open(folder / "..data", os.O_RDONLY | os.O_DIRECTORY)
            try:
                pair = []
                for name in ("now", "before"):
                    handle = os.open(name, os.O_RDONLY, dir_fd=directory)
                    pair.append(os.read(handle, 100).decode())
                    os.close(handle)
                seen.add(tuple(pair))
            except FileNotFoundError:
                pass  # the generation was replaced between the two opens: nothing mixed was seen
            finally:
                os.close(directory)
        stop.set()
    values = [value for version, value in scripted.secrets["pair"].items()]
    order = {value: index for index, value in enumerate(values)}
    assert seen, "nothing was read"
    for now, before in seen:
        assert order[now] == order[before] + 1, f"a pair that was never true: {now}, {before}"
