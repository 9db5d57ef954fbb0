"""SIGKILL of the real agent at random moments of continuous rotations: what a reader finds is always one generation."""
import os
import random
import signal
import threading
import time

from conftest import wait_until

KILLS = 15
FILES = 12
PADDING = "\n" + "x" * 50_000  # makes a publication long enough to be hit in its middle
HOUR = {"interval": "1h", "maxStaleness": "2h"}


def put_next(scripted):
    scripted.newest = getattr(scripted, "newest", 0) + 1
    scripted.put("db", str(scripted.newest) + PADDING)


class Rotation:
    """Puts new values and makes the agent look at them, until it is ended."""

    def __init__(self, scripted, child):
        self.scripted, self.child, self.stop = scripted, child, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        while not self.stop.wait(0.02):
            put_next(self.scripted)
            if self.child.poll() is None:
                self.child.send_signal(signal.SIGHUP)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def number_of(content):
    number, padding = content[:-len(PADDING)], content[-len(PADDING):]
    assert padding == PADDING, f"cut content of {len(content)} bytes"
    return int(number)


def values_shown(target):
    """What the visible files say, read as an application that opens one after the other in one generation."""
    generation = os.open(target / "..data", os.O_RDONLY | os.O_DIRECTORY)
    try:
        shown = []
        for index in range(FILES):
            handle = os.open(f"v{index}", os.O_RDONLY, dir_fd=generation)
            shown.append(number_of(os.read(handle, 100_000).decode()))
            os.close(handle)
        return shown
    finally:
        os.close(generation)


def check_volume(target, newest):
    shown = values_shown(target)
    assert len(set(shown)) == 1, f"values of several generations: {shown}"
    assert 0 < shown[0] <= newest
    for index in range(FILES):
        assert number_of((target / f"v{index}").read_text()) == shown[0]
    return shown[0]


def generations(target):
    return [path for path in target.iterdir() if path.name.startswith("..2")]


def unfinished(target):
    """Generations that are being written: not the visible one, and newer than it."""
    visible = os.readlink(target / "..data")
    return [path for path in generations(target) if path.name > visible]


def values_shown_or_none(target):
    try:
        return values_shown(target)
    except FileNotFoundError:
        return None  # replaced while it was read


def await_a_publication(target):
    """Returns in the middle of one, by watching without a pause."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if unfinished(target):
            return
    raise AssertionError("no publication was seen")


def test_a_kill_at_any_moment_leaves_one_whole_generation(scripted, agent, make_plan, volume):
    seed = int(os.environ.get("KEYTURN_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print("KEYTURN_TEST_SEED", seed)
    moments = random.Random(seed)
    put_next(scripted)
    agent.write_plan(make_plan(scripted.endpoint, [{"path": f"v{index}", "from": {"secret": "db"}}
                                                   for index in range(FILES)], refresh=HOUR))
    target = volume / "secrets"
    shown, interrupted = [], 0
    for count in range(KILLS):
        with agent.run() as child:
            agent.wait_ready(child)
            begin = values_shown(target)
            with Rotation(scripted, child):
                wait_until("a rotation", lambda: values_shown_or_none(target) not in (None, begin))
                if count % 3 == 0:
                    threading.Event().wait(moments.uniform(0, 0.05))
                else:
                    await_a_publication(target)
                child.send_signal(signal.SIGKILL)
                child.wait()
            shown.append(check_volume(target, scripted.newest))
            interrupted += len(unfinished(target)) > 0
    print("kills in the middle of a publication:", interrupted)
    assert interrupted > 0, "no kill met a publication: nothing was proven"
    assert len(set(shown)) == KILLS, "a kill without a rotation before it proves nothing"
    with agent.run() as child:
        wait_until("the newest value", lambda: values_shown_or_none(target) == [scripted.newest] * FILES)
        wait_until("no debris", lambda: len(generations(target)) == 1)
        assert agent.ready()
    assert {path.name for path in target.iterdir()} == {
        *(f"v{index}" for index in range(FILES)), "..data", generations(target)[0].name}
