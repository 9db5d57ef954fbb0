#!/usr/bin/env python3
"""Checks that every #include obeys the module rules. Fails closed: what no rule names is refused.

The rules are in ARCHITECTURE.md ("Modules"). Run from anywhere: tools/check_layers.py [ROOT]
"""
import pathlib
import re
import subprocess
import sys

# module -> modules whose headers it may include. Order matters to nobody; absence means refusal.
BASE = {"lib/base"}
LEVEL1 = BASE | {"lib/fs", "lib/crypto", "lib/json", "lib/metrics"}
LEVEL2 = LEVEL1 | {"lib/net", "lib/config"}
LEVEL3 = LEVEL2 | {"lib/aws", "lib/kube"}
MODULES = {
    "lib/base": set(),
    "lib/fs": BASE, "lib/crypto": BASE, "lib/json": BASE, "lib/metrics": BASE,
    "lib/net": LEVEL1, "lib/config": LEVEL1,
    "lib/net_cpprest": BASE | {"lib/net"},
    "lib/aws": LEVEL2, "lib/kube": LEVEL2,
    "lib/plan": LEVEL3,
    "lib/inject": LEVEL3 | {"lib/plan"}, "lib/delivery": LEVEL3 | {"lib/plan"},
    "agent": LEVEL3 | {"lib/plan", "lib/delivery"},
    "webhook": LEVEL3 | {"lib/plan", "lib/inject"},
    "csi": LEVEL3 | {"lib/plan", "lib/delivery"},
    "store": LEVEL3 | {"lib/net_cpprest"},
    "cli": LEVEL3 | {"lib/plan", "lib/inject", "lib/delivery", "lib/net_cpprest"},
    "bench": LEVEL3 | {"lib/plan", "lib/delivery"},
}

# Third-party include prefix -> where it may appear (regular expressions on the path).
THIRD_PARTY = {
    r"boost/": [r"lib/net/[^/]+\.cc$", r"lib/net/(beast|server|internal)_[^/]+\.h$", r"lib/net_cpprest/[^/]+\.cc$"],
    r"cpprest/|pplx/": [r"lib/net_cpprest/[^/]+\.cc$", r"lib/net_cpprest/collecting_stream\.h$"],
    r"openssl/": [r"lib/crypto/", r"lib/net/", r"lib/net_cpprest/[^/]+\.cc$"],
    r"nlohmann/json_fwd\.hpp": [r"lib/json/json_fwd\.h$"],
    r"nlohmann/": [r"lib/json/json\.h$"],
    r"yaml-cpp/": [r"lib/json/yaml\.cc$"],
    r"spdlog/|fmt/": [r"lib/base/log\.cc$"],
    r"(kainjow/)?mustache\.hpp": [r"lib/delivery/render[^/]*\.cc$"],
    r"expat\.h": [r"lib/aws/query_xml\.cc$"],
    r"CLI/": [r"(agent|webhook|csi|store|cli)/main\.cc$"],
    r"sqlite3\.h": [r"store/storage/"],
    r"libpq-fe\.h|mysql|mariadb": [r"store/(storage|rotation)/"],
    r"grpc|google/protobuf": [r"csi/"],
    r"benchmark/": [r"bench/"],
}

# Files that may include lib/json/json.h (each costs 4 s to compile). At most 40.
CODEC_LIST = "tools/json_codec_files.txt"
# The C++ library and the POSIX and Linux headers that we use: a list, because <zlib.h> looks like <zconf.h>.
STANDARD = set("""
algorithm any array atomic bit bitset cctype cerrno cfenv charconv chrono cinttypes climits clocale cmath compare complex
concepts condition_variable csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime deque exception filesystem
forward_list fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list
locale map memory memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex set
shared_mutex span sstream stack stdexcept stop_token streambuf string string_view system_error thread tuple type_traits
typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
""".split())
SYSTEM = set("""
dirent.h dlfcn.h endian.h errno.h fcntl.h grp.h limits.h malloc.h netdb.h poll.h pthread.h pwd.h sched.h signal.h spawn.h
stdarg.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h time.h unistd.h
arpa/inet.h linux/fs.h linux/magic.h net/if.h netinet/in.h netinet/ip.h netinet/tcp.h sys/epoll.h sys/eventfd.h sys/file.h
sys/inotify.h sys/mman.h sys/mount.h sys/param.h sys/prctl.h sys/random.h sys/resource.h sys/select.h sys/signalfd.h
sys/socket.h sys/stat.h sys/statfs.h sys/statvfs.h sys/syscall.h sys/time.h sys/timerfd.h sys/types.h sys/uio.h sys/un.h
sys/utsname.h sys/vfs.h sys/wait.h sys/xattr.h
""".split())
SOURCES = (".cc", ".h")
OTHER_SOURCES = (".c", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".inc", ".ipp")
INCLUDE_LINE = re.compile(r"^\s*#\s*include\b.*$", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def module_of(path: str) -> str | None:
    for name in sorted(MODULES, key=len, reverse=True):
        if path.startswith(name + "/"):
            return name
    return None


def third_party_error(path: str, header: str) -> str | None:
    for prefix, places in THIRD_PARTY.items():
        if re.match(prefix, header):
            if any(re.search(place, path) for place in places):
                return None
            return f"<{header}> belongs only in {' or '.join(places)}"
    if header in STANDARD or header in SYSTEM:
        return None
    return f"<{header}> is in no rule of tools/check_layers.py"


def project_error(path: str, header: str, codecs: set[str]) -> str | None:
    mine, theirs = module_of(path), module_of(header)
    if theirs is None:
        return f'"{header}" is in no module'
    if header == "lib/json/json.h" and path not in codecs and not path.startswith("lib/json/"):
        return f'"{header}": {path} is not listed in {CODEC_LIST}'
    if mine == theirs or theirs in MODULES[mine]:
        return None
    return f'"{header}": {mine} may not include {theirs}'


def check_file(root: pathlib.Path, path: str, codecs: set[str]) -> list[str]:
    if module_of(path) is None:
        return [f"{path}: is in no module of tools/check_layers.py"]
    if not path.endswith(SOURCES):
        return [f"{path}: sources are named *.cc and *.h"]
    errors = []
    text = (root / path).read_text(encoding="utf-8")
    if len(INCLUDE.findall(text)) != len(INCLUDE_LINE.findall(text)):
        errors.append(f"{path}: an #include that is neither <header> nor \"header\" cannot be checked")
    for quote, header in INCLUDE.findall(text):
        error = project_error(path, header, codecs) if quote == '"' else third_party_error(path, header)
        if error:
            errors.append(f"{path}: {error}")
    return errors


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    patterns = ["*" + suffix for suffix in SOURCES + OTHER_SOURCES]
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=root, check=True,
                             capture_output=True, text=True).stdout.split()
    # Tests may include everything: they look at modules from outside.
    paths = [p for p in listing if not p.startswith("tests/") and (root / p).exists()]
    lines = (root / CODEC_LIST).read_text().splitlines()
    codecs = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    errors = [error for path in paths for error in check_file(root, path, codecs)]
    errors += [f"{CODEC_LIST}: {path} does not exist" for path in sorted(codecs) if not (root / path).exists()]
    if len(codecs) > 40:
        errors.append(f"{CODEC_LIST}: {len(codecs)} files, at most 40")
    if not paths:
        errors.append("no source files found: nothing was checked")
    print("\n".join(errors) if errors else f"layers: {len(paths)} files obey the module rules")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
