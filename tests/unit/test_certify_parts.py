"""The catalogue and its names, what answers betray, the number of effects, and the report's two other forms."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from swiftclaw_local.certify.answer import Answer, tuple_status
from swiftclaw_local.certify.catalog import CHECKS, choose, named
from swiftclaw_local.certify.diagnosis import other_signatures
from swiftclaw_local.certify.effects import number_in
from swiftclaw_local.certify.frameworks import Framework, Remedy, framework_of, remedy
from swiftclaw_local.certify.hints import Seen, answer_hint
from swiftclaw_local.certify.junit import junit
from swiftclaw_local.cli.certify_texts import failing, report_lines
from swiftclaw_local.cli.output import Output
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.errors import InvalidInput

IDS = [
    *("SIG-1", "SIG-2", "SIG-3", "SIG-4", "SIG-5", "SIG-6", "RAW-1", "JSON-1", "JSON-2", "TYPE-1", "TYPE-2"),
    *("DUP-1", "DUP-2", "DUP-3", "ORD-1", "TIME-1", "RETRY-1", "RETRY-2", "BIG-1"),
]


def test_the_ids_of_the_checks_stay_as_they_are() -> None:
    assert [check.id for check in CHECKS] == IDS


def test_checks_are_chosen_by_id_and_by_family_in_any_case() -> None:
    assert [check.id for check in choose(["raw", "SIG-2"], [])] == ["SIG-2", "RAW-1"]
    assert [check.id for check in choose([], ["SIG", "JSON", "TYPE", "DUP", "RETRY"])] == [
        "RAW-1",
        "ORD-1",
        "TIME-1",
        "BIG-1",
    ]
    assert named(["DUP"], field="require") == ("DUP-1", "DUP-2", "DUP-3")


@pytest.mark.parametrize(
    ("only", "skip", "message"),
    [
        (["SGI-1"], [], 'only names "SGI-1", which is no check. Did you mean "SIG-1"?'),
        ([], ["everything"], 'skip names "everything", which is no check.'),
        (["SIG"], ["SIG"], "only and skip leave no check to run."),
    ],
)
def test_a_name_that_no_check_has_is_refused(only: list[str], skip: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        choose(only, skip)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, '[{"error":"Invalid signature"},401]', 401),
        (200, '[{"received":true}, 200 ]', 200),
        (201, '[{"error":"x"},401]', None),
        (200, "[1,2,401]", None),
        (200, '{"codes":[1,401]}', None),
        (200, "[not json,401]", None),
    ],
)
def test_a_tuple_that_was_not_taken_for_a_status_is_recognised(status: int, body: str, found: int | None) -> None:
    assert tuple_status(status, body) == found


NODE = "TypeError [ERR_INVALID_ARG_TYPE]: The {} argument must be of type string or an instance of Buffer. Received undefined"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, NODE.format("&quot;data&quot;"), "express_raw_body"),
        (500, NODE.format("first"), "node_missing_signature"),
        (
            500,
            "RangeError [ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH]: Input buffers must have the same byte length",
            "node_timing_safe_equal",
        ),
        (403, "<h1>Forbidden</h1><p>CSRF verification failed.", "django_csrf"),
        (
            500,
            "hmac.compare_digest(signature, expected) TypeError: unsupported operand types(s) or combination of types: 'NoneType' and 'str'",
            "python_missing_signature",
        ),
        (500, "Internal Server Error", None),
        (403, "Forbidden", None),
    ],
)
def test_the_evidence_in_an_answer_names_the_mistake(status: int, body: str, code: str | None) -> None:
    found = answer_hint(Seen(status, body))
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("headers", "body", "framework"),
    [
        ((("x-powered-by", "Express"),), "", Framework.EXPRESS),
        ((("x-powered-by", "Next.js"),), "", Framework.NEXT),
        ((("server", "Werkzeug/3.1 Python/3.12"),), "", Framework.FLASK),
        ((("server", "hypercorn-h11"),), "", Framework.QUART),
        ((("server", "Python/3.12 aiohttp/3.14"),), "", Framework.AIOHTTP),
        ((("server", "WSGIServer/0.2 CPython/3.12"),), "", Framework.DJANGO),
        ((("x-frame-options", "DENY"), ("cross-origin-opener-policy", "same-origin")), "", Framework.DJANGO),
        ((("server", "uvicorn"),), "", Framework.FASTAPI),
        ((), '{"detail":"Not Found"}', Framework.FASTAPI),
        ((), '{"statusCode":400,"code":"FST_ERR","error":"Bad Request","message":"x"}', Framework.FASTIFY),
        ((), '{"received":true}', Framework.UNKNOWN),
    ],
)
def test_the_framework_is_betrayed_by_headers_or_by_an_error(
    headers: tuple[tuple[str, str], ...], body: str, framework: Framework
) -> None:
    assert framework_of([Answer("nothing"), Answer("an event", 200, headers, body)]) is framework


@pytest.mark.parametrize("of", Remedy)
@pytest.mark.parametrize("framework", Framework)
def test_there_is_a_remedy_for_every_framework_and_for_none(of: Remedy, framework: Framework) -> None:
    told = remedy(of, framework)
    assert len(told) > 20
    assert told.startswith(f"{framework.value}: ") or told == remedy(of, Framework.UNKNOWN)


@pytest.mark.parametrize(("text", "number"), [("3\n", 3), (' {"count": 4} ', 4), ('["a","b"]', 2), ("[]", 0)])
def test_the_number_of_effects_is_read_from_what_is_usual(text: str, number: int) -> None:
    assert number_in(text, source="effects_url") == number


@pytest.mark.parametrize("text", ["", "three", "3.5", "true", '{"count": true}', '{"n": 1}', "<html>"])
def test_what_is_no_number_of_effects_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="which is no number"):
        number_in(text, source="effects_url")


def test_every_other_signature_differs_from_the_right_one() -> None:
    found = dict(other_signatures(b"{}", "scsec_dev"))
    assert {
        'with the prefix "sha256="',
        "in upper case",
        "in base64",
        "with the secret with a newline at its end",
    } <= set(found)
    assert sign("scsec_dev", b"{}") not in found.values()


# --- the report in its other forms ------------------------------------------------------------------------------


def check(id: str, result: str, **more: str) -> dict[str, str]:
    texts = dict.fromkeys(("title", "expected", "got", "why", "fix", "page", "sent", "answer"), "") | more
    return {"id": id, "result": result, **texts}


REPORT: dict[str, Any] = {
    "url": "http://localhost:8000/hook",
    "duration_ms": 420,
    "effects_asked": 0,
    "effects_ms": 0,
    "checks": [
        check("SIG-1", "pass", got="200"),
        check("SIG-2", "fail", got="200", why='a "forged" <delivery>', answer="200 \x1b[31m"),
        check("DUP-2", "skip", why="needs --effects-url or --effects-cmd"),
        check("DUP-3", "warn", why="effects not seen"),
    ],
}


@pytest.mark.parametrize(
    ("strict", "required", "bad"),
    [
        (False, (), {"SIG-2"}),
        (True, (), {"SIG-2", "DUP-3"}),
        (False, ("DUP-2", "SIG-1"), {"SIG-2", "DUP-2"}),
        (False, ("BIG-1",), {"SIG-2", "BIG-1"}),
    ],
)
def test_only_failures_count_unless_more_is_asked_for(strict: bool, required: tuple[str, ...], bad: set[str]) -> None:
    assert failing(REPORT, strict=strict, required=required) == bad


def test_what_a_receiver_wrote_cannot_move_the_cursor() -> None:
    counts = dict.fromkeys(("passed", "failed", "warned", "skipped"), 1)
    report = REPORT | counts | {"framework": None, "limits": ["a limit"]}
    text = "\n".join(report_lines(report, {"SIG-2"}, Output(environment={"NO_COLOR": "1"})))
    assert "came  200 \\x1b[31m" in text
    assert "\x1b" not in text


def test_junit_has_a_case_for_each_check_and_one_for_what_was_required_and_not_run() -> None:
    suite = ElementTree.fromstring(junit(REPORT, {"SIG-2", "DUP-2", "BIG-1"}))  # noqa: S314 - our own text
    outcomes = {case.attrib["name"].split()[0]: [child.tag for child in case] for case in suite}
    assert outcomes == {
        "SIG-1": ["system-out"],
        "SIG-2": ["failure"],
        "DUP-2": ["failure"],
        "DUP-3": ["system-out"],
        "BIG-1": ["failure"],
    }
    assert {name: suite.attrib[name] for name in ("tests", "failures", "skipped", "time")} == {
        "tests": "5",
        "failures": "3",
        "skipped": "0",
        "time": "0.420",
    }
    assert suite[1][0].attrib["message"] == 'a "forged" <delivery>'


@pytest.mark.parametrize(
    "framework", [Framework.FLASK, Framework.QUART, Framework.AIOHTTP, Framework.DJANGO, Framework.EXPRESS]
)
def test_a_crash_is_told_with_several_causes_and_the_log_as_the_judge(framework: Framework) -> None:
    told = remedy(Remedy.CRASH, framework)
    assert told.startswith(f"{framework.value}: look into the receiver's own log")
    assert (told.count(";") >= 2 or " and " in told, "Usual with the page's sample" in told) == (True, True)
    assert "Usual" not in remedy(Remedy.CRASH, Framework.UNKNOWN)


def test_the_time_that_effects_took_is_told_where_it_is_worth_a_word() -> None:
    counts: dict[str, Any] = {"passed": 1, "failed": 1, "warned": 1, "skipped": 1, "framework": None, "limits": []}
    output = Output(environment={})
    texts = [
        "\n".join(
            report_lines(REPORT | counts | {"duration_ms": 7200, "effects_asked": 14, "effects_ms": ms}, (), output)
        )
        for ms in (6400, 300)
    ]
    assert "in 7.2 s, 6.4 s of it to look for effects 14 times" in texts[0]
    assert "look for effects" not in texts[1]


@pytest.mark.parametrize(
    ("page", "shown"),
    [("/certify/crt_3", "report: http://127.0.0.1:7420/certify/crt_3"), (None, "report crt_3")],
)
def test_a_report_that_is_kept_is_named_with_its_page_where_there_is_a_console(page: str | None, shown: str) -> None:
    counts: dict[str, Any] = {"passed": 1, "failed": 1, "warned": 1, "skipped": 1, "framework": None, "limits": []}
    report = REPORT | counts | {"id": "crt_3", "page": page}
    lines = list(report_lines(report, (), Output(environment={}), server="http://127.0.0.1:7420"))
    assert [line.rpartition("   ")[2] for line in lines if "1 passed" in line] == [shown]
