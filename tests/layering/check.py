#!/usr/bin/env python3
"""Layers only look right: which folder may include what. With header-only libraries the linker would not notice."""
import pathlib
import re
import sys
import tempfile

# Folder, and what its files may not include (project headers by the start of their name, others likewise).
IO = ["boost/asio", "boost/beast", "rocksdb/", "spdlog/", "sys/socket.h"]
OUTER = ["net/", "shard/", "admin/", "config/", "server.hpp", "admin_node.hpp", "host.hpp"]
FORBIDDEN = {
    "broker/core": IO + OUTER + ["routing/", "session/", "storage/", "protocols/"],
    "broker/security": IO + OUTER + ["routing/", "session/", "storage/", "protocols/"],
    "broker/routing": IO + OUTER + ["protocols/"],
    "broker/session": IO + OUTER + ["protocols/"],
    "broker/shard": ["boost/beast", "rocksdb/", "net/", "admin/", "config/"],
    "broker/admin": ["boost/asio", "boost/beast", "rocksdb/", "net/"],
    "broker/config": IO + ["net/", "shard/", "admin/", "protocols/", "session/", "routing/"],
    "broker/net": ["rocksdb/"],
    "protocols": IO + OUTER,
    "storage": ["boost/asio", "boost/beast", "spdlog/", "sys/socket.h"] + OUTER + ["protocols/", "session/", "routing/"],
    "cli": ["rocksdb/", "storage/", "protocols/", "net/", "shard/"],
}
# What a folder may know of another that it else may not: values and interfaces.
EXCEPT = [("protocols/", "storage/store.hpp"), ("storage/", "routing/subscription.hpp"),
          ("cli/store_commands", "storage/maintenance.hpp")]
# Libraries, and the only place for them.
ONLY = [("rocksdb/", "storage/rocks_"), ("sodium", ("broker/security/", "broker/routing/temporary_names")), ("boost/beast", "broker/net/"), ("boost/asio", "broker/net/")]
ALSO_ASIO = ("broker/shard/", "cli/", "broker/server", "broker/main", "broker/host", "broker/admin_node", "broker/sys_publisher")


def violations(root):
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".hpp", ".cpp")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(("broker/", "protocols/", "storage/", "cli/")):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if not found:
                continue
            header = found[1]
            rules = [f for folder, f in FORBIDDEN.items() if name.startswith(folder + "/")]
            wrong = any(header.startswith(start) for rule in rules for start in rule)
            wrong |= name.startswith("protocols/") and header.startswith("storage/")
            if any(name.startswith(folder) and header == part for folder, part in EXCEPT):
                continue
            for start, owner in ONLY:
                if header.startswith(start) and not name.startswith(owner):
                    wrong |= not (start.startswith("boost/") and name.startswith(ALSO_ASIO))
            if wrong:
                yield f"{name}:{number}: must not include {header}"


def self_check():
    planted = {
        "broker/core/a.hpp": '#include "session/session.hpp"',
        "protocols/mqtt/b.cpp": "#include <boost/asio/post.hpp>",
        "protocols/stomp/c.cpp": '#include "storage/records.hpp"',
        "storage/d.cpp": '#include "protocols/engine.hpp"',
        "broker/session/e.cpp": "#  include <rocksdb/db.h>",
        "broker/routing/f.hpp": '#include "net/connection.hpp"',
        "broker/security/j.cpp": '#include "routing/router.hpp"',
        "broker/net/k.cpp": "#include <sodium.h>",
    }
    allowed = {
        "broker/net/g.cpp": "#include <boost/beast/http/parser.hpp>",
        "protocols/mqtt/h.cpp": '#include "storage/store.hpp"',
        "storage/rocks_store.cpp": "#include <rocksdb/db.h>",
        "broker/core/i.hpp": "#include <boost/system/error_code.hpp>",
    }
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in {**planted, **allowed}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = {line.split(":")[0] for line in violations(root)}
    if found != set(planted):
        sys.exit(f"the check is blind or sees too much: {sorted(found ^ set(planted))}")


if sys.argv[1:] == ["--self-check"]:
    self_check()
else:
    broken = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(broken))
    sys.exit(1 if broken else 0)
