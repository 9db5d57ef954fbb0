#!/usr/bin/env python3
"""What the agent costs: ./run bench

Binary size; RSS, anonymous memory and threads with 1, 20 and 100 secrets of 1 KiB; time from exec to the first file
and CPU per poll against a TLS endpoint on loopback; time from a rotation to the file, by push. The endpoint
(bench/endpoint.cc) runs on another core than the agent where there are two.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = ROOT / "build" / "bin" / "keyturn-agent"
ENDPOINT = ROOT / "build" / "release" / "bin" / "bench_endpoint"
sys.path.insert(0, str(ROOT / "tools"))
from demo import make_certificates  # noqa: E402  (the path is set just above)


def on_core(core: int):
    """Pins a child to one core, if the machine has that many."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextlib.contextmanager
def endpoint(folder: pathlib.Path, mode: str):
    command = [str(ENDPOINT), f"{folder}/tls.pem", f"{folder}/tls.key", mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=on_core(1)) as child:
        try:
            yield "https://" + child.stdout.readline().strip()
        finally:
            child.stdin.close()
            child.wait(10)


class Bench:
    def __init__(self, folder: pathlib.Path, volume: pathlib.Path):
        self.folder, self.volume = folder, volume
        make_certificates(folder)
        (folder / "token").write_text("bench-token")
        self.tls = ssl.create_default_context(cafile=f"{folder}/ca.pem")

    def get(self, url: str) -> str:
        return urllib.request.urlopen(url, context=self.tls, timeout=10).read().decode()

    def plan(self, url: str, count: int) -> list[str]:
        plan = {"version": 1, "aws": {"region": "eu-central-1", "caPem": (self.folder / "ca.pem").read_text(),
                                      "endpoints": {"secretsmanager": url, "sts": url}},
                "identities": {"default": {"type": "webIdentity", "roleArn": "arn:aws:iam::123456789012:role/app",
                                           "tokenFile": f"{self.folder}/token"}},
                "targets": [{"path": f"{self.volume}/secrets",
                             "files": [{"path": f"s{i}", "from": {"secret": f"s{i}"}} for i in range(count)]}]}
        path = self.folder / "plan.json"
        path.write_text(json.dumps(plan))
        return ["--plan", str(path)]

    @contextlib.contextmanager
    def agent(self, plan: list[str]):
        for name in ("secrets", ".keyturn"):  # a state file left behind would say "ready" too early
            shutil.rmtree(self.volume / name, ignore_errors=True)
        with open(self.folder / "agent.log", "wb") as log, subprocess.Popen(
                [str(AGENT), "run", "--log-level", "warning", *plan], env={"PATH": "/usr/bin:/bin"}, stderr=log,
                preexec_fn=on_core(0)) as child:
            try:
                yield child
            finally:
                child.terminate()

    def until(self, condition, what: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"bench: gave up waiting for {what}\n{(self.folder / 'agent.log').read_text()}")

    def ready(self, plan: list[str]) -> bool:
        return subprocess.run([str(AGENT), "ready", *plan], capture_output=True, check=False).returncode == 0

    def checked_at(self) -> int:
        """Changes with every pass: the state file is replaced, and two passes may share a millisecond."""
        return os.stat(self.volume / ".keyturn" / "state.json").st_ino

    def poll(self, child, times: int) -> None:
        """Forces checks, one at a time."""
        for _ in range(times):
            before = self.checked_at()
            child.send_signal(signal.SIGHUP)
            self.until(lambda: self.checked_at() != before, "a poll")


def memory_of(pid: int) -> tuple[int, int]:
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return fields["Rss"], fields["Anonymous"]


def cpu_seconds(pid: int) -> float:
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure_memory(bench: Bench, url: str, polls: int) -> None:
    print("\nsecrets of 1 KiB   RSS KiB   anonymous KiB   threads   CPU per poll ms   calls per poll")
    for count in (1, 20, 100):
        plan = bench.plan(url, count)
        with bench.agent(plan) as child:
            bench.until(lambda plan=plan: bench.ready(plan), "ready")
            bench.poll(child, 3)
            calls, cpu = int(bench.get(url + "/calls")), cpu_seconds(child.pid)
            bench.poll(child, polls)
            cpu = (cpu_seconds(child.pid) - cpu) / polls
            calls = (int(bench.get(url + "/calls")) - calls) / polls
            rss, anonymous = memory_of(child.pid)
            threads = len(os.listdir(f"/proc/{child.pid}/task"))
        print(f"{count:16d}   {rss:7d}   {anonymous:13d}   {threads:7d}   {1000 * cpu:15.2f}   {calls:14.1f}")


def measure_start(bench: Bench, url: str, runs: int) -> None:
    plan = bench.plan(url, 1)
    times = []
    for _ in range(runs):
        path = str(bench.volume / "secrets" / "s0")
        shutil.rmtree(bench.volume / "secrets", ignore_errors=True)
        begin = time.perf_counter()
        with bench.agent(plan):
            bench.until(lambda path=path: os.path.exists(path), "the first file")
            times.append(1000 * (time.perf_counter() - begin))
    # What starting any program costs this harness, to be subtracted by the reader.
    floor = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(["/bin/true"], check=True, preexec_fn=on_core(0))
        floor.append(1000 * (time.perf_counter() - begin))
    print(f"\nexec to first file (2 TLS exchanges), {runs} runs: median {statistics.median(times):.1f} ms, "
          f"min {min(times):.1f}, max {max(times):.1f}; starting /bin/true the same way: {statistics.median(floor):.1f} ms")


def measure_rotation(bench: Bench, folder: pathlib.Path, runs: int) -> None:
    with endpoint(folder, "await") as url:
        plan = bench.plan(url, 20)
        path = bench.volume / "secrets" / "s19"
        times = []
        with bench.agent(plan):
            bench.until(lambda: bench.ready(plan), "ready")
            for _ in range(runs):
                # The agent must wait for news, or the figure would contain the rest of its previous pass.
                bench.until(lambda: int(bench.get(url + "/parked")) > 0, "a parked await")
                version = bench.get(url + "/rotate")
                begin = time.perf_counter()
                bench.until(lambda version=version: path.read_text().startswith(version + ":"), "the new value")
                times.append(1000 * (time.perf_counter() - begin))
    print(f"rotation to file by push, 20 secrets, {runs} rotations: p50 {statistics.median(times):.1f} ms, "
          f"max {max(times):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--polls", type=int, default=100)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyturn-bench-"))
    volume = pathlib.Path(tempfile.mkdtemp(prefix="keyturn-bench-", dir="/dev/shm"))
    try:
        bench = Bench(folder, volume)
        print(f"binary: {AGENT.stat().st_size / 1e6:.2f} MB, static-pie, stripped")
        with endpoint(folder, "poll") as url:
            measure_memory(bench, url, options.polls)
            measure_start(bench, url, options.runs)
        measure_rotation(bench, folder, options.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(volume, ignore_errors=True)


if __name__ == "__main__":
    main()
