"""The four ways to tell the application, with real receivers."""
import contextlib
import http.server
import os
import re
import subprocess
import sys
import threading
import urllib.request

from conftest import wait_until


@contextlib.contextmanager
def receiver(status=204):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/reload", seen
    finally:
        server.shutdown()
        server.server_close()


def plan_with(make_plan, scripted, *notify):
    scripted.put("db", "one")
    return make_plan(scripted.endpoint, [{"path": "v", "from": {"secret": "db"}}], notify=list(notify))


def rotate(scripted, volume, value="two"):
    scripted.put("db", value)
    wait_until(f"value {value}", lambda: (volume / "secrets" / "v").read_text() == value)


def test_http_post_after_each_change_and_not_before(scripted, agent, make_plan, volume):
    with receiver() as (url, seen):
        agent.write_plan(plan_with(make_plan, scripted, {"http": url}))
        with agent.run() as child:
            agent.wait_ready(child)
            rotate(scripted, volume)
            wait_until("the post", lambda: len(seen) == 1)
            rotate(scripted, volume, "three")
            wait_until("the second post", lambda: len(seen) == 2)


def test_sentinel_changes(scripted, agent, make_plan, volume):
    agent.write_plan(plan_with(make_plan, scripted, {"sentinel": ".changed"}))
    sentinel = volume / "secrets" / ".changed"
    with agent.run() as child:
        agent.wait_ready(child)
        rotate(scripted, volume)
        wait_until("the sentinel", sentinel.exists)
        first = sentinel.read_text()
        rotate(scripted, volume, "three")
        wait_until("a new sentinel", lambda: sentinel.read_text() != first)
        assert (volume / "secrets" / "v").read_text() == "three"


def test_signal_by_process_name(scripted, agent, make_plan, volume, tmp_path):
    mark = tmp_path / "hup"
    program = ("import pathlib, signal, sys\n"
               "pathlib.Path('/proc/self/comm').write_text('kt-sig-app')\n"
               f"signal.signal(signal.SIGHUP, lambda *_: pathlib.Path({str(mark)!r}).write_text('hup'))\n"
               "print('up', flush=True)\n"
               "while True: signal.pause()\n")
    app = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert app.stdout.readline() == b"up\n"
        agent.write_plan(plan_with(make_plan, scripted, {"signal": "HUP", "process": "kt-sig-app"}))
        with agent.run() as child:
            agent.wait_ready(child)
            rotate(scripted, volume)
            wait_until("the signal", mark.exists)
    finally:
        app.kill()
        app.wait()


def test_exec_without_shell_and_without_credentials(scripted, agent, make_plan, volume, tmp_path):
    mark = tmp_path / "exec"
    script = tmp_path / "hook.sh"
    script.write_text(f"#!/bin/sh\nenv > {mark}.tmp\nprintf '%s\\n' \"$@\" >> {mark}.tmp\nmv {mark}.tmp {mark}\n")
    script.chmod(0o755)
    agent.environment["AWS_SECRET_ACCESS_KEY"] = "must-not-reach-the-hook"
    agent.write_plan(plan_with(make_plan, scripted, {"exec": [str(script), "a b", "$HOME"]}))
    with agent.run() as child:
        agent.wait_ready(child)
        rotate(scripted, volume)
        wait_until("the hook", mark.exists)
    text = mark.read_text()
    assert "a b" in text and "$HOME" in text and "must-not-reach-the-hook" not in text


def notifications(agent, kind, result):
    """keyturn_notify_total of one kind and outcome."""
    page = urllib.request.urlopen(f"http://{agent.listen_address()}/metrics", timeout=5).read().decode()
    assert "# TYPE keyturn_notify_total counter" in page
    counts = {}
    for labels, count in re.findall(r"^keyturn_notify_total\{(.*)\} (\d+)$", page, re.MULTILINE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        counts[named["kind"], named["result"]] = int(count)
    assert counts
    return counts.get((kind, result), 0)


def test_a_failing_hook_is_retried_counted_and_blocks_nothing(scripted, agent, make_plan, volume):
    with receiver(status=500) as (url, seen):
        agent.write_plan(plan_with(make_plan, scripted, {"http": url}, {"sentinel": ".changed"}))
        with agent.run("--listen", "127.0.0.1:0") as child:
            agent.wait_ready(child)
            assert notifications(agent, "http", "retry") == 0
            rotate(scripted, volume)
            wait_until("a retry", lambda: len(seen) >= 2)
            wait_until("the count", lambda: notifications(agent, "http", "retry") >= 1)
            assert notifications(agent, "http", "success") == 0
            wait_until("the other channel", (volume / "secrets" / ".changed").exists)
            wait_until("its count", lambda: notifications(agent, "sentinel", "success") == 1)
            rotate(scripted, volume, "three")


def test_a_restart_onto_unchanged_content_tells_nobody(scripted, agent, make_plan, volume):
    with receiver() as (url, seen):
        agent.write_plan(plan_with(make_plan, scripted, {"http": url}))
        with agent.run() as child:
            agent.wait_ready(child)
        before = os.readlink(volume / "secrets" / "..data")
        scripted.forget_calls()
        with agent.run() as child:
            wait_until("a check", lambda: scripted.count("GetSecretValue") >= 2)
            assert os.readlink(volume / "secrets" / "..data") == before
        assert seen == []
