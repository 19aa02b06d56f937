"""The server's words in the words of the command line."""

from __future__ import annotations

import pytest

from swiftclaw_local.cli.flags import event_list, no_such_agent, numbered, said_as, status_code, typed_id
from swiftclaw_local.errors import InvalidInput, InvalidTime, InvalidUrl, SwiftclawError, UnknownEventType


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidUrl('url "localhost:8000" has no scheme.', field="url"), '--url "localhost:8000" has no scheme.'),
        (UnknownEventType('Unknown event type "a" in events.', field="events"), 'Unknown event type "a" in --events.'),
        (UnknownEventType('Unknown event type "a" in type.', field="type"), 'Unknown event type "a" in TYPE.'),
        (InvalidTime('"soon" is not a time.', field="since"), '--since "soon" is not a time.'),
        (InvalidInput('"threshold" in the body: too big.', field="threshold"), "--threshold: too big."),
        (InvalidInput("No url is here.", field="other"), "No url is here."),
        (InvalidInput("No url is here."), "No url is here."),
    ],
)
def test_a_field_of_the_api_is_called_as_it_was_typed(error: SwiftclawError, told: str) -> None:
    with (
        pytest.raises(type(error)) as caught,
        said_as(url="--url", events="--events", type="TYPE", since="--since", threshold="--threshold"),
    ):
        raise error
    assert caught.value.message == told


def test_types_are_separated_by_commas() -> None:
    assert event_list("agent.failed, agent.timeout,", [], taken="") == ["agent.failed", "agent.timeout"]
    assert event_list(None, [], taken="") is None


@pytest.mark.parametrize(
    ("extra", "taken", "told"),
    [
        (
            ["agent.failed"],
            "my-agent",
            '--events got the extra word "agent.failed". Separate types with commas and no spaces:'
            " --events agent.completed,agent.failed",
        ),
        (
            ["my-agent"],
            "agent.failed,",
            '--events got the extra word "agent.failed". Separate types with commas and no spaces:'
            " --events agent.completed,agent.failed",
        ),
        (
            ["agent.failed,", "agent.timeout"],
            "my-agent",
            '--events got the extra words "agent.failed", "agent.timeout". Separate types with commas and no spaces:'
            " --events agent.completed,agent.failed,agent.timeout",
        ),
        (["surplus"], "my-agent", 'The word "surplus" is one too many.'),
    ],
)
def test_types_that_the_shell_cut_apart_are_put_together_in_the_error(extra: list[str], taken: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        event_list("agent.completed,", extra, taken=taken)
    assert (caught.value.message, caught.value.exit_code) == (told, 2)


@pytest.mark.parametrize(("text", "code"), [("503", "503"), ("5xx", "5xx"), ("5XX", "5xx"), (None, None)])
def test_a_status_is_a_code_or_a_class(text: str | None, code: str | None) -> None:
    assert status_code(text) == code


@pytest.mark.parametrize("text", ["5x", "99", "xxx", "5035", ""])
def test_any_other_status_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no status code") as caught:
        status_code(text)
    assert caught.value.hint == "Write 503 or 5xx."


def test_the_number_of_a_webhook_is_enough() -> None:
    assert [numbered("webhook", id) for id in ("123", "webhook-123", "٣")] == ["webhook-123", "webhook-123", "٣"]


def test_an_id_copied_from_a_terminal_is_known_by_its_ending() -> None:
    assert [typed_id(text) for text in ("dlv_…7qm9", "dlv_1", "@last")] == ["7qm9", "dlv_1", "@last"]


def test_an_unknown_agent_is_answered_with_the_closest_and_all() -> None:
    error = no_such_agent("my-agnet", ["billing-bot", "my-agent"])
    assert error.message == 'No agent "my-agnet" has webhooks. Did you mean "my-agent"? Agents: billing-bot, my-agent'
    assert (error.exit_code, error.hint) == (3, None)
    assert "swiftclaw webhooks create my-agnet --url" in (no_such_agent("my-agnet", []).hint or "")
