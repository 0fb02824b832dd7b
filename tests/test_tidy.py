"""The house rules that a machine can check. Style that is not tested decays."""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("actors", "http", "pipeline")
LINES_MAX = 300
FUNCTION_LINES_MAX = 59

# Who may know whom: the arrows point down. The composition root knows all.
KNOWN = {
    "pipeline": {"pipeline"},
    "actors": {"actors", "pipeline"},
    "http": {"http", "actors", "pipeline"},
    "asr": {"terminal", "settings", "blas", "http", "actors", "pipeline"},
}
INSIDE = {*ROOMS, "terminal", "settings", "run", "building", "clustered", "blas"}
ASYNC = {"trio", "anyio", "asyncio", "quart", "quart_trio", "hypercorn"}
VAGUE = {"base", "common", "handler", "handlers", "helpers", "manager", "service", "utils"}

Rule = Callable[[ast.Module], Iterator[ast.AST]]


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every import statement below a node, once for each module that it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "asr":
            yield from ((node, f"asr.{name.name}") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def wrong_arrows(tree: ast.Module, *, room: str) -> Iterator[ast.AST]:
    """Imports of a room that this one must not know, also by a second name of it."""
    for node, module in imports(tree):
        first, _, rest = module.partition(".")
        second = rest.partition(".")[0]
        inside = first == "asr" and second in INSIDE
        if (inside and second not in KNOWN[room]) or first in {"", "actors", "pipeline"}:
            yield node


def async_imports(tree: ast.Module) -> Iterator[ast.AST]:
    """Imports of an event loop or a web framework."""
    return (node for node, module in imports(tree) if module.partition(".")[0] in ASYNC)


def environment_reads(tree: ast.Module) -> Iterator[ast.AST]:
    """Uses of the environment, by attribute or by import."""
    words = {"environ", "environb", "getenv", "putenv", "unsetenv"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            if node.attr in words:
                yield node
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node for name in node.names if name.name in words)


def global_statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The statement that makes a module's variable everybody's."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Global))


def long_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions that nobody reads aloud in one breath."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = (node for node in ast.walk(tree) if isinstance(node, kinds))
    for node in functions:
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX:
            yield node


def sleeps(tree: ast.Module) -> Iterator[ast.AST]:
    """Waiting for the clock instead of for what should happen."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep":
            yield node


def sources(*folders: str) -> tuple[Path, ...]:
    """The Python files of folders, links not followed twice."""
    return tuple(file for name in folders for file in sorted((ROOT / name).rglob("*.py")))


def shell() -> tuple[Path, ...]:
    """The files around the rooms: settings, terminal, and the composition root."""
    return (*(ROOT / "asr").glob("*.py"), *sources("asr/terminal"))


def offences(rule: Rule, files: tuple[Path, ...]) -> list[str]:
    """Where the files break the rule."""
    return [
        f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for file in files
        for node in rule(ast.parse(file.read_text(encoding="utf-8")))
    ]


EVERYTHING = (*sources(*ROOMS, "tests"), *shell(), ROOT / "run.py")


@pytest.mark.parametrize("room", ROOMS)
def test_the_arrows_between_the_rooms_point_down(room: str) -> None:
    assert offences(partial(wrong_arrows, room=room), sources(room)) == []


def test_nobody_but_the_composition_root_imports_the_composition_root() -> None:
    others = tuple(file for file in shell() if file.stem not in {"run", "building", "clustered"})
    assert offences(partial(wrong_arrows, room="asr"), others) == []


def test_the_pipeline_knows_no_event_loop() -> None:
    assert offences(async_imports, sources("pipeline")) == []


def test_only_the_composition_root_reads_the_environment() -> None:
    files = (*sources(*ROOMS), *shell())
    assert offences(environment_reads, tuple(f for f in files if f.name != "run.py")) == []


def test_nothing_is_global() -> None:
    assert offences(global_statements, EVERYTHING) == []


def test_functions_are_short() -> None:
    assert offences(long_functions, EVERYTHING) == []


def test_no_test_waits_for_the_clock() -> None:
    assert offences(sleeps, sources("tests")) == []


def test_files_are_short() -> None:
    sizes = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in EVERYTHING}
    assert {str(file): lines for file, lines in sizes.items() if lines > LINES_MAX} == {}


def test_files_are_named_after_what_they_own() -> None:
    assert [file for file in EVERYTHING if file.stem in VAGUE] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_is_a_package_because_one_would_hide_the_standard_library(room: str) -> None:
    assert list((ROOT / room).rglob("__init__.py")) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (partial(wrong_arrows, room="pipeline"), "from asr.actors.gpu import Gpu"),
        (partial(wrong_arrows, room="actors"), "def f():\n    import asr.http.app"),
        (partial(wrong_arrows, room="http"), "from asr import settings"),
        (partial(wrong_arrows, room="http"), "from ..pipeline import types"),
        (partial(wrong_arrows, room="http"), "import pipeline.types"),
        (partial(wrong_arrows, room="asr"), "from asr.run import main"),
        (async_imports, "import trio.lowlevel"),
        (environment_reads, "import os\nos.environ['A']"),
        (environment_reads, "from os import getenv"),
        (global_statements, "def f():\n    global x\n    x = 1"),
        (long_functions, "async def f():\n" + "    pass\n" * FUNCTION_LINES_MAX),
        (sleeps, "await trio.sleep(1)"),
        (sleeps, "from time import sleep\nsleep(1)"),
    ],
)
def test_each_rule_finds_what_it_is_there_for(rule: Rule, source: str) -> None:
    assert len(list(rule(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (partial(wrong_arrows, room="http"), "import http.client\nfrom asr.actors.house import H"),
        (partial(wrong_arrows, room="pipeline"), "from asr import __version__"),
        (long_functions, "def f():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1)),
        (sleeps, "await trio.sleep_forever()"),
    ],
)
def test_no_rule_objects_to_what_is_allowed(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source))) == []
