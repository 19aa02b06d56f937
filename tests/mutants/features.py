"""The guards of what is built on deliveries: faults, certifying, the fixtures for pytest."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import Edit, Guard

FEATURES: Final = (
    # --- faults, which break promises on purpose, and no more of them than they say
    Guard(
        "a fault meets as many attempts as it was armed for",
        (Edit("dispatcher/armed.py", "if not one.over(now) and one.fits(claim)", "if one.fits(claim)"),),
        ("tests/engine/test_faults_armed.py",),
        db=None,
    ),
    Guard(
        "a fault of one webhook leaves the others alone",
        (Edit("dispatcher/armed.py", "self.webhook_id in (None, claim.webhook_id) and ", ""),),
        ("tests/engine/test_faults_armed.py",),
        db=None,
    ),
    Guard(
        "a delivery that was doubled or held back comes again once, and then passes",
        (Edit("dispatcher/armed.py", "if claim.delivery_id in one.caught:", "if claim.delivery_id in ():"),),
        ("tests/engine/test_faults.py",),
        db=None,
    ),
    Guard(
        "the second request at the same time is fenced by a token of its own",
        (Edit("dispatcher/engine.py", "lease_token=-claim.lease_token", "lease_token=claim.lease_token"),),
        ("tests/engine/test_faults.py",),
        db=None,
    ),
    Guard(
        "what is held back uses up no retry",
        (Edit("dispatcher/faults.py", "attempt.ended_at + hit.hold, uses_retry=False", "attempt.ended_at + hit.hold"),),
        ("tests/engine/test_faults.py",),
        db=None,
    ),
    Guard(
        "what is carried badly gets a connection of its own",
        (Edit("dispatcher/sender.py", "None if request.manner is not None else self._pool", "self._pool"),),
        ("tests/engine/test_faults.py",),
        db=None,
    ),
    # --- certifying
    Guard(
        "effects are read only where the server may send",
        (
            Edit(
                "certify/effects.py",
                "        if cause is not None:\n            failed =",
                "        if cause is not None and not host:\n            failed =",
            ),
        ),
        ("tests/acceptance/test_certify.py",),
        db=None,
    ),
    Guard(
        "one certification runs at a time",
        (Edit("platform/certifications.py", "async with self._one_at_a_time:", "async with asyncio.Lock():"),),
        ("tests/acceptance/test_certify.py",),
        db=None,
    ),
    Guard(
        "what was broken for a check is mended, whatever came of it",
        (
            Edit(
                "certify/course.py",
                "        finally:\n            await fix_it()",
                "        except TimeoutError:\n            await fix_it()",
            ),
        ),
        ("tests/engine/test_certify.py",),
        db=None,
    ),
    Guard(
        "a kept connection that had ended is not the receiver's failure",
        (Edit("certify/courier.py", "_TRIES: Final = 3", "_TRIES: Final = 1"),),
        ("tests/engine/test_certify.py",),
        db=None,
    ),
    # --- replaying elsewhere, and telling of it
    Guard(
        "a URL that is registered for a replay takes the deliveries of one webhook",
        (Edit("platform/webhooks.py", "        if len(own) > 1:\n", "        if len(own) > 9:\n"),),
        ("tests/acceptance/test_api_replays.py",),
        db=None,
    ),
    Guard(
        "a URL that is registered for a replay gets no event by itself",
        (
            Edit(
                "platform/webhooks.py",
                'Webhook("", of.agent, place.url, (), said',
                'Webhook("", of.agent, place.url, EVENT_TYPE_NAMES, said',
            ),
        ),
        ("tests/acceptance/test_api_replays.py",),
        db=None,
    ),
    Guard(
        "nothing is registered for what cannot be replayed",
        (Edit("platform/deliveries.py", ".id if delivery.state in ENDED else None", ".id"),),
        ("tests/acceptance/test_api_deliveries.py",),
        db=None,
    ),
    Guard(
        "how replays stood before somebody listened is not told as news",
        (Edit("server/stream.py", "            await self._replays.begin()\n", ""),),
        ("tests/acceptance/test_stream.py",),
        db=None,
    ),
    Guard(
        "a reset frees the slot of an attempt that was about to begin",
        (Edit("dispatcher/engine.py", "        self._lanes.clear()  # one", "        pass  # one"),),
        ("tests/engine/test_restart.py",),
        db=None,
    ),
    # --- the pytest plugin
    Guard(
        "a test clears no server that keeps its data",
        (Edit("pytest_plugin.py", "        _check_keeps_nothing(connection)\n", ""),),
        ("tests/plugin/test_runs.py",),
        db=None,
    ),
    Guard(
        "several workers do not clear one server",
        (Edit("pytest_plugin.py", 'if os.environ.get("PYTEST_XDIST_WORKER"):', "if not url:"),),
        ("tests/plugin/test_runs.py",),
        db=None,
    ),
    Guard(
        "a clock that runs stops with its test",
        (Edit("pytest_plugin.py", '    if clock != "manual":', "    if not clock:"),),
        ("tests/plugin/test_runs.py", "tests/plugin/test_verbs.py"),
        db=None,
    ),
    Guard(
        "the server of the tests ends with whoever started it",
        (Edit("testing/server.py", '"serve", "--until-eof")', '"serve")'),),
        ("tests/plugin/test_server.py",),
        db=None,
    ),
    Guard(
        "the server of the tests inherits no settings",
        (Edit("testing/server.py", 'if not name.startswith("SWIFTCLAW_") and', "if"),),
        ("tests/plugin/test_server.py",),
        db=None,
    ),
)
