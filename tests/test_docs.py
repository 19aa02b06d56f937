"""What the documents say is so: pages made from the code are fresh, commands exist with their options, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from scripts.docs import FOLDER, PAGES
from scripts.reference.commands import found
from scripts.reference.states import MEANINGS, diagram_lines
from scripts.setup import ROOT
from swiftclaw_local.cli.main import root
from swiftclaw_local.storage.states import EDGES, State

DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN_BY_HAND: Final = [document for document in DOCUMENTS if document.parent != FOLDER]
FENCED: Final = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# a word of a command line ends where the shell would end it
COMMAND: Final = re.compile(r"""(?<![\w./-])swiftclaw(?![\w.-])((?:[ ]+(?:"[^"]*"|'[^']*'|[^\s|&;<>()"'#])+)*)""")


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def typed_lines(text: str) -> Iterator[str]:
    """Yield every line that a document tells people to type: all of a shell block, those after `$ ` of a console."""
    for language, block in FENCED.findall(text):
        for line in block.splitlines():
            if language in ("sh", "bash"):
                yield line
            elif language == "console" and line.startswith("$ "):
                yield line.removeprefix("$ ")
    prose = FENCED.sub("", text)
    yield from re.findall(r"`((?:swiftclaw|make) [^`]+)`", prose)


def commands_in(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each `swiftclaw …` in a line, those inside `$(…)` and behind a pipe too."""
    for arguments in COMMAND.findall(line):
        yield shlex.split(arguments)


def misfit(arguments: list[str]) -> str | None:
    """Return what click or we would complain about, None when the command line is right."""
    tree = root()
    context = click.Context(tree, info_name="swiftclaw")
    names: list[str] = []
    try:
        while isinstance(found(tree, context, names)[0], click.Group) and arguments:
            names.append(arguments[0])
            arguments = arguments[1:]
        command, _ = found(tree, context, names)
        if arguments:
            # an ID may be left to what comes before a pipe, as with xargs
            command.make_context(names[-1], [*arguments], parent=context)
    except LookupError as error:
        return str(error)
    except click.MissingParameter:
        return None
    except Exception as error:
        return f"{' '.join(names)}: {error}"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_the_page_says_what_the_code_does(page: str) -> None:
    assert (FOLDER / page).read_text(encoding="utf-8") == PAGES[page](), "Stale. Type: make docs"


@pytest.mark.parametrize("document", WRITTEN_BY_HAND, ids=name_of)
def test_every_command_in_the_document_exists_with_its_options(document: Path) -> None:
    lines = typed_lines(document.read_text(encoding="utf-8"))
    typed = [(line, arguments) for line in lines for arguments in commands_in(line)]
    assert [(line, complaint) for line, arguments in typed if (complaint := misfit(arguments))] == []


@pytest.mark.parametrize("document", WRITTEN_BY_HAND, ids=name_of)
def test_every_make_target_in_the_document_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"^(?:\$ )?make ([a-z-]+)", "\n".join(typed_lines(text)) + text, re.MULTILINE)
    assert sorted(set(named) - targets) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_in_the_document_leads_somewhere(document: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", document.read_text(encoding="utf-8")))
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", WRITTEN_BY_HAND, ids=name_of)
def test_the_document_uses_the_words_of_the_project(document: Path) -> None:
    text = document.read_text(encoding="utf-8").lower()
    assert re.findall(r"cancell\w*|redeliver\w*|resend\w*|subscriber\w*|requeue\w*", text) == []


def test_the_first_page_shows_every_command_of_swiftclaws_own() -> None:
    written = "\n".join(document.read_text(encoding="utf-8") for document in WRITTEN_BY_HAND)
    for command in ("create", "update", "list", "delete", "test", "logs"):
        assert f"webhooks {command}" in written or f"| {command}" in written
    assert "swiftclaw alerts create" in written


def test_the_diagram_of_states_shows_every_state_and_every_edge() -> None:
    drawn = "\n".join(diagram_lines())
    assert sorted(MEANINGS) == sorted(State)
    assert [name for name, (start, end) in EDGES.items() if f"{start} --> {end}: {name}" not in drawn] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    found_in = list(commands_in('eval "$(swiftclaw webhooks secrets my-agent webhook-123 --env)"'))
    assert found_in == [["webhooks", "secrets", "my-agent", "webhook-123", "--env"]]
    assert misfit(found_in[0]) == "swiftclaw has no command webhooks secrets"


def test_every_command_that_a_message_of_the_program_names_exists() -> None:
    named = re.compile(r"swiftclaw (webhooks|alerts|events|deliveries|clock) ([a-z]+)")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "swiftclaw_local").rglob("*.py")]
    commands = {found.groups() for source in sources for found in named.finditer(source)}
    assert ("clock", "resume") in commands
    assert [told for told in (misfit(list(command)) for command in sorted(commands)) if told] == []


def test_an_option_that_does_not_exist_is_found() -> None:
    assert misfit(["trigger", "agent.failed", "--sets", "a=b"]) is not None
    assert misfit(["trigger", "agent.failed", "--set", "data.a=b"]) is None


def test_the_licence_is_the_one_of_the_package() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()
