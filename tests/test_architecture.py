"""What the code must keep to, read from its syntax trees: who imports whom, who asks the time, what is logged, how long it is.

The rules are `docs/explanation.md`'s. Each was broken once to see its test fail.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "swiftclaw_local"

# part -> the parts it may import, besides itself; "" is the package's own __init__, which holds the version
EVERYONE: Final = frozenset(
    {"", "cause_words", "errors", "settings", "durations", "hot_value", "ids", "logs", "plain_text"}
)
MAY_IMPORT: Final[dict[str, frozenset[str]]] = {
    "": frozenset(),
    "cause_words": frozenset(),
    "errors": frozenset(),
    "curl": frozenset(),
    "hot_value": frozenset(),
    "ids": frozenset(),
    "logs": frozenset(),
    "plain_text": frozenset(),
    "starter_programs": frozenset({"errors"}),
    "durations": frozenset({"errors"}),
    "settings": frozenset({"errors", "durations"}),
    "events": EVERYONE,
    "scheduler": EVERYONE,
    "storage": EVERYONE,
    "dispatcher": EVERYONE | {"events", "scheduler", "storage"},
    "certify": EVERYONE | {"events", "scheduler", "dispatcher"},
    "platform": EVERYONE | {"events", "scheduler", "storage", "dispatcher", "certify"},
    "plays": EVERYONE | {"events", "dispatcher", "certify"},  # of these two only what PLAYS_MAY_LOAD names
    "server": EVERYONE
    | {"events", "scheduler", "storage", "dispatcher", "certify", "platform", "plays"}
    | {"curl", "starter_programs"},
    "cli": frozenset(
        {"", "cause_words", "curl", "errors", "settings", "durations", "plays", "plain_text", "starter_programs"}
    ),
    "__main__": frozenset({"cli"}),
    "testing": frozenset({"", "errors", "settings", "durations", "plays"}),  # the server runs as a child process
    "pytest_plugin": frozenset({"errors", "testing"}),
}
# the exceptions: two commands load what they run in their own process, inside a function or for the type checker alone
LOADS_LAZILY: Final = {"cli/serve.py": "server", "cli/certify.py": "certify"}

# what is a table and loads no engine: commands and tests play without one
PLAYS_MAY_LOAD: Final = ("swiftclaw_local.dispatcher.fault_kinds.", "swiftclaw_local.certify.catalog.")

# third party -> where it may be imported
THIRD_PARTIES: Final[dict[str, tuple[str, ...]]] = {
    "aiohttp": (
        "server/",
        *(f"dispatcher/{name}.py" for name in ("sender", "connections", "resolver", "causes")),
    ),
    "alembic": ("storage/",),
    "apscheduler": ("scheduler/",),
    "click": ("cli/",),
    "cryptography": ("storage/secretbox.py",),
    "jinja2": ("server/console/rendering.py",),
    "multidict": ("dispatcher/connections.py",),  # aiohttp's own type of headers
    "orjson": ("events/event.py", "logs.py"),  # an event is made into bytes nowhere else
    "prometheus_client": ("server/",),
    "psycopg": ("storage/",),
    "pytest": ("pytest_plugin.py",),  # the tests' own, never installed with us
    "pydantic": ("server/",),
    "pydantic_core": ("server/",),
    "sqlalchemy": ("storage/",),
    "sqlite3": ("storage/", "cli/doctor.py"),
    "sqlmodel": ("storage/",),
    "structlog": ("logs.py",),
    "trio": ("testing/aswiftclaw.py",),  # the tests' own, as pytest
    "uvloop": ("server/serve.py",),
    "yarl": ("dispatcher/sender.py", "dispatcher/connections.py"),  # aiohttp's own type of a URL
}
NOT_THE_CLIENT: Final = ("aiohttp.web", "aiohttp.typedefs", "aiohttp.http_exceptions")
STANDARD_LIBRARY_ALONE: Final = ("errors", "settings", "durations", "ids", "certify", "platform")

ASKS_THE_TIME: Final = re.compile(
    r"(.*\.)?("
    r"\btime\.((time|monotonic|perf_counter|process_time|clock_gettime)(_ns)?|localtime|gmtime)"
    r"|\bdatetime\.(now|utcnow|today)|\bdate\.today"
    r"|\w*loop(\(\))?\.time)"
)
TIME_IN_SQL: Final = re.compile(
    r"current_timestamp|current_time\b|\bnow\(\)|'now'|unixepoch\(\)|julianday\(\)", re.IGNORECASE
)
LOG_VERBS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical", "bind"})
NEVER_LOGGED: Final = re.compile(r"secret|body|token|password|signature|payload|headers|\bkey\b")

STARTERS: Final = PACKAGE / "starters"  # our users' programs, in their frameworks: nothing imports them
MODULES: Final = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != STARTERS)
ALL_CODE: Final = sorted(
    path for folder in ("swiftclaw_local", "tests", "scripts") for path in (ROOT / folder).rglob("*.py")
)
MIGRATIONS: Final = PACKAGE / "storage" / "migrations" / "versions"  # lists of columns, as long as the tables are wide
LONGEST_FILE, LONGEST_FUNCTION = 450, 50


def place(path: Path) -> str:
    """Return `storage/states.py` for a file of the package."""
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """Return the part that a file belongs to: `storage`, `errors`, or "" for the package's own __init__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute name) of everything a tree imports, relative imports and `from package import module` too."""
    here = ["swiftclaw_local", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            module = ".".join(name for name in (start, node.module) if name)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def part_imported(name: str) -> str | None:
    """Return the part that an absolute name lies in, or None when it is not ours."""
    root, _, rest = name.partition(".")
    if root != "swiftclaw_local":
        return None
    first = rest.split(".")[0]
    return first if first in MAY_IMPORT else ""


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def not_run_at_import(tree: ast.Module) -> list[ast.AST]:
    """Return the parts of a tree that importing the module does not run."""
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return [*functions(tree), *typing_only]


def foreign_imports(path: Path) -> list[str]:
    """Return the imports of our own parts that the rule does not allow, as `file:line name`."""
    tree, part = tree_of(path), part_of(path)
    allowed = MAY_IMPORT[part] | {part}
    lazily = {found for node in not_run_at_import(tree) for found in imports(path, node)}
    return [
        f"{place(path)}:{line} {name}"
        for line, name in imports(path, tree)
        if (imported := part_imported(name)) is not None
        and imported not in allowed
        and not (LOADS_LAZILY.get(place(path)) == imported and (line, name) in lazily)
    ]


def misplaced_third_parties(path: Path) -> list[str]:
    """Return the imports of third parties that have no business in this file."""
    found = []
    for line, name in imports(path, tree_of(path)):
        package = name.split(".")[0]
        homes = THIRD_PARTIES.get(package)
        if homes is not None and not place(path).startswith(homes):
            found.append(f"{place(path)}:{line} {name}")
        if package == "aiohttp" and part_of(path) == "server" and not name.startswith(NOT_THE_CLIENT):
            found.append(f"{place(path)}:{line} {name} (the client belongs to the sender)")
        if name.startswith("aiohttp.web") and part_of(path) != "server":
            found.append(f"{place(path)}:{line} {name} (the server's)")
    return found


def time_asked(path: Path) -> list[str]:
    """Return the calls, references and imports that ask what time it is."""
    tree = tree_of(path)
    asked = [
        f"{place(path)}:{node.lineno} {written}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ASKS_THE_TIME.fullmatch(written := ast.unparse(node))
    ]
    imported = [f"{place(path)}:{line} {name}" for line, name in imports(path, tree) if ASKS_THE_TIME.fullmatch(name)]
    renamed = [
        f"{place(path)}:{node.lineno} as {alias.asname}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"))
        for alias in node.names
        if alias.asname and alias.name in ("time", "datetime", "date")
    ]
    return asked + imported + renamed


def sql_that_asks_the_time(path: Path) -> list[str]:
    tree = tree_of(path)
    documented = [
        n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = {ast.get_docstring(node, clean=False) for node in documented}
    return [
        f"{place(path)}:{node.lineno} {node.value[:60]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value not in docstrings and TIME_IN_SQL.search(node.value)
    ]


def secrets_logged(path: Path) -> list[str]:
    """Return the log calls that name a secret or a body, as a key or as a value."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOG_VERBS:
            if not re.search(r"\blog(ger)?\b|_log\b", ast.unparse(node.func.value)):
                continue
            named = [keyword.arg or "**" for keyword in node.keywords]
            values = [n for v in (*node.args, *(k.value for k in node.keywords)) for n in names_in(v)]
            found += [f"{place(path)}:{node.lineno} {name}" for name in named + values if NEVER_LOGGED.search(name)]
    return found


def names_in(value: ast.AST) -> list[str]:
    attributes = [node.attr for node in ast.walk(value) if isinstance(node, ast.Attribute)]
    return attributes + [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]


def long_functions(path: Path) -> list[str]:
    """Return the functions whose bodies, docstrings not counted, are longer than the limit."""
    found = []
    for node in functions(tree_of(path)):
        body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
        length = (node.end_lineno or 0) - body[0].lineno + 1
        if length > LONGEST_FUNCTION:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")
    return found


RULES: Final[dict[str, Callable[[Path], list[str]]]] = {
    "a part imports only the parts below it": foreign_imports,
    "third parties are imported only where they belong": misplaced_third_parties,
    "SQL is given the time": sql_that_asks_the_time,
    "no secret, body or header is logged": secrets_logged,
}


@pytest.mark.parametrize("rule", RULES)
def test_every_module_keeps_the_rule(rule: str) -> None:
    assert [complaint for path in MODULES for complaint in RULES[rule](path)] == []


def test_what_is_played_loads_no_engine() -> None:
    """Commands and tests play scenarios over the API, in a process of their own."""
    plays = [path for path in MODULES if part_of(path) == "plays"]
    named = {name for path in plays for _, name in imports(path, tree_of(path))}
    ours = {name for name in named if part_imported(name) in ("dispatcher", "certify")}
    assert ours == {name for name in ours if name.startswith(PLAYS_MAY_LOAD)} != set()
    load = "import sys, swiftclaw_local.plays.playing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True).stdout.split()
    third = {name.partition(".")[0] for name in loaded} & THIRD_PARTIES.keys()
    assert sorted(third - {"sqlite3"}) == []


def test_every_part_stands_in_the_import_rule() -> None:
    parts = {part_of(path) for path in MODULES}
    assert sorted(parts - MAY_IMPORT.keys()) == []


def test_only_the_clock_asks_the_time() -> None:
    asking = {place(path) for path in MODULES if time_asked(path)}
    assert asking == {"scheduler/clock.py"}


@pytest.mark.parametrize("part", STANDARD_LIBRARY_ALONE)
def test_the_part_needs_no_third_party(part: str) -> None:
    own = [path for path in MODULES if part_of(path) == part]
    used = {name.split(".")[0] for path in own for _, name in imports(path, tree_of(path))}
    assert sorted(used & THIRD_PARTIES.keys()) == []


def test_every_dependency_has_its_place() -> None:
    """A package that is imported but missing from the table could creep in anywhere."""
    standard = {"swiftclaw_local", "__future__"} | sys.stdlib_module_names
    used = {name.split(".")[0] for path in MODULES for _, name in imports(path, tree_of(path))}
    assert sorted(used - standard - THIRD_PARTIES.keys()) == []


def test_modules_are_loaded_by_name_only_among_the_commands() -> None:
    loading = {place(path) for path in MODULES if re.search(r"import_module|__import__|\bexec\(", path.read_text())}
    assert loading <= {"cli/registry.py"}


def test_what_every_pytest_run_loads_imports_nothing_but_pytest() -> None:
    """Our users' pytest loads this file at each start, whether a test uses it or not."""
    tree = tree_of(PACKAGE / "pytest_plugin.py")
    later = {found for node in not_run_at_import(tree) for found in imports(PACKAGE / "pytest_plugin.py", node)}
    at_once = {
        name.split(".")[0] for line, name in imports(PACKAGE / "pytest_plugin.py", tree) if (line, name) not in later
    }
    assert at_once == {"__future__", "collections", "os", "pytest", "typing"}


def test_the_fixtures_need_only_the_standard_library() -> None:
    own = [path for path in MODULES if part_of(path) == "testing"]
    lazily = {("testing/aswiftclaw.py", "trio")}
    used = {(place(path), name.split(".")[0]) for path in own for _, name in imports(path, tree_of(path))}
    assert sorted(each for each in used - lazily if each[1] in THIRD_PARTIES) == []


def test_every_module_says_what_it_owns() -> None:
    assert [place(path) for path in MODULES if not ast.get_docstring(tree_of(path))] == []


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in ALL_CODE}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_the_limit() -> None:
    assert [c for path in ALL_CODE if path.parent != MIGRATIONS for c in long_functions(path)] == []


def test_every_exception_from_the_linter_or_the_types_names_its_rule() -> None:
    bare = re.compile(r"#\s*noqa(?!: [A-Z]+\d)|#\s*type: ignore(?!\[)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ALL_CODE
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if bare.search(line) and path != Path(__file__)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["dispatcher", "scheduler", "storage"])
def test_the_part_stands_at_the_top_as_a_link(name: str) -> None:
    link = ROOT / name
    target = os.readlink(link) if link.is_symlink() else link.read_text()  # a checkout without links holds the target
    assert target.strip() == f"swiftclaw_local/{name}"
