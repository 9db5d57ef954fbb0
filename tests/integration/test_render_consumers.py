# SPDX-License-Identifier: Apache-2.0
"""What the agent writes, read back by the programs that applications read such files with."""

import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading
import urllib.parse

import pytest
import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KEYTURN_BUILD_DIR", SOURCE / "build" / "dev"))
TOOL = BUILD / "bin" / "render_tool"
PEM = SOURCE / "tests" / "data" / "render" / "pem"

# Each is a whole value; each also stands inside another one below.
HOSTILE = [
    "", "plain", "two words", "line\nfeed", "\n", "\r\n", "trailing\n", "\ttab\t", "it's", "'", "''",
    '"', 'a"b', '"quoted"', "'quoted'", "$HOME", "${x}", "$(id)", "`id`", "#", "# comment", "a #b",
    "\\", "a\\", "\\n", "\\\\", "\\'", '\\"', " leading", "trailing ", "  ", "=", "a=b", ":", "a:b",
    "!", "!history", "%", "%41", "%s%n", "*", "-", "- a", "? a", "[client]", "{}", "[]", "~", "null",
    "yes", "No", "0123", "1e3", "0x1F", "2026-11-23", "&anchor", "*alias", "|", ">", "@", "a: b",
    "<<", "é", "日本語", "😀", "\u0085", "\u2028", "\ufeff", "\x7f", "\x01\x1b", ";", "a&b|c", "~/x",
    "..", "{{x}}", "p@ss:w/o?r#d[]%", "x" * 3000, "--",
]
HOSTILE.append("".join(value for value in HOSTILE if len(value) < 100))
LONG = "x'\"\\$" * 13000  # 64 KiB and more


def render(directory, form, value, template="", path="out", key=None):
    """The answer of the tool; files are in `directory`."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    command = [TOOL, form, path, template, str(directory)] + ([] if key is None else [key])
    return subprocess.run(command, input=data, capture_output=True, check=False)


def rendered(directory, form, value, template="", path="out", key=None):
    answer = render(directory, form, value, template, path, key)
    assert answer.returncode == 0, answer.stderr
    return (directory / path).read_bytes() if (directory / path).is_file() else b""


def numbered(values):
    return {f"k{index}": value for index, value in enumerate(values)}


# --- env -------------------------------------------------------------------------------------------


def read_with_shell(shell, path):
    script = 'set -a; . "$1"; set +a; exec /usr/bin/env -0'
    output = subprocess.run(["/usr/bin/env", "-i", *shell, "-c", script, "sh", str(path)],
                            capture_output=True, check=True).stdout
    pairs = [line.partition(b"=") for line in output.split(b"\0") if line]
    return {name.decode(): value.decode("utf-8", "surrogateescape") for name, _, value in pairs}


@pytest.mark.parametrize("shell", [["/bin/sh"], ["/bin/bash", "--posix"], ["/bin/bash"]])
def test_a_shell_reads_every_value_of_an_env_file(tmp_path, shell):
    values = numbered(HOSTILE + [LONG])
    rendered(tmp_path, "env", values)
    seen = read_with_shell(shell, tmp_path / "out")
    assert {name: seen.get(name) for name in values} == values


@pytest.mark.parametrize("line", ["V={{db}}", "V='{{db}}'", 'V="{{db}}"', "V=a{{db}}b", "V='a'{{db}}",
                                  'V=a"{{db}}"b'])
def test_a_shell_reads_values_of_an_env_template(tmp_path, line):
    frame = re.sub(r"['\"]", "", line)[2:]
    text = ""
    for index in range(len(HOSTILE)):
        text += f"# it's number {index}\n" + line.replace("V=", f"V{index}=").replace(
            "db", f"db.k{index}") + "\n"
    rendered(tmp_path, "env", numbered(HOSTILE), template=text)
    seen = read_with_shell(["/bin/sh"], tmp_path / "out")
    for index, value in enumerate(HOSTILE):
        assert seen[f"V{index}"] == frame.replace("{{db}}", value)


def test_env_names_are_legal(tmp_path):
    rendered(tmp_path, "env", {"a.b-c/d": "1", "9lives": "2", "xü": "3", "x y": "4", "$(id)": "5"})
    seen = read_with_shell(["/bin/sh"], tmp_path / "out")
    assert (seen["a_b_c_d"], seen["_9lives"], seen["x_"], seen["x_y"], seen["__id_"]) == ("1", "2", "3", "4", "5")


# --- properties ------------------------------------------------------------------------------------


def load_properties(data):
    """java.util.Properties.load(InputStream), by its documentation."""
    text = data.decode("latin-1")
    properties = {}
    lines = iter(re.split(r"\r\n|\n|\r", text))
    for line in lines:
        line = line.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2 == 1:
            line = line[:-1] + next(lines, "").lstrip(" \t\f")
        key, value = re.fullmatch(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", line,
                                  re.DOTALL).groups()
        properties[unescape_property(key)] = unescape_property(value)
    return properties


def unescape_property(text):
    def one(match):
        body = match.group(1)
        if body[0] == "u":
            return chr(int(body[1:], 16))
        return {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(body, body)

    plain = re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", one, text, flags=re.DOTALL)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16")


def test_a_properties_reader_gets_every_key_and_value(tmp_path):
    values = numbered(HOSTILE + [LONG, "NUL \0"])
    values.update({value: "as a key" for value in HOSTILE})
    data = rendered(tmp_path, "properties", values)
    assert max(data) < 0x7F
    assert load_properties(data) == values


def test_a_properties_reader_gets_values_of_a_template(tmp_path):
    text = "".join(f"k{index}={{{{db.k{index}}}}}\n" for index in range(len(HOSTILE)))
    data = rendered(tmp_path, "properties", numbered(HOSTILE), template="# x\n" + text)
    assert load_properties(data) == numbered(HOSTILE)


# --- yaml and json ---------------------------------------------------------------------------------


def test_a_yaml_reader_gets_the_same_document(tmp_path):
    document = {
        "values": HOSTILE + [LONG, "NUL \0"], "keys": {value: value for value in HOSTILE},
        "numbers": [0, -1, 1.5, 1e300, 12345678901234567890], "nested": [[[{"a": [{}, []]}]], None, True]}
    assert yaml.safe_load(rendered(tmp_path, "yaml", document)) == document


@pytest.mark.parametrize("line", ["{{db}}", '"{{db}}"', '"a {{db}} b"', "!!str '{{db}}'", "[{{db}}]",
                                  '{"k":"{{db}}"}'])
def test_a_yaml_reader_gets_values_of_a_template(tmp_path, line):
    single = "'{{db}}'" in line
    values = [v for v in HOSTILE if not single or not re.search("[\x00-\x1f\x7f-\x9f\u2028\ufeff]", v)]
    assert len(values) > 50
    text = "".join(f"k{i}: {line} # it's a comment\n".replace("db", f"db.k{i}")
                   for i in range(len(values)))
    seen = yaml.safe_load(rendered(tmp_path, "yaml", numbered(values), template=text))
    expected = {"[{{db}}]": lambda v: [v], '{"k":"{{db}}"}': lambda v: {"k": v},
                '"a {{db}} b"': lambda v: f"a {v} b"}.get(line, lambda v: v)
    assert seen == {f"k{i}": expected(value) for i, value in enumerate(values)}


def test_json_is_the_same_document_in_the_same_order(tmp_path):
    document = {"z": HOSTILE, "a": {"number": 1.10}, "m": None}
    data = rendered(tmp_path, "json", json.dumps(document, indent=4).encode())
    assert json.loads(data) == document
    assert list(json.loads(data)) == list(document)
    assert rendered(tmp_path, "json", b'{"pi": 3.14159265358979323846264338}') == (
        b'{"pi":3.14159265358979323846264338}\n')


def test_a_json_reader_gets_values_of_a_template(tmp_path):
    items = ",".join(f'{{{{db.k{i}}}}},"{{{{db.k{i}}}}}","x{{{{db.k{i}}}}}y"' for i in range(len(HOSTILE)))
    seen = json.loads(rendered(tmp_path, "json", numbered(HOSTILE), template=f"[{items}]"))
    assert seen == [text for value in HOSTILE for text in (value, value, f"x{value}y")]


# --- PostgreSQL ------------------------------------------------------------------------------------


class FakePostgres:
    """Asks for a password in clear and refuses everybody; keeps what it was told."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.logins = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.login(connection.makefile("rwb"))

    def login(self, stream):
        while True:
            size, code = struct.unpack("!II", stream.read(8))
            body = stream.read(size - 8)
            if code == 196608:  # protocol 3.0; anything else asks for encryption
                break
            stream.write(b"N")
            stream.flush()
        fields = body.split(b"\0")
        parameters = dict(zip(fields[0::2], fields[1::2]))
        stream.write(b"R" + struct.pack("!II", 8, 3))  # AuthenticationCleartextPassword
        stream.flush()
        kind = stream.read(1)
        if kind == b"p":
            (size,) = struct.unpack("!I", stream.read(4))
            self.logins.append((parameters[b"user"], parameters[b"database"], stream.read(size - 4)[:-1]))
            error = b"SFATAL\0C28P01\0Mno\0\0"
            stream.write(b"E" + struct.pack("!I", len(error) + 4) + error)
            stream.flush()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(timeout=5)


@pytest.fixture
def postgres():
    server = FakePostgres()
    yield server
    server.close()


# Debian's /usr/bin/psql is a Perl script around the program, and four times slower.
PSQL = next(iter(sorted(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql")))), "psql")


def psql(arguments, **environment):
    base = {"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "5", "HOME": "/nonexistent",
            "PGPASSFILE": "/nonexistent"}
    subprocess.run([PSQL, "-X", "-w", "-c", "", *arguments], env={**base, **environment},
                   capture_output=True, check=False, timeout=30)


def names():
    """Values that may name a user or a database."""
    return ["plain", "a:b", "back\\slash", "#x", "*", " lead", "trail ", "it's", 'q"q', "é😀", "a%41", "a=b",
            "$x", "a/b?c#d@e"]


def test_psql_takes_the_password_from_a_pgpass_file(tmp_path, postgres):
    # Every value with a character that the file's syntax knows, and some of the others.
    possible = [v for v in HOSTILE if v and "\n" not in v and "\r" not in v]
    special = [v for v in possible if set(v) & set(":\\*# ")]
    secrets = special + [v for v in possible if v not in special][::3] + ["x" * 64000]
    expected = []
    for index, password in enumerate(secrets):
        name = names()[index % len(names())]
        secret = {"host": name, "port": postgres.port, "username": name, "password": password, "dbname": name}
        rendered(tmp_path, "pgpass", secret)
        (tmp_path / "out").chmod(0o600)
        psql([], PGPASSFILE=str(tmp_path / "out"), PGHOST=name, PGHOSTADDR="127.0.0.1",
             PGPORT=str(postgres.port), PGUSER=name, PGDATABASE=name)
        expected.append((name.encode(), name.encode(), password.encode()))
    assert postgres.logins == expected


def test_psql_matches_no_other_server_by_a_pgpass_wildcard_from_a_secret(tmp_path, postgres):
    rendered(tmp_path, "pgpass", {"host": "*", "username": "*", "password": "p", "dbname": "*"})
    (tmp_path / "out").chmod(0o600)
    psql([], PGPASSFILE=str(tmp_path / "out"), PGHOST="127.0.0.1", PGPORT=str(postgres.port), PGUSER="u",
         PGDATABASE="d")
    assert postgres.logins == []


def test_psql_takes_everything_from_a_dsn(tmp_path, postgres):
    expected = []
    # Percent-encoding treats each byte alike: every second value and the one that joins them all suffice.
    for index, password in enumerate([v for v in HOSTILE if v][::2] + [HOSTILE[-1], "x" * 64000]):
        name = names()[index % len(names())]
        secret = {"engine": "postgres", "host": "127.0.0.1", "port": postgres.port, "username": name,
                  "password": password, "dbname": name}
        psql(["-d", rendered(tmp_path, "dsn", secret).decode()])
        expected.append((name.encode(), name.encode(), password.encode()))
    assert postgres.logins == expected


def test_psql_reads_a_dsn_template(tmp_path, postgres):
    template = "postgresql://{{db.user}}:{{db.pw}}@127.0.0.1:%d/{{db.name}}?sslmode=disable" % postgres.port
    secret = {"user": "u@/:", "pw": "p@ss:w/o?r#d[]% '\\", "name": "d?b"}
    psql(["-d", rendered(tmp_path, "dsn", secret, template=template).decode()])
    assert postgres.logins == [tuple(secret[key].encode() for key in ("user", "name", "pw"))]


def test_a_url_parser_reads_a_mysql_dsn(tmp_path):
    for password in HOSTILE[::2] + HOSTILE[-1:]:
        secret = {"engine": "aurora-mysql", "host": "2001:db8::1", "port": "3306", "username": password,
                  "password": password, "dbname": "d/b"}
        url = urllib.parse.urlsplit(rendered(tmp_path, "dsn", secret).decode())
        assert (url.scheme, url.hostname, url.port) == ("mysql", "2001:db8::1", 3306)
        assert urllib.parse.unquote(url.username) == password
        assert urllib.parse.unquote(url.password) == password
        assert urllib.parse.unquote(url.path) == "/d/b"


# --- MySQL -----------------------------------------------------------------------------------------


def print_defaults(path, group):
    return subprocess.run(["my_print_defaults", f"--defaults-file={path}", group], capture_output=True,
                          check=True).stdout.decode()


def test_mysql_reads_an_option_file(tmp_path):
    values = HOSTILE + ["x" * 4080]
    for index in range(0, len(values), 3):
        user, password, database = (values + HOSTILE)[index:index + 3]
        rendered(tmp_path, "mycnf", {"username": user, "password": password, "host": "db", "port": 3306,
                                     "dbname": database})
        path = tmp_path / "out"
        assert print_defaults(path, "client") == (
            f"--user={user}\n--password={password}\n--host=db\n--port=3306\n")
        assert print_defaults(path, "mysql") == f"--database={database}\n"


def test_mysql_programs_without_a_database_option_accept_the_file(tmp_path):
    rendered(tmp_path, "mycnf", {"username": "u", "password": "p", "host": "127.0.0.1", "port": 1,
                                 "dbname": "d"})
    answer = subprocess.run(["mysqladmin", f"--defaults-file={tmp_path}/out", "ping"], capture_output=True,
                            check=False, timeout=30)
    assert b"unknown" not in answer.stderr and b"connect to server" in answer.stderr


@pytest.mark.parametrize("line", ["{{db}}", '"{{db}}"', " '{{db}}'"])
def test_mysql_reads_an_option_file_template(tmp_path, line):
    text = "[client]\n" + "".join(f"o{i}={line}\n".replace("db", f"db.k{i}") for i in range(len(HOSTILE)))
    rendered(tmp_path, "mycnf", numbered(HOSTILE), template=text)
    expected = "".join(f"--o{index}={value}\n" for index, value in enumerate(HOSTILE))
    assert print_defaults(tmp_path / "out", "client") == expected


def test_a_value_that_mysql_would_cut_is_refused(tmp_path):
    answer = render(tmp_path, "mycnf", {"username": "u", "password": "x" * 4090})
    assert answer.returncode == 1 and b"key password: too long" in answer.stderr
    assert b"xxx" not in answer.stderr


# --- PEM, files, raw -------------------------------------------------------------------------------


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.mark.parametrize("damage", [lambda text: text, lambda text: text.replace("\n", " "),
                                    lambda text: text.replace("\n", "\r\n")])
def test_openssl_reads_the_parts_of_a_bundle(tmp_path, damage):
    parts = [(PEM / name).read_text() for name in ("leaf.key", "intermediate.crt", "leaf.crt", "root.crt")]
    rendered(tmp_path, "pem", damage("".join(parts)).encode(), path="tls")
    certificate, key, chain = (tmp_path / "tls" / name for name in ("tls.crt", "tls.key", "ca.crt"))
    assert b"db.example.test" in openssl("x509", "-in", certificate, "-noout", "-subject")
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("pkey", "-in", key, "-pubout")
    assert b"OK" in openssl("verify", "-CAfile", chain, certificate)


def test_openssl_reads_a_certificate_export(tmp_path):
    export = {"Certificate": (PEM / "leaf.crt").read_text(), "PrivateKey": (PEM / "leaf.key").read_text(),
              "CertificateChain": (PEM / "intermediate.crt").read_text() + (PEM / "root.crt").read_text()}
    rendered(tmp_path, "pem", export, path="tls")
    assert b"OK" in openssl("verify", "-CAfile", PEM / "root.crt", "-untrusted", tmp_path / "tls" / "ca.crt",
                            tmp_path / "tls" / "tls.crt")
    openssl("pkey", "-in", tmp_path / "tls" / "tls.key", "-noout")


def test_files_and_raw_keep_every_byte(tmp_path):
    values = numbered(HOSTILE + [LONG, "NUL \0"])
    rendered(tmp_path, "files", values, path="directory")
    for name, value in values.items():
        assert (tmp_path / "directory" / name).read_bytes() == value.encode()
    blob = bytes(range(256)) * 300
    assert rendered(tmp_path, "raw", blob) == blob
    assert rendered(tmp_path, "raw", blob, template="{{db}}") == blob
    for name, value in list(values.items())[::8] + [(name, LONG) for name in values if values[name] == LONG]:
        assert rendered(tmp_path, "raw", values, key=f"/{name}") == value.encode()


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "env", "properties", "yaml", "files", "dsn", "pgpass", "mycnf", "pem"])
def test_binary_values_are_refused_without_being_quoted(tmp_path, form):
    answer = render(tmp_path, form, b'{"password": "hunter2\xff\xfe"}')
    assert answer.returncode == 1 and b"INVALID_ARGUMENT: file out: secret prod/db" in answer.stderr
    assert b"hunter" not in answer.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form, value", [("env", "hunter2\0"), ("pgpass", "hunter2\n"), ("pgpass", "\rhunter2"),
                                         ("pgpass", "hunter2\0"), ("dsn", "hunter2\0"), ("mycnf", "hunter2\0")])
def test_what_a_format_cannot_carry_is_refused(tmp_path, form, value):
    secret = {"engine": "postgres", "host": "h", "username": "u", "password": value}
    answer = render(tmp_path, form, secret)
    assert answer.returncode == 1 and b"key password" in answer.stderr
    assert b"hunter" not in answer.stderr
