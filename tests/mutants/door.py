"""The guards of the door and of the console: who may call, what a page lets in, and what others' bytes may do on it."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import unsimulated as _guard

_DOOR: Final = "tests/acceptance/test_guard.py"
_STRANGER: Final = (f"{_DOOR}::test_a_stranger_is_refused_by_every_route",)
_SCOPE: Final = (f"{_DOOR}::test_a_token_opens_what_its_scope_says",)
_TOKEN: Final = (f"{_DOOR}::test_without_a_token_only_health_is_answered",)
_FRAME: Final = "tests/acceptance/test_console_frame.py"
_IN_FRAME: Final = (f"{_FRAME}::test_a_page_is_html_in_the_frame_and_lets_in_nothing_but_our_own_files",)
_ELSEWHERE: Final = (f"{_FRAME}::test_a_form_never_leads_elsewhere",)
_OUTSIDE: Final = ("tests/acceptance/test_console_deliveries.py",)
_SECRET: Final = ("tests/acceptance/test_console_tokens.py::test_a_secret_is_shown_to_admins_alone",)

DOOR: Final = (
    # --- who may call
    _guard(
        "door: the Host is a name of this server",
        "server/guard.py",
        " or not self._is_ours(request, match):",
        ":",
        _STRANGER,
    ),
    _guard(
        "door: the Host has the port that the connection came in by",
        "server/guard.py",
        "return is_loopback(name) and port == _own_port(request)",
        "return is_loopback(name)",
        _STRANGER,
    ),
    _guard(
        "door: a target with a host of its own is no way past the Host",
        "server/guard.py",
        "request.host.lower() not in (host, match.group(1)) or ",
        "",
        (f"{_DOOR}::test_a_host_that_is_not_one_is_refused",),
    ),
    _guard(
        "door: a page of another origin may not call",
        "server/guard.py",
        "        if origin.lower() not in ours:",
        '        if origin.lower() == "null":',
        _STRANGER,
    ),
    _guard(
        "door: a page without an origin may not call",
        "server/guard.py",
        "        if origin.lower() not in ours:",
        '        if origin.lower() not in (*ours, "null"):',
        _STRANGER,
    ),
    _guard(
        "door: a page of another site may not call, whatever its origin says",
        "server/guard.py",
        'if site.lower() not in ("same-origin", "none"):',
        'if site.lower() in ("same-origin",):',
        _STRANGER,
    ),
    _guard(
        "door: a delivery may not call",
        "server/guard.py",
        "if _SIGNATURE in request.headers or ",
        "if ",
        _STRANGER,
    ),
    _guard(
        "door: our own sender may not call",
        "server/guard.py",
        ' or request.headers.get("User-Agent", "").startswith(USER_AGENT.partition("/")[0]):',
        ":",
        _STRANGER,
    ),
    _guard(
        "door: with a token file every route asks for a token",
        "server/guard.py",
        'return "open" if needed == "open" else',
        'return "open" if needed in ("open", "read") else',
        _TOKEN,
    ),
    _guard(
        "door: what no route answers asks for a token, too",
        "server/guard.py",
        'scopes.get(request.match_info.route, "read")',
        'scopes.get(request.match_info.route, "open")',
        _TOKEN,
    ),
    _guard(
        "door: a token opens no more than its scope",
        "server/guard.py",
        "    if not allows(scope, needed):",
        '    if not allows(scope, "read"):',
        _SCOPE,
    ),
    _guard(
        "door: an unknown token opens nothing",
        "server/tokens.py",
        "if hmac.compare_digest(token.digest, digest):",
        "if hmac.compare_digest(token.digest, digest) or len(presented) == 40:",
        _TOKEN,
    ),
    _guard(
        "door: a token that can be guessed is refused",
        "server/tokens.py",
        "    if len(text) < _MIN_LENGTH:",
        "    if not text:",
        (f"{_DOOR}::test_a_token_file_that_cannot_be_used_is_refused_without_showing_it",),
    ),
    _guard(
        "door: an address that others reach asks for tokens",
        "server/serve.py",
        "    elif not is_loopback(settings.host):",
        "    elif not settings.host:",
        (f"{_DOOR}::test_an_address_that_others_reach_asks_for_tokens",),
    ),
    # --- the console
    _guard(
        "console: a page's action asks for the scope that it was given",
        "server/app.py",
        "scopes[app.router.add_route(method, path, answering)] = scope",
        'scopes[app.router.add_route(method, path, answering)] = "read"',
        (f"{_FRAME}::test_a_browser_gives_a_token_as_a_password",),
    ),
    _guard(
        "console: a secret is shown to admins alone",
        "server/console/pages/webhook.py",
        'Action(f"{_ONE}/secret", show_secret, "admin")',
        'Action(f"{_ONE}/secret", show_secret, "manage")',
        _SECRET,
    ),
    _guard(
        "console: a page runs no script but our files",
        "server/console/rendering.py",
        "        \"script-src 'self'\",",
        "        \"script-src 'self' 'unsafe-inline'\",",
        _IN_FRAME,
    ),
    _guard(
        "console: a page loads nothing that is not named",
        "server/console/rendering.py",
        "        \"default-src 'none'\",\n",
        "",
        _IN_FRAME,
    ),
    _guard(
        "console: a page stands in no frame of others",
        "server/console/rendering.py",
        "        \"frame-ancestors 'none'\",\n",
        "",
        _IN_FRAME,
    ),
    _guard(
        "console: a page's forms go nowhere else",
        "server/console/rendering.py",
        "        \"form-action 'self'\",\n",
        "",
        _IN_FRAME,
    ),
    _guard(
        "console: what came from outside is text",
        "server/console/rendering.py",
        "autoescape=True",
        "autoescape=False",
        _OUTSIDE,
    ),
    _guard(
        "console: control characters of what came from outside are spelled out",
        "server/console/pages/delivery.py",
        "raw=clean(body.decode(",
        "raw=str(body.decode(",
        _OUTSIDE,
    ),
    _guard(
        "console: control characters of an answer are spelled out",
        "server/console/pages/delivery.py",
        '"raw": clean(body)}',
        '"raw": body}',
        _OUTSIDE,
    ),
    _guard(
        "console: an action takes a form, as no page of others can send one unasked",
        "server/console/forms.py",
        "    if request.content_type != FORM:",
        "    if not request.content_type:",
        (f"{_FRAME}::test_no_action_is_done_by_get_or_for_a_page_of_others",),
    ),
    _guard(
        "console: a form leads back to a page of ours alone",
        "server/console/going.py",
        'not parts.scheme and not parts.netloc and "\\\\" not in text',
        'not parts.scheme and "\\\\" not in text',
        _ELSEWHERE,
    ),
    _guard(
        "console: a form leads to nothing that a browser reads as another host",
        "server/console/going.py",
        ' and "\\\\" not in text',
        "",
        _ELSEWHERE,
    ),
    _guard(
        "console: what an action says is shown once, and never out of an address",
        "server/console/notes.py",
        "self._notes.pop(name, None)",
        'self._notes.pop(name, Note(name, "note"))',
        (f"{_FRAME}::test_a_form_leads_back_with_what_it_did_said_once",),
    ),
    _guard(
        "console: new rows come as so many at most",
        "server/console/pages/live.py",
        "start = max(query.after, head.seq - MOST_NEW) if query.after <= head.seq else 0",
        "start = query.after if query.after <= head.seq else 0",
        ("tests/acceptance/test_console_live.py",),
    ),
    _guard(
        "console: a list has pages",
        "server/console/pages/deliveries.py",
        "limit=ROWS, cursor=query.cursor",
        "limit=10**6, cursor=query.cursor",
        (f"{_OUTSIDE[0]}::test_a_long_list_has_pages",),
    ),
    _guard(
        "console: so many rows are marked at most",
        "server/console/pages/deliveries.py",
        "Field(max_length=MOST_AT_ONCE)",
        "Field(max_length=10**6)",
        _OUTSIDE,
    ),
    _guard(
        "a page of a list has so many rows at most",
        "server/queries.py",
        "Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]",
        "Limit = Annotated[int, Field(ge=1)]",
        ("tests/acceptance/test_api_deliveries.py",),
    ),
)
