"""Defects that were found by attacking the running agent, each by its symptom."""
import json
import shutil
import threading

from conftest import wait_until

HOUR = {"interval": "1h", "maxStaleness": "2h"}
FILES = [{"path": "s", "from": {"secret": "app"}}]


def plan_error(agent):
    return agent.state()["planError"]


def test_a_plan_that_vanishes_and_returns_unchanged_leaves_no_error_behind(scripted, agent, make_plan):
    scripted.put("app", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    with agent.run() as child:
        agent.wait_ready(child)
        away = agent.plan_path.with_suffix(".away")
        agent.plan_path.rename(away)
        wait_until("the error", lambda: "read the plan" in plan_error(agent))
        away.rename(agent.plan_path)
        wait_until("its end", lambda: plan_error(agent) == "")


def test_a_refused_plan_takes_effect_once_what_it_lacked_is_there(scripted, agent, make_plan, volume):
    scripted.put("app", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    with agent.run() as child:
        agent.wait_ready(child)
        agent.write_plan(make_plan(scripted.endpoint, FILES, target="late/mount", refresh=HOUR))
        wait_until("the refusal", lambda: "late/mount" in plan_error(agent))
        assert (volume / "secrets" / "s").read_text() == "one"
        (volume / "late").mkdir()
        wait_until("the new target", lambda: (volume / "late" / "mount" / "s").exists())
        wait_until("no error", lambda: plan_error(agent) == "")
        assert agent.log_text().count("new plan refused") == 1


def test_a_refused_plan_is_forgotten_when_the_old_one_comes_back(scripted, agent, make_plan, volume):
    scripted.put("app", "one")
    old = make_plan(scripted.endpoint, FILES, refresh=HOUR)
    agent.write_plan(old)
    with agent.run() as child:
        agent.wait_ready(child)
        agent.write_plan(make_plan(scripted.endpoint, FILES, target="late/mount", refresh=HOUR))
        wait_until("the refusal", lambda: "late/mount" in plan_error(agent))
        agent.write_plan(old)
        wait_until("no error", lambda: plan_error(agent) == "")
        (volume / "late").mkdir()
        version = scripted.put("app", "two")
        agent.poke(child)
        wait_until("a pass", lambda: version in json.dumps(agent.state()))
        assert not (volume / "late" / "mount").exists()


def test_an_invalid_plan_is_reported_although_a_valid_one_was_still_waiting(scripted, agent, make_plan):
    scripted.put("app", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    gate, held = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        gate.wait(10)

    with agent.run() as child:
        agent.wait_ready(child)
        scripted.script["GetSecretValue"] = hold
        agent.poke(child)
        assert held.wait(10)
        agent.write_plan(make_plan(scripted.endpoint, FILES + [{"path": "t", "from": {"secret": "app"}}], refresh=HOUR))
        for count in (2, 3):  # when the second is logged, the first has read the Plan
            agent.poke(child)
            wait_until("a look at the plan", lambda: agent.log_text().count("SIGHUP") >= count)
        agent.write_plan("{not a plan")
        wait_until("the log to say so", lambda: "new plan not valid" in agent.log_text())
        del scripted.script["GetSecretValue"]
        gate.set()
        wait_until("the error in the state", lambda: plan_error(agent))


def test_a_removed_state_directory_comes_back(scripted, agent, make_plan, volume):
    scripted.put("app", "one")
    agent.write_plan(make_plan(scripted.endpoint, FILES, refresh=HOUR))
    with agent.run() as child:
        agent.wait_ready(child)
        shutil.rmtree(volume / ".keyturn")
        agent.poke(child)
        agent.wait_ready(child)
        assert (volume / ".keyturn").stat().st_mode & 0o777 == 0o700
