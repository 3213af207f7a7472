"""Each tidy rule finds what it forbids, and leaves alone what it allows."""

import ast
import textwrap

import pytest

from tests.tidy import rules
from tests.tidy.tree import Module

DEEP = """
def f(x):
    for a in x:
        if a:
            with a:
                while a:
                    pass
"""

LONG_CHAIN = """
def f(x):
    if x == 1:
        pass
    elif x == 2:
        pass
    elif x == 3:
        pass
    elif x == 4:
        pass
    else:
        for a in x:
            def g():
                if a:
                    pass
"""

PORT = '''
"""What we ask of the world, all of it."""
class Store(Protocol):
    """Remembers."""
    async def apply(self, batch): ...
    def _inner(self): ...
'''


def module(text: str, *, path: str = "src/remit/sample.py") -> Module:
    """Make a module of a few lines, as if it were a file of the project."""
    text = textwrap.dedent(text)
    return Module(path=path, text=text, tree=ast.parse(text))


BREAKS = [
    pytest.param(rules.file_is_short, "x = 1\n" * 401, id="401 lines"),
    pytest.param(rules.bodies_are_short, "def f():\n" + "    x = 1\n" * 51, id="51 lines of body"),
    pytest.param(rules.nesting_is_shallow, DEEP, id="four deep"),
    pytest.param(rules.nesting_is_shallow, DEEP.replace("while a", "async for b in a").replace("def", "async def")),
    pytest.param(rules.nesting_is_shallow, "def f(x):\n if x:\n  pass\n else:\n  if x:\n   if x:\n    if x: pass"),
    pytest.param(
        rules.nesting_is_shallow,
        "def f(x):\n try: pass\n except E:\n  match x:\n   case 1:\n    if x:\n     if x: pass",
    ),
    pytest.param(rules.everything_public_is_explained, "x = 1", id="module without docstring"),
    pytest.param(rules.everything_public_is_explained, '"""One two three four."""\ndef f(): ...', id="function"),
    pytest.param(rules.everything_public_is_explained, '"""One two three four."""\nclass C: ...', id="class"),
    pytest.param(rules.everything_public_is_explained, PORT, id="method of a port"),
    pytest.param(rules.words_are_ours, "token = 1"),
    pytest.param(rules.words_are_ours, "def read(access_token): ..."),
    pytest.param(rules.words_are_ours, "read(tokens=1)"),
    pytest.param(rules.words_are_ours, "class TokenStore: ..."),
    pytest.param(rules.words_are_ours, "self.refresh_token.use()"),
    pytest.param(rules.words_are_ours, "import jwt as token"),
    pytest.param(rules.no_state_in_modules, "PLUGINS = {}"),
    pytest.param(rules.no_state_in_modules, "PLUGINS: dict[str, int] = dict()"),
    pytest.param(rules.no_state_in_modules, "SEEN = defaultdict(list)"),
    pytest.param(rules.no_state_in_modules, "def f():\n    global x\n    x = 1"),
    pytest.param(rules.numbers_are_integers, "x = 0.5"),
    pytest.param(rules.numbers_are_integers, "x = a / b"),
    pytest.param(rules.numbers_are_integers, "x /= 2"),
    pytest.param(rules.numbers_are_integers, "x = float(a)"),
    pytest.param(rules.clock_is_asked_by_others, "x = datetime.now(UTC)"),
    pytest.param(rules.clock_is_asked_by_others, "x = datetime.date.today()"),
    pytest.param(rules.clock_is_asked_by_others, "f(default_factory=datetime.datetime.utcnow)"),
    pytest.param(rules.suppressions_are_explained, "x = 1  # noqa" + ": S101"),
    pytest.param(rules.suppressions_are_explained, "x = 1  # type" + ": ignore[arg-type]"),
    pytest.param(rules.suppressions_are_explained, "x = 1  # type" + ": ignore[arg-type]  # because"),
    pytest.param(rules.names_are_sentences, "def test_it_works(): ..."),
]

KEEPS = [
    pytest.param(rules.file_is_short, "x = 1\n" * 400, id="400 lines"),
    pytest.param(
        rules.bodies_are_short, 'def f():\n    """Doc.\n\n    More.\n    """\n' + "    x = 1\n" * 50, id="50 lines"
    ),
    pytest.param(rules.nesting_is_shallow, LONG_CHAIN, id="an elif chain is one level"),
    pytest.param(rules.everything_public_is_explained, '"""One two three four."""\ndef _f(): ...', id="private"),
    pytest.param(
        rules.everything_public_is_explained, PORT.replace("(Protocol)", "(asyncio.Protocol)"), id="transport"
    ),
    pytest.param(rules.words_are_ours, "llm_tokens = LlmTokens(prompt_llm_tokens=1)"),
    pytest.param(rules.words_are_ours, "secrets.token_bytes(16)"),
    pytest.param(rules.words_are_ours, "tokenizer = 'token'", id="another word, and text"),
    pytest.param(rules.no_state_in_modules, "TABLE = {'a': 1}\nNAMES = ('a',)\nKINDS = set(Kind)"),
    pytest.param(rules.no_state_in_modules, "def f():\n    found = {}\n    return found"),
    pytest.param(rules.numbers_are_integers, "x = a // b + 1"),
    pytest.param(rules.clock_is_asked_by_others, "x = clock.now()\ny = datetime.fromisoformat(text)"),
    pytest.param(rules.suppressions_are_explained, "x = 1  # noqa" + ": S101 - the parser has checked it"),
    pytest.param(rules.suppressions_are_explained, "x = '# noqa'", id="text is not a comment"),
    pytest.param(rules.names_are_sentences, "def test_a_child_cannot_outlive_its_parent(): ..."),
    pytest.param(rules.names_are_sentences, "def tested(): ...", id="not a test"),
]


@pytest.mark.parametrize(("rule", "text"), BREAKS)
def test_the_rule_finds_code_that_breaks_it(rule: rules.Rule, text: str) -> None:
    assert rules.broken(rule, [module(text)]) != []


@pytest.mark.parametrize(("rule", "text"), KEEPS)
def test_the_rule_leaves_good_code_alone(rule: rules.Rule, text: str) -> None:
    assert rules.broken(rule, [module(text)]) == []


@pytest.mark.parametrize("path", ["src/remit/utils.py", "src/remit/helpers/__init__.py"])
def test_a_file_name_that_says_nothing_is_found(path: str) -> None:
    assert rules.broken(rules.file_name_says_something, [module("x = 1", path=path)]) != []


def test_a_module_named_by_a_banned_word_is_found() -> None:
    assert rules.broken(rules.words_are_ours, [module("x = 1", path="src/remit/token_store.py")]) != []


def test_a_lint_rule_switched_off_silently_is_found() -> None:
    pyproject = 'ignore = [\n    "S101",  # why\n    "S102",\n]\n"tests/**" = [\n    "D",\n]\n'
    assert len(list(rules.ignored_rules_have_reasons(pyproject))) == 2


@pytest.mark.parametrize("foreign", [f"see {rules.MACHINE_PATHS[0]}x", f"https://{rules.REGISTRY_HOSTS[0]}/simple"])
def test_a_trace_of_one_machine_is_found(foreign: str) -> None:
    assert list(rules.text_travels("README.md", f"first line\n{foreign}\n")) != []


def test_ordinary_paths_and_hosts_are_left_alone() -> None:
    assert list(rules.text_travels("README.md", "GET /v1/root/work and https://example.com/work/")) == []
