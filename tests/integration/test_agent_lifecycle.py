"""How an agent begins and ends: what its state says meanwhile, what it waits for, what it finishes."""
import json
import os
import shutil
import signal
import stat
import subprocess

import pytest
from conftest import wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and other uids need root")


@pytest.fixture
def plan(scripted, make_plan):
    scripted.put("db", "one")
    return make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}])


def kill(child):
    child.send_signal(signal.SIGKILL)
    child.wait()


# ---- ready

def test_ready_of_a_killed_agent_fails_when_its_target_is_gone(agent, plan, volume):
    agent.write_plan(plan)
    with agent.run() as child:
        agent.wait_ready(child)
        kill(child)
    assert agent.ready()  # the files are still there
    shutil.rmtree(volume / "secrets")
    answer = agent.call("ready")
    assert answer.returncode == 3 and str(volume / "secrets") in answer.stdout
    assert agent.call("status").returncode == 3


def test_ready_fails_when_the_data_link_leads_nowhere(agent, plan, volume):
    agent.write_plan(plan)
    assert agent.call("once").returncode == 0
    assert agent.ready()
    shutil.rmtree(volume / "secrets" / os.readlink(volume / "secrets" / "..data"))
    assert agent.call("ready").returncode == 3


def test_a_restarted_agent_is_not_ready_by_its_predecessors_state(agent, plan, volume):
    """A lock on the target keeps the new process before its first look at it."""
    agent.write_plan(plan)
    assert agent.call("once").returncode == 0
    assert agent.ready()
    with subprocess.Popen(["flock", str(volume / "secrets"), "cat"], stdin=subprocess.PIPE) as holder:
        wait_until("the lock", lambda: subprocess.run(["flock", "-n", str(volume / "secrets"), "true"],
                                                      check=False).returncode != 0)
        with agent.run() as child:
            wait_until("the predecessor's word to end", lambda: not agent.ready())
            answer = wait_until("the reason", lambda: (lambda a: a if "another process" in a.stdout else None)(
                agent.call("ready")))
            assert answer.returncode == 3 and child.poll() is None
            holder.stdin.close()
            holder.wait()
            agent.wait_ready(child)


# ---- starts that may succeed later

def test_a_parent_that_is_not_mounted_yet_is_waited_for(agent, plan, volume):
    plan["targets"][0]["path"] = str(volume / "later" / "secrets")
    agent.write_plan(plan)
    with agent.run("--state-dir", str(volume / ".keyturn")) as child:
        wait_until("the reason", lambda: "later/secrets" in agent.call("ready").stdout)
        assert child.poll() is None
        (volume / "later").mkdir()
        agent.wait_ready(child)
    assert (volume / "later" / "secrets" / "v").read_text() == "one"


def test_a_parent_that_holds_the_state_too_is_waited_for(agent, plan, volume):
    plan["targets"][0]["path"] = str(volume / "later" / "secrets")
    agent.write_plan(plan)
    with agent.run() as child:
        wait_until("the reason", lambda: "cannot start yet" in agent.log_text())
        assert child.poll() is None
        (volume / "later").mkdir()
        wait_until("the file", lambda: (volume / "later" / "secrets" / "v").exists())


def test_a_signal_ends_an_agent_that_waits_to_start(agent, plan, volume):
    plan["targets"][0]["path"] = str(volume / "never" / "secrets")
    agent.write_plan(plan)
    with agent.run() as child:
        wait_until("the reason", lambda: "cannot start yet" in agent.log_text())
        child.terminate()
        assert child.wait(3) == 0


def test_a_plan_that_changes_before_the_start_is_taken(agent, plan, volume):
    good = json.dumps(plan)
    plan["targets"][0]["path"] = str(volume / "never" / "secrets")
    agent.write_plan(plan)
    with agent.run() as child:
        wait_until("the reason", lambda: "cannot start yet" in agent.log_text())
        agent.write_plan("{")
        wait_until("the plan's error", lambda: "new plan not valid" in agent.log_text())
        agent.write_plan(good)
        agent.wait_ready(child)
        wait_until("no plan error", lambda: agent.state()["planError"] == "")


def test_a_start_that_only_another_configuration_can_help_ends_it(agent, plan, volume):
    (volume / "secrets").write_text("a file")
    agent.write_plan(plan)
    with agent.run() as child:
        assert child.wait(10) == 1
    assert "not a directory" in agent.log_text()
    assert "not a directory" in agent.call("ready").stdout


def test_a_second_agent_leaves_the_state_of_the_first_alone(agent, plan, volume):
    agent.write_plan(plan)
    with agent.run() as child:
        agent.wait_ready(child)
        with agent.run() as second:
            wait_until("the reason", lambda: "another process keeps its state" in agent.log_text())
            assert second.poll() is None
            assert agent.ready()
            kill(child)
            wait_until("the second to take over", lambda: agent.log_text().count("cannot start yet") >= 1 and
                       subprocess.run(["flock", "-n", str(volume / "secrets"), "true"], check=False).returncode != 0)
            agent.wait_ready(second)


# ---- the state directory

def test_the_state_is_for_the_agent_alone(agent, plan, volume):
    (volume / ".keyturn").mkdir(mode=0o755)
    agent.write_plan(plan)
    with agent.run() as child:
        agent.wait_ready(child)
        assert stat.S_IMODE((volume / ".keyturn").stat().st_mode) == 0o700
        assert stat.S_IMODE((volume / ".keyturn" / "state.json").stat().st_mode) == 0o600


def test_a_link_as_state_directory_is_refused(agent, plan, volume, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (volume / ".keyturn").symlink_to(tmp_path / "elsewhere")
    agent.write_plan(plan)
    with agent.run() as child:
        assert child.wait(10) == 1
    assert "--state-dir" in agent.log_text()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_root
def test_a_state_directory_of_somebody_else_is_refused(agent, plan, volume):
    (volume / ".keyturn").mkdir()
    os.chown(volume / ".keyturn", 12345, 12345)
    agent.write_plan(plan)
    with agent.run() as child:
        assert child.wait(10) == 1
    assert "12345" in agent.log_text()


def test_a_named_state_directory_that_others_write_to_is_refused(agent, plan, volume):
    shared = volume / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    agent.write_plan(plan)
    with agent.run("--state-dir", str(shared)) as child:
        assert child.wait(10) == 1
    assert "chmod 0700" in agent.log_text()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


# ---- once

def test_once_leaves_a_state(agent, plan, scripted):
    agent.write_plan(plan)
    version = scripted.put("db", "two")
    assert agent.call("once").returncode == 0
    shown = agent.call("status")
    assert shown.returncode == 0 and version in shown.stdout
    assert agent.ready()


def test_once_that_fails_leaves_the_reason(agent, plan, scripted):
    plan["targets"][0]["files"][0]["from"]["secret"] = "missing"
    agent.write_plan(plan)
    assert agent.call("once", "--deadline", "1s").returncode == 1
    shown = agent.call("ready")
    assert shown.returncode == 3 and "missing" in shown.stdout


def test_once_delivers_without_a_place_for_its_state(agent, plan, volume, tmp_path):
    (volume / ".keyturn").symlink_to(tmp_path)
    agent.write_plan(plan)
    done = agent.call("once")
    assert done.returncode == 0 and "no state kept" in done.stdout + done.stderr
    assert (volume / "secrets" / "v").read_text() == "one"


def test_once_tells_the_application_of_a_change(agent, plan, scripted, volume):
    sentinel = volume / "secrets" / "changed"
    plan["notify"] = [{"sentinel": "changed"}]
    agent.write_plan(plan)
    assert agent.call("once").returncode == 0
    assert not sentinel.exists()  # a first delivery has nobody to tell
    scripted.put("db", "two")
    assert agent.call("once").returncode == 0
    assert (volume / "secrets" / "v").read_text() == "two"
    assert sentinel.exists()


def test_once_says_that_a_notification_was_not_in_time(agent, plan, scripted):
    plan["notify"] = [{"exec": ["/bin/false"]}]
    agent.write_plan(plan)
    assert agent.call("once").returncode == 0
    scripted.put("db", "two")
    done = agent.call("once", "--deadline", "1500ms")
    assert done.returncode == 1 and "notification" in done.stderr


# ---- the Plan file

def test_a_plan_file_that_was_missing_for_a_moment_leaves_no_error(agent, plan):
    agent.write_plan(plan)
    with agent.run() as child:
        agent.wait_ready(child)
        hidden = agent.plan_path.with_suffix(".hidden")
        agent.plan_path.rename(hidden)
        wait_until("the plan's error", lambda: agent.state()["planError"] != "")
        assert agent.ready()
        hidden.rename(agent.plan_path)  # the very same text
        wait_until("no plan error", lambda: agent.state()["planError"] == "")
        assert child.poll() is None
