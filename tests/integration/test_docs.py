"""The documents against the program: names, flags, variables, messages, links and the manifests that people copy."""
import errno
import json
import os
import pathlib
import re
import subprocess
import urllib.request

import pytest
import yaml
from conftest import AGENT, ROOT, wait_until

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SKIPPED_FOLDERS = {"build", ".venv", ".git", "node_modules"}
METRIC = re.compile(r"\bkeyturn_[a-z0-9_]+\b")


def tree(suffix):
    """Files of the project, without what builds and tools put there."""
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in SKIPPED_FOLDERS]
        for name in files:
            if name.endswith(suffix):
                yield pathlib.Path(folder) / name


def sources():
    return [path for path in tree(".cc") if path.relative_to(ROOT).parts[0] in ("lib", "agent")]


def joined(text):
    """C++ source with adjacent literals made one, as the compiler reads them."""
    return re.sub(r'"\s*\n\s*"', "", text)


def code():
    return "\n".join(joined(path.read_text()) for path in sources())


def metrics_of_the_code():
    """name -> type, of every metric that is registered."""
    return {name: kind.lower() for kind, name in
            re.findall(r'Get(Counter|Gauge|Histogram)\(\s*"(keyturn_[a-z0-9_]+)"', code())}


def section(title):
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", OPERATIONS, re.M | re.S)
    assert found, f"docs/operations.md has no section {title}"
    return found.group(1)


def rows(text):
    """Cells of every table row but the heading."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def documented_metrics():
    """name -> (type, set of labels), of the table."""
    return {cells[0].strip("`"): (cells[1], set(re.findall(r"`(\w+)`", cells[2])))
            for cells in rows(section("Metrics")) if cells[0].startswith("`")}


def test_every_metric_is_documented_with_its_type_and_none_is_invented():
    assert {name: kind for name, (kind, _) in documented_metrics().items()} == metrics_of_the_code()


def test_no_document_names_a_metric_that_does_not_exist():
    known = set(metrics_of_the_code())
    for path in tree(".md"):
        for name in METRIC.findall(path.read_text()):
            plain = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in known or plain in known, f"{path.relative_to(ROOT)} names {name}"


def test_the_running_agent_exposes_the_documented_labels(scripted, agent, make_plan, volume):
    scripted.put("app", "one")
    agent.write_plan(make_plan(scripted.endpoint, [{"path": "s", "from": {"secret": "app"}},
                                                   {"path": "gone", "from": {"secret": "gone"}, "optional": True}],
                               notify=[{"sentinel": ".changed"}]))
    with agent.run("--listen", "127.0.0.1:0") as child:
        agent.wait_ready(child)
        scripted.put("app", "two")
        agent.poke(child)

        def scrape():
            with urllib.request.urlopen(f"http://{agent.listen_address()}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            return text if 'keyturn_notify_total{kind="sentinel",result="success"} 1' in text else None

        text = wait_until("the notification to be counted", scrape)
    documented = documented_metrics()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for name, labels in re.findall(r"^(keyturn_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$", text, re.M):
        kind, expected = documented[name]
        assert types[name] == kind
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} == expected, name
    assert len(types) >= 9


def test_every_flag_and_variable_of_the_program_is_documented_and_none_is_invented():
    main = (ROOT / "agent" / "main.cc").read_text()
    flags = set(re.findall(r'"(--[a-z-]+)', main)) | {"--help"}
    table = " ".join(cells[0] for cells in rows(section("Flags")))
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]+", table)) == flags
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]+", OPERATIONS)) <= flags
    variables = set(re.findall(r'envname\("(\w+)"\)', main))
    assert {cells[0].strip("`") for cells in rows(section("Environment")) if "`KEYTURN_" in cells[0]} == variables
    read = set(re.findall(r'"(AWS_[A-Z_]+)"', code())) - {"AWS_SECURITY_TOKEN"}  # only withheld from hooks
    assert set(re.findall(r"`(AWS_\w+)`", section("Environment"))) == {name for name in read if not name.endswith("_")}


def test_every_command_and_its_flags_are_in_the_table():
    for name in re.findall(r"^\| `(\w+)` \|", section("Commands"), re.M):
        done = subprocess.run([str(AGENT), name, "--help"], check=False, capture_output=True, text=True)
        assert done.returncode == 0
        for flag in set(re.findall(r"(?<!-)--[a-z][a-z-]+", done.stdout)) - {"--help"}:
            cells = next(row for row in rows(section("Flags")) if re.search(rf"{flag}[ `]", row[0]))
            assert cells[1] == "all" or name in re.split(r",\s*", cells[1]), f"{name} {flag}"


def test_the_documented_log_lines_exist():
    text = code()
    for cells in rows(section("Log")):
        for message in re.findall(r"`(.+?)`", cells[1]):
            assert message == "msg" or f'"{message}"' in text, message


def test_the_messages_of_the_table_exist():
    text = code()
    system = {os.strerror(number) for number in (errno.ENOSPC, errno.ECONNREFUSED, errno.ENOENT)}
    for cells in rows(section("At 3 a.m.")):
        for message in re.findall(r"`(.+?)`", cells[0]):
            assert message in text or message in system, message


def slug(heading):
    text = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return text.replace(" ", "-")


def anchors(path):
    return {slug(line.lstrip("#")) for line in path.read_text().splitlines() if line.startswith("#")}


def prose(path):
    """Without fenced code, where brackets and parentheses mean other things."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)


def test_relative_links_resolve():
    for path in tree(".md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), f"{path.relative_to(ROOT)} links to {link}"
            if anchor:
                assert anchor in anchors(target), f"{path.relative_to(ROOT)} links to {link}"


def test_named_paths_exist():
    named = re.compile(r"`((?:lib|agent|tests|tools|docs|manifests|bench|cmake)/[\w./*-]+)`")
    for path in tree(".md"):
        for name in named.findall(prose(path)):
            # `lib/aws/retry` stands for header and source.
            found = any(ROOT.glob(name.rstrip("/"))) or any(ROOT.glob(name + ".*"))
            assert found, f"{path.relative_to(ROOT)} names {name}"


KUBERNETES = ROOT / "manifests" / "kubernetes" / "pod.yaml"


def pod():
    documents = {document["kind"]: document for document in yaml.safe_load_all(KUBERNETES.read_text())}
    assert set(documents) == {"ServiceAccount", "Pod"}
    assert documents["Pod"]["spec"]["serviceAccountName"] == documents["ServiceAccount"]["metadata"]["name"]
    return documents["Pod"]["spec"]


def sidecar():
    return pod()["initContainers"][0]


def plan_text():
    return next(entry["value"] for entry in sidecar()["env"] if entry["name"] == "KEYTURN_PLAN")


def test_the_pods_plan_is_one_that_the_agent_takes(agent):
    # Endpoints on loopback where nothing listens: the Plan is read, the work fails.
    environment = {**agent.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "KEYTURN_PLAN": plan_text()}
    done = subprocess.run([str(AGENT), "render", "--deadline", "1s"], env=environment, check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "role/app" in done.stderr
    assert "$(" not in plan_text()


def test_the_pods_plan_delivers_with_the_projected_token(scripted, agent, volume, authority, token):
    scripted.put("prod/db", json.dumps({"username": "u", "password": "pod-password"}))
    plan = json.loads(plan_text())
    plan["targets"][0]["path"] = str(volume / "secrets")
    plan["identities"]["default"]["tokenFile"] = str(token)
    environment = {**agent.environment, "AWS_ENDPOINT_URL": scripted.endpoint, "AWS_CA_BUNDLE": str(authority.path),
                   "KEYTURN_PLAN": json.dumps(plan)}
    done = subprocess.run([str(AGENT), "once"], env=environment, check=False, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert (volume / "secrets" / "db" / "password").read_text() == "pod-password"


def test_the_pods_parts_fit_together():
    plan, agent_container, spec = json.loads(plan_text()), sidecar(), pod()
    assert agent_container["restartPolicy"] == "Always"
    assert agent_container["startupProbe"]["exec"]["command"] == ["/keyturn-agent", "ready"]
    mounts = {mount["name"]: mount["mountPath"] for mount in agent_container["volumeMounts"]}
    volumes = {entry["name"]: entry for entry in spec["volumes"]}
    assert set(mounts) == set(volumes)
    token = volumes["keyturn-token"]["projected"]["sources"][0]["serviceAccountToken"]
    assert f"{mounts['keyturn-token']}/{token['path']}" == plan["identities"]["default"]["tokenFile"]
    assert volumes["keyturn"]["emptyDir"]["medium"] == "Memory"
    for container in spec["containers"]:
        for mount in container["volumeMounts"]:
            assert mount["readOnly"]
            assert f"{mounts['keyturn']}/{mount['subPath']}" in [target["path"] for target in plan["targets"]]


@pytest.mark.parametrize("path", ["README.md", "docs/plan.md"])
def test_the_examples_of_plans_in_documents_are_valid(agent, path):
    found = [block for block in re.findall(r"^```json\n(.*?)^```", (ROOT / path).read_text(), re.M | re.S)
             if '"version"' in block]
    assert found
    for block in found:
        environment = {**agent.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "KEYTURN_PLAN": block}
        done = subprocess.run([str(AGENT), "render", "--deadline", "1s"], env=environment, check=False,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stderr
