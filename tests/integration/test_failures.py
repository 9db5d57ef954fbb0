"""What goes wrong at night: dead endpoints, kills, full disks, two agents, strange targets."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from conftest import AGENT, ROOT, free_port, wait_until
from scripted_aws import Refusal

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and other uids need root")


def simple_plan(make_plan, scripted, **extra):
    scripted.put("db", "one")
    return make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], **extra)


def test_a_dead_endpoint_at_start_is_waited_for(scripted, agent, make_plan):
    plan = simple_plan(make_plan, scripted)
    dead = f"https://127.0.0.1:{free_port()}"
    broken = {**plan, "aws": {**plan["aws"], "endpoints": {**plan["aws"]["endpoints"], "sts": dead}}}
    agent.write_plan(broken)
    with agent.run() as child:
        wait_until("the reason", lambda: "127.0.0.1" in agent.call("ready").stdout)
        assert child.poll() is None
        agent.write_plan(plan)
        agent.wait_ready(child)


def test_an_outage_keeps_files_and_readiness(scripted, agent, make_plan, volume):
    agent.write_plan(simple_plan(make_plan, scripted))
    with agent.run() as child:
        agent.wait_ready(child)

        def down(_):
            raise Refusal(503, "ServiceUnavailable")

        scripted.script["GetSecretValue"] = down
        wait_until("the error", lambda: agent.state()["files"][0]["error"] != "")
        assert agent.ready() and (volume / "secrets" / "v").read_text() == "one"
        del scripted.script["GetSecretValue"]
        scripted.put("db", "two")
        wait_until("the new value", lambda: (volume / "secrets" / "v").read_text() == "two")


def test_a_wrong_certificate_is_refused_with_the_reason(authority, agent, make_plan, scripted):
    from scripted_aws import scripted_aws

    plan = simple_plan(make_plan, scripted)
    with scripted_aws(authority, hosts=("other.example", "192.0.2.1")) as impostor:
        plan["aws"]["endpoints"]["sts"] = impostor.endpoint
        agent.write_plan(plan)
        done = agent.call("once", "--deadline", "1s")
        assert done.returncode == 1
        assert "certificate" in done.stderr and "127.0.0.1" in done.stderr, done.stderr
        assert impostor.calls == [] and scripted.calls == []


def test_an_unknown_ca_is_refused_with_the_reason(agent, make_plan, scripted):
    plan = simple_plan(make_plan, scripted)
    del plan["aws"]["caPem"]
    agent.write_plan(plan)
    done = agent.call("once", "--deadline", "1s")
    assert done.returncode == 1 and "certificate" in done.stderr
    assert scripted.calls == []


def test_kill_9_and_restart_resumes_without_touching_the_files(scripted, agent, make_plan, volume):
    agent.write_plan(simple_plan(make_plan, scripted))
    with agent.run() as child:
        agent.wait_ready(child)
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = (os.readlink(volume / "secrets" / "..data"), (volume / "secrets").stat().st_mtime_ns)

    def down(_):
        raise Refusal(503, "ServiceUnavailable")

    scripted.script["GetSecretValue"] = down
    (volume / ".keyturn" / "state.json").unlink()
    with agent.run() as child:
        agent.wait_ready(child)  # a complete generation is enough, although AWS is down
        assert before == (os.readlink(volume / "secrets" / "..data"), (volume / "secrets").stat().st_mtime_ns)


@needs_root
def test_a_full_volume_keeps_the_last_generation_and_recovers(scripted, agent, make_plan, tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], check=True)
    try:
        plan = simple_plan(make_plan, scripted)
        plan["targets"][0]["path"] = str(mount / "secrets")
        agent.volume = mount
        agent.write_plan(plan)
        with agent.run() as child:
            agent.wait_ready(child)
            (mount / "filler").write_bytes(b"x" * 220_000)
            scripted.put("db", "x" * 65536)
            wait_until("the reason", lambda: "RESOURCE_EXHAUSTED" in agent.call("status").stdout
                       or "space" in agent.log_text())
            assert (mount / "secrets" / "v").read_text() == "one"
            (mount / "filler").unlink()
            wait_until("the new value", lambda: (mount / "secrets" / "v").stat().st_size == 65536)
            # The replaced generation lingers for readers that are on their way to it.
            wait_until("one generation", lambda: len(list((mount / "secrets").glob("..2*"))) == 1)
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_disk_is_refused_unless_the_plan_allows_it(scripted, agent, make_plan, tmp_path):
    folder = ROOT / "build" / f"disk-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True)
        if kind.stdout.strip() in ("tmpfs", "ramfs"):
            pytest.skip(f"{folder} is on {kind.stdout.strip()}: no disk to be refused here")
        plan = simple_plan(make_plan, scripted)
        plan["targets"][0]["path"] = str(folder / "secrets")
        agent.write_plan(plan)
        done = agent.call("once", "--deadline", "1s")
        assert done.returncode == 1 and "allowDisk" in done.stderr
        plan["targets"][0]["allowDisk"] = True
        agent.write_plan(plan)
        assert agent.call("once").returncode == 0
        assert (folder / "secrets" / "v").read_text() == "one"
    finally:
        shutil.rmtree(folder)


def test_a_second_agent_on_one_target_is_refused(scripted, agent, make_plan):
    agent.write_plan(simple_plan(make_plan, scripted))
    with agent.run() as child:
        agent.wait_ready(child)
        done = agent.call("once", "--deadline", "1s")
        assert done.returncode == 1 and "another process" in done.stderr


def test_sigterm_ends_it_at_once_even_while_a_call_hangs(agent, make_plan, scripted):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plan = simple_plan(make_plan, scripted)
        plan["aws"]["endpoints"]["sts"] = f"https://127.0.0.1:{silent.getsockname()[1]}"
        agent.write_plan(plan)
        with agent.run() as child:
            connection, _ = silent.accept()  # the agent is in its handshake now
            child.terminate()
            assert child.wait(3) == 0
            connection.close()


@needs_root
@pytest.mark.parametrize("uid", [0, 1000, 65534])
def test_another_uid_reads_the_files_with_protected_symlinks(scripted, agent, make_plan, volume, uid):
    knob = pathlib.Path("/proc/sys/fs/protected_symlinks")
    saved = knob.read_text()
    volume.chmod(0o1777)  # as the root of a memory emptyDir is
    agent.write_plan(simple_plan(make_plan, scripted))
    # As the kubelet does: the agent's uid owns nothing but what it makes itself.
    for path in (agent.plan_path, agent.folder):
        os.chmod(path, 0o755)
    try:
        knob.write_text("1")
        command = agent.command("once")
        setuid = ("import os, sys\nos.setgid(65532)\nos.setuid(65532)\nos.execve(sys.argv[1], sys.argv[1:], dict(os.environ))")
        environment = {**agent.environment}
        plan_copy = volume / "plan.json"
        plan_copy.write_text(agent.plan_path.read_text().replace(str(agent.folder / "token"), str(volume / "token")))
        (volume / "token").write_text("token")
        (volume / "token").chmod(0o644)
        plan_copy.chmod(0o644)
        binary = volume / "keyturn-agent"
        shutil.copy(AGENT, binary)
        command[0], command[3] = str(binary), str(plan_copy)
        done = subprocess.run([sys.executable, "-c", setuid, *command], env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert (volume / "secrets").stat().st_uid == 65532
        reader = f"import os\nos.setgid({uid})\nos.setuid({uid})\nprint(open({str(volume / 'secrets' / 'v')!r}).read(), end='')"
        shown = subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, check=False)
        assert shown.stdout == "one", shown.stderr
    finally:
        knob.write_text(saved)


def test_the_agent_needs_two_threads(scripted, agent, make_plan):
    agent.write_plan(simple_plan(make_plan, scripted))
    with agent.run() as child:
        agent.wait_ready(child)
        assert len(list(pathlib.Path(f"/proc/{child.pid}/task").iterdir())) == 2


def test_flags_that_are_wrong_are_named(agent):
    for flags, word in ((["run"], "--plan"), (["nonsense"], "subcommand"), (["run", "--plan", "x", "--bogus"], "bogus")):
        done = subprocess.run([str(AGENT), *flags], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2 and word in done.stdout + done.stderr, done




def test_a_sighup_in_the_first_instant_does_not_end_it(scripted, agent, make_plan):
    agent.write_plan(simple_plan(make_plan, scripted))
    for _ in range(5):
        with agent.run() as child:
            wait_until("the program", lambda: pathlib.Path(f"/proc/{child.pid}/comm").read_text().startswith("keyturn"))
            # The C library blocks nothing: only what main() does first counts, so give it its first millisecond.
            wait_until("signals held", lambda: "SigBlk:\t0000000000000000" not in
                       pathlib.Path(f"/proc/{child.pid}/status").read_text())
            child.send_signal(signal.SIGHUP)
            agent.wait_ready(child)
