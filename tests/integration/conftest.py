"""Fixtures of the black-box tests: real programs, real TLS on loopback, port 0, files on tmpfs.

The agent under test is $KEYTURN_AGENT, else the one of the build directory $KEYTURN_BUILD_DIR.
"""
import contextlib
import datetime
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.config
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KEYTURN_BUILD_DIR", ROOT / "build" / "dev"))
AGENT = pathlib.Path(os.environ.get("KEYTURN_AGENT", BUILD / "bin" / "keyturn-agent"))
REGION = "eu-central-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
sys.path.insert(0, str(pathlib.Path(__file__).parent))


def wait_until(what, condition, seconds=20.0):
    """Returns the first true value of condition(); fails loudly after `seconds`.

    Polling is the only way to watch another process's files from outside without changing what it does.
    """
    tick = threading.Event()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        tick.wait(0.01)
    raise AssertionError(f"gave up after {seconds} s waiting for: {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Authority:
    """A certificate authority that lives as long as the test session."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keyturn test CA")])
        self.certificate = self._sign(self.name, self.key.public_key(), None, True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.path = folder / "ca.pem"
        self.path.write_text(self.pem)

    def _sign(self, subject, public_key, names, is_ca, not_after=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=2))
                   .not_valid_after(not_after or now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(is_ca, None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, label, *hosts, not_after=None):
        """A certificate and key file for these host names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
        certificate = self._sign(subject, key.public_key(), names, False, not_after)
        cert_path, key_path = self.folder / f"{label}.pem", self.folder / f"{label}.key"
        cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return cert_path, key_path


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def running(command, log, **kwargs):
    """A child process for the length of a block; ended by its own pid."""
    with open(log, "ab") as sink:
        child = subprocess.Popen([str(part) for part in command], stdout=sink, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, **kwargs)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Moto:
    """moto's server over TLS, with the aws CLI and boto3 pointed at it."""

    def __init__(self, endpoint, authority, folder):
        self.endpoint, self.authority, self.folder = endpoint, authority, folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_DEFAULT_REGION": REGION,
                            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                            "AWS_CA_BUNDLE": str(authority.path), "AWS_PAGER": ""}

    def client(self, service="secretsmanager", region=REGION):
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, verify=str(self.authority.path),
                            aws_access_key_id="test", aws_secret_access_key="test",
                            config=botocore.config.Config(retries={"max_attempts": 1}))

    def cli(self, *args):
        """The real aws CLI; its JSON answer."""
        command = [sys.executable, str(pathlib.Path(sys.executable).parent / "aws"), "--endpoint-url", self.endpoint,
                   "--output", "json", *args]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}


@pytest.fixture(scope="module")
def moto(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("moto")
    certificate, key = authority.issue("moto", "127.0.0.1", "localhost")
    # Port 0: the server says which one it got, so nothing can take it in between.
    command = [sys.executable, pathlib.Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", "0",
               "-s", "-c", certificate, "-k", key]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "MOTO_ACCOUNT_ID": ACCOUNT,
                   "PYTHONUNBUFFERED": "1"}
    log = folder / "moto.log"
    with running(command, log, env=environment) as child:

        def address():
            assert child.poll() is None, log.read_text()
            return re.search(r"Running on (https://127\.0\.0\.1:[1-9][0-9]*)", log.read_text())

        yield Moto(wait_until("moto to listen", address, 60).group(1), authority, folder)


@pytest.fixture
def volume():
    """A directory on tmpfs, as a memory emptyDir is."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyturn-test-", dir="/dev/shm"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Agent:
    """keyturn-agent with one Plan file, as a pod runs it."""

    def __init__(self, folder, volume, environment=None):
        self.folder, self.volume = folder, volume
        self.plan_path = folder / "plan.json"
        self.log = folder / "agent.log"
        # Nothing of the test's own environment: what decides must be in the Plan or named by the test.
        self.environment = {"PATH": "/usr/bin:/bin", **(environment or {})}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def write_plan(self, plan):
        temporary = self.plan_path.with_suffix(".tmp")
        temporary.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        temporary.rename(self.plan_path)

    def command(self, name, *flags):
        if name in ("ready", "status"):  # as the kubelet asks: by the state, whatever the Plan file says now
            return [str(AGENT), name, "--state-dir", str(self.volume / ".keyturn"), *flags]
        return [str(AGENT), name, "--plan", str(self.plan_path), *flags]

    def call(self, name, *flags, timeout=60):
        """One command to its end."""
        return subprocess.run(self.command(name, *flags), env=self.environment, capture_output=True, text=True,
                              timeout=timeout, check=False)

    @contextlib.contextmanager
    def run(self, *flags, **kwargs):
        command = self.command("run", "--log-level", "debug", "--plan-check", "100ms", "--notify-debounce", "50ms",
                               *flags)
        with running(command, self.log, env=self.environment, **kwargs) as child:
            yield child

    def ready(self):
        return self.call("ready").returncode == 0

    def wait_ready(self, child=None):
        def condition():
            assert child is None or child.poll() is None, self.log_text()
            return self.ready()
        wait_until("the agent to be ready", condition)

    def state(self):
        return json.loads((self.volume / ".keyturn" / "state.json").read_text())

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def listen_address(self):
        """Where --listen 127.0.0.1:0 ended up."""
        lines = wait_until("the listener", lambda: [line for line in self.log_text().splitlines() if "listening" in line])
        return json.loads(lines[-1])["address"]

    def poke(self, child):
        """SIGHUP: check every secret now."""
        child.send_signal(signal.SIGHUP)


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text("eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6cHJvZDphcHAifQ.sig")
    return path


@pytest.fixture
def agent(tmp_path, volume):
    assert AGENT.exists(), f"{AGENT} is missing: build it first (./run test)"
    return Agent(tmp_path, volume)


@pytest.fixture
def make_plan(volume, token, authority):
    """A function that makes a Plan for files of one target below the volume."""

    def make(endpoint, files, target="secrets", **extra):
        plan = {
            "version": 1,
            "aws": {"region": REGION, "endpoints": {name: endpoint for name in ("secretsmanager", "sts", "ssm")},
                    "caPem": authority.pem},
            "identities": {"default": {"type": "webIdentity", "roleArn": ROLE, "tokenFile": str(token)}},
            "refresh": {"interval": "1s", "maxStaleness": "1m"},
            "targets": [{"path": str(volume / target), "files": files}],
        }
        plan.update(extra)
        return plan

    return make


@pytest.fixture
def secret_name(request):
    """A secret name of this test's own: the endpoint is shared by the tests of a module."""
    return "test/" + request.node.name.replace("[", "-").replace("]", "").replace(" ", "_")


@pytest.fixture
def scripted(authority):
    from scripted_aws import scripted_aws

    with scripted_aws(authority) as aws:
        yield aws
