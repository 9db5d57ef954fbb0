#!/usr/bin/env python3
"""The main job, shown end to end on this machine: ./run demo

A TLS endpoint that speaks the AWS API (moto's server) is started on loopback; the aws CLI creates a secret; the agent
exchanges a service-account-style token for credentials, fetches, renders and publishes on tmpfs; the secret is
rotated; a small app is told and reloads. Everything is removed at the end.
"""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv" / "bin"
AGENT = pathlib.Path(os.environ.get("KEYTURN_AGENT", ROOT / "build" / "bin" / "keyturn-agent"))
REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/shop"


def say(text: str) -> None:
    print(f"\n\033[1m==> {text}\033[0m" if sys.stdout.isatty() else f"\n==> {text}", flush=True)


def show(command: list[str]) -> None:
    print("    $ " + " ".join(command), flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_certificates(folder: pathlib.Path) -> None:
    """A CA of our own and a certificate for 127.0.0.1."""
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=demo CA", "-keyout", f"{folder}/ca.key",
            "-out", f"{folder}/ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.csr")
    openssl("x509", "-req", "-in", f"{folder}/tls.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/san.cnf", "-out", f"{folder}/tls.pem")


@contextlib.contextmanager
def process(command: list[str], log: pathlib.Path, **kwargs):
    """Runs a command for the length of a block and ends it, by its own pid, afterwards."""
    with open(log, "wb") as sink, subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, **kwargs) as running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                running.kill()


def wait_until(what: str, condition, seconds: float = 30) -> float:
    """Waits until condition() is true and returns how long that took."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if condition():
            return time.monotonic() - begin
        time.sleep(0.02)
    raise SystemExit(f"demo: gave up waiting for: {what}")


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


class App(http.server.BaseHTTPRequestHandler):
    """An application that reads its configuration from files and reloads when it is told."""

    folder: pathlib.Path
    seen: list[tuple[float, str]] = []

    @classmethod
    def load(cls) -> None:
        text = (cls.folder / "pg.conf").read_text()
        cls.seen.append((time.monotonic(), text))
        print(f"    [app] loaded pg.conf: {text.strip()}", flush=True)

    def do_POST(self):  # noqa: N802  (the library's spelling)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.load()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def write_plan(folder: pathlib.Path, files: pathlib.Path, endpoint: str, app_port: int) -> pathlib.Path:
    plan = {
        "version": 1,
        "aws": {"region": REGION, "endpoints": {"secretsmanager": endpoint, "sts": endpoint},
                "caPem": (folder / "ca.pem").read_text()},
        "identities": {"default": {"type": "webIdentity", "roleArn": ROLE, "tokenFile": str(folder / "token")}},
        "refresh": {"interval": "1s", "maxStaleness": "1m"},
        "targets": [{"path": str(files), "files": [
            {"path": "pg.conf", "with": {"db": {"secret": "prod/db"}},
             "template": "host={{db.host}} user={{db.username}} password={{db.password}}\n"},
            {"path": "app.env", "from": {"secret": "prod/db"}, "format": "env"},
            {"path": "db", "from": {"secret": "prod/db"}, "format": "files"},
        ]}],
        "notify": [{"http": f"http://127.0.0.1:{app_port}/reload"}],
    }
    path = folder / "plan.json"
    path.write_text(json.dumps(plan, indent=1))
    return path


def aws(environment: dict, endpoint: str, *args: str) -> None:
    show(["aws", *args])
    done = subprocess.run([str(VENV / "python"), str(VENV / "aws"), "--endpoint-url", endpoint, *args],
                          env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"demo: aws failed: {done.stderr}")


def database_secret(password: str) -> str:
    return json.dumps({"engine": "postgres", "host": "db.internal", "port": 5432, "username": "shop",
                       "password": password, "dbname": "shop"})


def list_files(folder: pathlib.Path) -> None:
    current = folder / "..data"
    for path in sorted(path for path in current.rglob("*") if path.is_file()):
        print(f"    {path.relative_to(current)}: {path.read_text().strip().splitlines()}")
    show(["ls", "-la", str(folder)])
    subprocess.run(["ls", "-la", str(folder)], check=True)


def run_demo(folder: pathlib.Path, volume: pathlib.Path) -> None:
    port, files = free_port(), volume / "secrets"
    endpoint = f"https://127.0.0.1:{port}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_DEFAULT_REGION": REGION,
                   "AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_CA_BUNDLE": f"{folder}/ca.pem"}
    (folder / "token").write_text("eyJhbGciOiJub25lIn0.eyJzdWIiOiJkZW1vIn0.")
    make_certificates(folder)
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    App.folder = files
    threading.Thread(target=app.serve_forever, daemon=True).start()
    moto = [str(VENV / "python"), str(VENV / "moto_server"), "-H", "127.0.0.1", "-p", str(port), "-s",
            "-c", f"{folder}/tls.pem", "-k", f"{folder}/tls.key"]
    say(f"an AWS API on {endpoint} (TLS, moto's server)")
    with process(moto, folder / "moto.log", env=environment):
        wait_until("the endpoint", lambda: accepts(port))
        say("a database secret, made with the aws CLI")
        aws(environment, endpoint, "secretsmanager", "create-secret", "--name", "prod/db", "--secret-string",
            database_secret("first-password"))
        say("the agent: token → credentials → secret → files on tmpfs")
        plan = write_plan(folder, files, endpoint, app.server_address[1])
        command = [str(AGENT), "run", "--plan", str(plan), "--notify-debounce", "100ms"]
        show(command)
        begin = time.monotonic()
        # Nothing from this process's environment: what the agent uses is in the Plan.
        with process(command, folder / "agent.log", env={"PATH": "/usr/bin:/bin"}):
            ready = [str(AGENT), "ready", "--plan", str(plan)]
            wait_until("the first files", lambda: subprocess.run(ready, capture_output=True).returncode == 0)
            print(f"    first files {1000 * (time.monotonic() - begin):.0f} ms after the start")
            App.load()
            list_files(files)
            say("a rotation: AWSCURRENT moves to a new version")
            begin = time.monotonic()
            aws(environment, endpoint, "secretsmanager", "put-secret-value", "--secret-id", "prod/db",
                "--secret-string", database_secret("second-password"))
            rotated = time.monotonic()
            wait_until("the reload", lambda: any("second-password" in text for _, text in App.seen))
            at = next(when for when, text in App.seen if "second-password" in text)
            print(f"    the app had the new password {1000 * (at - rotated):.0f} ms after the CLI returned "
                  f"(interval 1 s, debounce 100 ms)")
            list_files(files)
            say("what the agent says of itself")
            show([str(AGENT), "status", "--plan", str(plan)])
            subprocess.run([str(AGENT), "status", "--plan", str(plan)], check=True)
    app.shutdown()


def main() -> None:
    if not pathlib.Path("/dev/shm").is_dir():
        raise SystemExit("demo: /dev/shm is missing; the agent publishes on tmpfs only")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyturn-demo-"))
    volume = pathlib.Path(tempfile.mkdtemp(prefix="keyturn-demo-", dir="/dev/shm"))
    try:
        run_demo(folder, volume)
        say("done; endpoint, agent and files are gone again")
    except BaseException:
        for log in ("moto.log", "agent.log"):
            if (folder / log).exists():
                print(f"--- {log}\n{(folder / log).read_text()[-4000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(volume, ignore_errors=True)


if __name__ == "__main__":
    main()
