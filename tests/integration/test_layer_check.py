"""The layer check itself: every kind of forbidden include is refused, and an empty tree is no success."""
import pathlib
import subprocess
import sys

import pytest

CHECK = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"


def check(folder, files):
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for path, text in {"tools/json_codec_files.txt": "", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return subprocess.run([sys.executable, CHECK, str(folder)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path, text", [
    ("lib/base/a.cc", '#include "lib/fs/file_system.h"\n'),       # upwards
    ("lib/fs/a.cc", '#include "lib/crypto/digest.h"\n'),          # a sibling
    ("lib/inject/a.cc", '#include "lib/delivery/fetch.h"\n'),     # a sibling
    ("agent/a.cc", '#include "webhook/server.h"\n'),              # a product
    ("agent/a.cc", '#include "elsewhere/x.h"\n'),                 # no module
    ("lib/aws/a.cc", "#include <boost/asio.hpp>\n"),
    ("lib/net/public.h", "#include <boost/asio.hpp>\n"),
    ("lib/delivery/a.cc", "#include <openssl/ssl.h>\n"),
    ("lib/aws/a.cc", "#include <nlohmann/json.hpp>\n"),
    ("lib/aws/a.cc", '#include "lib/json/json.h"\n'),             # not in the codec list
    ("agent/options.cc", "#include <CLI/CLI.hpp>\n"),             # not main.cc
    ("lib/base/a.cc", "#include <spdlog/spdlog.h>\n"),            # not log.cc
    ("lib/net/a.cc", "#include <cpprest/http_client.h>\n"),
    ("lib/fs/a.cc", "#include <zlib.h>\n"),                       # a library that no rule names
    ("lib/fs/a.cc", "#include <yaml.h>\n"),
    ("lib/fs/a.cc", "#include HEADER\n"),                         # not checkable
    ("lib/fs/a.cpp", "int x;\n"),                                 # a suffix that no rule knows
    ("somewhere/a.cc", "int x;\n"),                               # a folder that no rule knows
])
def test_a_forbidden_include_is_refused(tmp_path, path, text):
    done = check(tmp_path, {path: text})
    assert done.returncode == 1 and path in done.stdout, done.stdout


def test_allowed_includes_pass(tmp_path):
    done = check(tmp_path, {
        "lib/base/status.h": "#include <string>\n", "lib/fs/a.cc": '#include "lib/base/status.h"\n#include <unistd.h>\n',
        "lib/net/tls.cc": "#include <openssl/ssl.h>\n#include <boost/asio.hpp>\n", "agent/main.cc": "#include <CLI/CLI.hpp>\n"})
    assert done.returncode == 0, done.stdout


def test_an_empty_tree_is_no_success(tmp_path):
    assert check(tmp_path, {}).returncode == 1
