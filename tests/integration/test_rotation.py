"""What a rotation, a deletion and a restoration do to published files, driven by the aws CLI against moto."""
import os
import time
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


def test_revoked_files_go_after_the_grace_and_only_where_the_plan_says_so(moto, agent, make_plan, volume, secret_name):
    kept = secret_name + "-other"
    for name in (secret_name, kept):
        moto.cli("secretsmanager", "create-secret", "--name", name, "--secret-string", "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "gone", "from": {"secret": secret_name}},
                                               {"path": "kept", "from": {"secret": kept}}],
                               refresh={"interval": "1s", "maxStaleness": "1m", "onRevoked": "remove"}))
    target = volume / "secrets"
    with agent.run("--revocation-grace", "2s") as child:
        agent.wait_ready(child)
        deleted = time.monotonic()
        moto.cli("secretsmanager", "delete-secret", "--secret-id", secret_name)
        wait_until("the removal", lambda: not (target / "gone").exists())
        assert time.monotonic() - deleted >= 2.0, "removed before the grace was over"
        assert (target / "kept").read_text() == "one"
        moto.cli("secretsmanager", "restore-secret", "--secret-id", secret_name)
        wait_until("its return", lambda: (target / "gone").exists() and (target / "gone").read_text() == "one")


def test_a_deleted_secret_keeps_its_last_good_content_and_a_restored_one_goes_on(moto, agent, make_plan, volume,
                                                                                 secret_name):
    moto.cli("secretsmanager", "create-secret", "--name", secret_name, "--secret-string", "one")
    agent.write_plan(make_plan(moto.endpoint, [{"path": "value", "from": {"secret": secret_name}}]))
    path = volume / "secrets" / "value"
    with agent.run("--revocation-grace", "0s") as child:
        agent.wait_ready(child)
        moto.cli("secretsmanager", "delete-secret", "--secret-id", secret_name)
        wait_until("the error in the state", lambda: agent.state()["files"][0]["error"] != "")
        checked = agent.state()["updated"]
        agent.poke(child)
        wait_until("another check", lambda: agent.state()["updated"] > checked)
        assert path.read_text() == "one" and agent.ready()
        moto.cli("secretsmanager", "restore-secret", "--secret-id", secret_name)
        moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", "two")
        wait_until("the new value", lambda: path.read_text() == "two")
        wait_until("no error", lambda: agent.state()["files"][0]["error"] == "")


def test_current_and_previous_follow_the_stages_together(moto, agent, make_plan, volume, secret_name):
    moto.cli("secretsmanager", "create-secret", "--name", secret_name, "--secret-string", "0")
    moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", "1")
    agent.write_plan(make_plan(moto.endpoint, [
        {"path": "now", "from": {"secret": secret_name}},
        {"path": "before", "from": {"secret": secret_name, "stage": PREVIOUS}}]))

    def pair():
        generation = volume / "secrets" / os.readlink(volume / "secrets" / "..data")
        try:
            return tuple((generation / name).read_text() for name in ("now", "before"))
        except FileNotFoundError:
            return None  # replaced in between

    with agent.run() as child:
        agent.wait_ready(child)
        assert pair() == ("1", "0")
        for count in (2, 3):
            moto.cli("secretsmanager", "put-secret-value", "--secret-id", secret_name, "--secret-string", str(count))
            last = wait_until("another pair", lambda: pair() if pair() != (str(count - 1), str(count - 2)) else None)
            assert last == (str(count), str(count - 1))


def test_current_and_previous_never_straddle_a_rotation(scripted, agent, make_plan, volume):
    scripted.put("pair", "0")
    scripted.put("pair", "1")
    agent.write_plan(make_plan(scripted.endpoint, [
        {"path": "now", "from": {"secret": "pair"}},
        {"path": "before", "from": {"secret": "pair", "stage": PREVIOUS}}]))
    reads, seen = [0], set()

    def rotate_during_reads(_):
        # Between the reads of the two stages in every phase: 5 is odd, a pair is 2 reads.
        reads[0] += 1
        if reads[0] <= 60 and reads[0] % 5 == 0:
            scripted.put("pair", str(reads[0]))

    def look():
        try:
            directory = os.open(volume / "secrets" / "..data", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return
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

    def rotate_until_the_last_is_shown():
        agent.poke(child)
        look()
        return ("60", "55") in seen

    with agent.run() as child:
        agent.wait_ready(child)
        scripted.script["GetSecretValue"] = rotate_during_reads
        wait_until("the last pair", rotate_until_the_last_is_shown)
    values = [value for version, value in scripted.secrets["pair"].items()]
    order = {value: index for index, value in enumerate(values)}
    assert len(values) == 14, "the secret was not rotated between the reads"
    assert len(seen) > 1, "no rotation reached the files"
    for now, before in seen:
        assert order[now] == order[before] + 1, f"a pair that was never true: {now}, {before}"
