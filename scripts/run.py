"""`make run`: the server with a sample receiver beside it, one event delivered to show that all works, and then on until ^C.

The server is a child process, `swiftclaw serve`, so that it is what people run themselves. What is shown is what the
commands print when a person types them. It keeps its data in .swiftclaw of the working directory, and decides nothing else.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any, Final

from scripts.sample_receiver import PATH, PORT, Receiver

AGENT: Final = "my-agent"
DATA: Final = Path(".swiftclaw")
READY_WITHIN_S: Final = 30.0
LOOK_AGAIN_S: Final = 0.05
PORT_TAKEN: Final = 5  # the exit code of a taken port, as of `swiftclaw serve`
SWIFTCLAW: Final = (sys.executable, "-m", "swiftclaw_local")


def main(arguments: list[str]) -> int:
    """Run until ^C and return the server's exit code; `arguments` are further ones for `swiftclaw serve`."""
    receiver = listening(int(os.environ.get("RECEIVER_PORT", PORT)))
    # a session of its own: a ^C reaches the server through us, once
    serve = [*SWIFTCLAW, "serve", "--db", str(DATA / "swiftclaw.db"), "--log-level", "warning", *arguments]
    server = subprocess.Popen(serve, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: pass_on(server, number))
    url = url_when_ready(server)
    if url is None:
        return server.wait()
    if isinstance(receiver, str):
        print(f"error: {receiver}", file=sys.stderr)
        server.terminate()
        server.wait()
        return PORT_TAKEN
    show(receiver, url)
    return server.wait()


def listening(port: int) -> Receiver | str:
    """Return the sample receiver, bound to its port, or the sentence that says why not."""
    try:
        return Receiver(port)
    except OSError as error:
        return (
            f"The sample receiver cannot listen on port {port}: {error.strerror}. "
            f"Free it, or choose another: make run RECEIVER_PORT={port + 1}"
        )


def pass_on(server: subprocess.Popen[bytes], number: int) -> None:
    """Give a signal to the server: the first asks it to stop in order, the second ends it at once."""
    if server.poll() is None:
        server.send_signal(number)


def url_when_ready(server: subprocess.Popen[bytes]) -> str | None:
    """Return the server's URL once it answers; None when it ended instead, which it has explained itself."""
    note = DATA / "server.json"
    give_up_at = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < give_up_at:
        if note.is_file():
            written = json.loads(note.read_text(encoding="utf-8"))
            if written["pid"] == server.pid:
                return str(written["url"])
        time.sleep(LOOK_AGAIN_S)
    if server.poll() is None:
        print(f"error: The server did not answer within {READY_WITHIN_S:.0f} s.", file=sys.stderr)
        server.terminate()
    return None


def show(receiver: Receiver, url: str) -> None:
    """Register the receiver unless something is registered, and deliver one event to it."""
    place = f"http://127.0.0.1:{receiver.server_port}{PATH}"
    webhooks = asked(url, "webhooks", "list", "--all-agents")["data"]
    if not webhooks:
        type_it(url, "webhooks", "create", AGENT, "--url", place)
        webhooks = asked(url, "webhooks", "list", AGENT)["data"]
    ours = [hook for hook in webhooks if hook["url"].startswith(place.removesuffix(PATH))]
    if not ours:
        receiver.server_close()
        print(
            "\nYour own webhooks are left as they are; the sample receiver is not needed, and does not run.", flush=True
        )
        return
    hook = ours[0]
    receiver.secret = asked(url, "webhooks", "secret", hook["agent"], hook["id"])["secret"]
    Thread(target=receiver.serve_forever, name="receiver", daemon=True).start()
    type_it(url, "trigger", "agent.completed", "--agent", hook["agent"])
    type_it(url, "webhooks", "logs", hook["agent"], hook["id"])
    print("\nGoing on until ^C. In a second terminal, in this folder:\n\n$ . .venv/bin/activate")
    print(f"$ swiftclaw webhooks test {hook['agent']} {hook['id']}", flush=True)


def type_it(url: str, *words: str) -> None:
    """Show a command and run it; what it ends with is the person's to read."""
    print(f"\n$ swiftclaw {shlex.join(words)}", flush=True)
    subprocess.run([*SWIFTCLAW, *words], env=environment(url), check=False)


def asked(url: str, *words: str) -> Any:
    """Return what a command answers as JSON."""
    answer = subprocess.run([*SWIFTCLAW, *words, "--json"], env=environment(url), check=True, capture_output=True)
    return json.loads(answer.stdout)


def environment(url: str) -> dict[str, str]:
    """Return the environment in which a command finds the server that was started here, and no other."""
    return os.environ | {"SWIFTCLAW_API_URL": url}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
