"""The house rules that a program can check, each a function from one module to the sentences that say what is wrong.

They live apart from the tests so that every rule is itself tested on a sample that breaks it (`test_rules.py`): a rule
that finds nothing anywhere would look exactly like a clean project.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from tests.tidy.tree import FUNCTIONS, Function, Module

MAX_FILE_LINES = 400
MAX_BODY_LINES = 50
MAX_NESTING = 3
MIN_DOCSTRING_WORDS = 4
MIN_TEST_NAME_WORDS = 4

SAYS_NOTHING = frozenset({"common", "helper", "helpers", "misc", "util", "utils"})
BANNED_WORDS = frozenset({"token", "tokens"})
# Names of the standard library that contain a banned word and cannot be spelled otherwise.
NAMES_OF_OTHERS = frozenset({"token_bytes", "token_hex", "token_urlsafe"})
MUTABLE_CALLS = frozenset(
    {"Counter", "OrderedDict", "WeakValueDictionary", "defaultdict", "deque", "dict", "list", "set"}
)

COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
SUPPRESSION = re.compile(r"#\s*(?:noqa|(?:type|pyright):\s*ignore)(?::[\sA-Z0-9,]*|\[[^\]]*\])?")
IGNORE_LIST = re.compile(r'^(?:ignore|"[^"]+") = \[\n(.*?)^\]', re.MULTILINE | re.DOTALL)

MACHINE_PATHS = tuple("/".join(("", name, "")) for name in ("root", "work"))
REGISTRY_HOSTS = tuple(
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("crates", "io"),
    )
)


Rule = Callable[[Module], Iterator[str]]


def broken(rule: Rule, among: Iterable[Module]) -> list[str]:
    """Return what one rule has to say about these modules; nothing means that all keep it."""
    return [problem for module in among for problem in rule(module)]


def file_is_short(module: Module) -> Iterator[str]:
    """At most 400 lines: what grows past that is two ideas."""
    lines = len(module.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{module.path}: {lines} lines, at most {MAX_FILE_LINES}: split it along its ideas"


def bodies_are_short(module: Module) -> Iterator[str]:
    """At most 50 lines from the first statement after the docstring to the last."""
    for function in module.functions():
        statements = _without_docstring(function)
        lines = (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0
        if lines > MAX_BODY_LINES:
            yield f"{module.at(function)}: the body of `{function.name}` has {lines} lines, at most {MAX_BODY_LINES}"


def nesting_is_shallow(module: Module) -> Iterator[str]:
    """At most three compound statements inside each other; a nested function starts again at none."""
    for function in module.functions():
        depth = _nesting(function.body)
        if depth > MAX_NESTING:
            yield f"{module.at(function)}: `{function.name}` is nested {depth} deep, at most {MAX_NESTING}"


def everything_public_is_explained(module: Module) -> Iterator[str]:
    """Modules, public classes and functions, and what a Protocol asks for, have a docstring."""
    if len((ast.get_docstring(module.tree) or "").split()) < MIN_DOCSTRING_WORDS:
        yield f"{module.path}: a module docstring says the idea in a paragraph"
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and _is_protocol(node):
            yield from _unexplained(module, [node, *node.body])
        else:
            yield from _unexplained(module, [node])


def file_name_says_something(module: Module) -> Iterator[str]:
    """No `utils.py`: a module is named after what it is about."""
    path = PurePosixPath(module.path)
    for part in (path.stem, path.parent.name):
        if part in SAYS_NOTHING:
            yield f"{module.path}: `{part}` says nothing about what is inside"


def words_are_ours(module: Module) -> Iterator[str]:
    """The bare word *token* is never part of a name, except in `llm_tokens`."""
    yield from _banned(PurePosixPath(module.path).stem, module.path)
    for node in ast.walk(module.tree):
        for name in _names(node):
            yield from _banned(name, module.at(node))


def no_state_in_modules(module: Module) -> Iterator[str]:
    """No registry filled in later: nothing empty and mutable at module level, and no `global`."""
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _is_empty_container(statement.value):
            yield f"{module.at(statement)}: state at module level: give it to an object that somebody makes"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield f"{module.at(node)}: `global` makes state that nobody owns"


def numbers_are_integers(module: Module) -> Iterator[str]:
    """In the core: no float literal, no `float`, and no `/`, which makes one of two integers."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{module.at(node)}: `{node.value}` is a float: the core counts in integers"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"{module.at(node)}: `float` in the core, which counts in integers"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{module.at(node)}: `/` makes a float: use `//` and say which way it rounds"


def clock_is_asked_by_others(module: Module) -> Iterator[str]:
    """In the core `datetime` and `date` are types: nobody asks them what time it is."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}:
            owner = ast.unparse(node.value).rpartition(".")[2]
            if owner in {"date", "datetime"}:
                yield f"{module.at(node)}: `{owner}.{node.attr}` in the core: time is an argument"


def suppressions_are_explained(module: Module) -> Iterator[str]:
    """Every `noqa` and `type: ignore` is followed by its reason."""
    for comment in tokenize.generate_tokens(io.StringIO(module.text).readline):
        found = SUPPRESSION.search(comment.string) if comment.type == tokenize.COMMENT else None
        if found and len(re.findall(r"[A-Za-z]{2,}", comment.string[found.end() :])) < 2:
            yield f"{module.path}:{comment.start[0]}: `{comment.string}` does not say why"


def names_are_sentences(module: Module) -> Iterator[str]:
    """The name of a test is what it claims, in at least four words."""
    for function in module.functions():
        words = [word for word in function.name.split("_")[1:] if word]
        if function.name.startswith("test_") and len(words) < MIN_TEST_NAME_WORDS:
            yield f"{module.at(function)}: `{function.name}` is not a sentence"


def ignored_rules_have_reasons(pyproject: str) -> Iterator[str]:
    """Each rule that pyproject.toml switches off for ruff has its reason on the same line."""
    for block in IGNORE_LIST.findall(pyproject):
        for line in block.splitlines():
            if '"' in line and "#" not in line:
                yield f"pyproject.toml: `{line.strip()}` is switched off without a reason"


def text_travels(path: str, text: str) -> Iterator[str]:
    """No path of the machine it was written on, and no host of a package registry: each machine has its own."""
    for number, line in enumerate(text.splitlines(), start=1):
        for foreign in (*MACHINE_PATHS, *REGISTRY_HOSTS):
            if re.search(rf"(?<![\w.}}-]){re.escape(foreign)}", line):
                yield f"{path}:{number}: `{foreign}` belongs to one machine, not to the project"


def _without_docstring(function: Function) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _nesting(body: Iterable[ast.stmt]) -> int:
    return max((_depth(statement) for statement in body), default=0)


def _depth(statement: ast.stmt) -> int:
    if not isinstance(statement, COMPOUND):
        return 0
    if isinstance(statement, ast.If) and _is_elif_chain(statement):
        return max(1 + _nesting(statement.body), _nesting(statement.orelse))
    return 1 + max(_nesting(block) for block in _blocks(statement))


def _is_elif_chain(statement: ast.If) -> bool:
    match statement.orelse:
        case [ast.If(col_offset=column)]:
            return column == statement.col_offset
        case _:
            return False


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for holder in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        for field in ("body", "orelse", "finalbody"):
            yield getattr(holder, field, [])


def _is_protocol(node: ast.ClassDef) -> bool:
    # `asyncio.Protocol` is a base class whose methods explain themselves, not a port.
    return any(ast.unparse(base).partition("[")[0] in {"Protocol", "typing.Protocol"} for base in node.bases)


def _unexplained(module: Module, nodes: Iterable[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if not isinstance(node, (ast.ClassDef, *FUNCTIONS)) or node.name.startswith("_"):
            continue
        if any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list):
            continue
        if not ast.get_docstring(node):
            yield f"{module.at(node)}: `{node.name}` is public and has no docstring"


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=alias):
            yield from (name, alias or "")
        case ast.keyword(arg=str(name)) | ast.MatchAs(name=str(name)) | ast.ExceptHandler(name=str(name)):
            yield name
        case _:
            pass


def _banned(name: str, where: str) -> Iterator[str]:
    words = [word.lower() for word in WORD.findall(name)]
    for before, word in zip(["", *words], words, strict=False):
        if word in BANNED_WORDS and before != "llm" and name not in NAMES_OF_OTHERS:
            yield f"{where}: `{name}`: say contract, proof, credential, llm_tokens or cost"


def _is_empty_container(value: ast.expr | None) -> bool:
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return name in MUTABLE_CALLS and (not arguments or name in {"defaultdict", "deque"})
        case _:
            return False
