// Listens to the event stream while the page is seen: the dot, the counts and the clock of the frame, and what a page asks for.
"use strict";

Console.stream = (() => {
  const { $, all, clock } = Console;
  const BACK_MS = 5000; // so long the dot says what was missed
  const listeners = [];
  const table = $("[data-position]");
  let position = table?.dataset.position ?? null;
  let missed = 0, tries = 0, abort = null, timer = 0, back = 0;

  function dot(is, text) {
    const shown = $("#dot");
    if (shown.dataset.is === is && shown.lastElementChild.textContent === text) return;
    shown.dataset.is = is;
    shown.lastElementChild.textContent = text;
  }

  // --- the frame's counts: asked for again when something happened, at most every second ---
  let counting = 0;
  function count() {
    counting ||= setTimeout(async () => {
      try {
        const answer = await fetch("/_local/status");
        if (answer.ok) show((await answer.json()).deliveries);
      } catch { /* the stream notices, too */ }
      counting = 0;
    }, 1000);
  }

  function show(counts) {
    for (const each of all("[data-count]")) each.textContent = counts[each.dataset.count].toLocaleString("en");
    const icon = $("link[rel=icon]");
    const address = `/favicon.svg?failed=${counts.failed}`;
    if (icon.getAttribute("href") !== address) icon.href = address;
  }

  function take(message) {
    if (message.id) position = message.id;
    if (message.kind === "open") {
      clearTimeout(back);
      dot("live", tries ? `back, ${message.back_filled} missed` : "live");
      if (tries) back = setTimeout(() => { if ($("#dot").dataset.is === "live") dot("live", "live"); }, BACK_MS);
      missed = 0;
      tries = 0;
      if (message.back_filled) count();
    } else if (message.kind === "end") {
      dot("lost", message.reason === "stopping" ? "server stopped" : "too slow, coming back");
    } else if (message.kind === "clock") {
      Object.assign(clock, { mode: message.mode, rate: message.rate, at: message.now, since: performance.now() });
      frozen();
      count();
    } else {
      // what comes before the stream is open again was missed
      if (tries) dot("trying", `reconnecting, ${++missed} missed`);
      count();
    }
    for (const listener of listeners) listener(message);
  }

  function frozen() {
    const chip = $(".chip");
    chip.className = `chip clock-${clock.mode}`;
    $("b", chip).textContent = { real: "REAL", manual: "FROZEN", fast: `x${clock.rate}` }[clock.mode];
    const form = $("form.clock");
    form.action = clock.mode === "real" ? "/clock/freeze" : "/clock/resume";
    $("button", form).textContent = clock.mode === "real" ? "freeze" : "resume";
    Console.tick();
  }

  async function listen() {
    abort = new AbortController();
    const headers = { Accept: "application/x-ndjson" };
    if (position) headers["Last-Event-ID"] = position;
    try {
      const answer = await fetch("/v1/stream", { headers, signal: abort.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      let rest = "";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) if (line) take(JSON.parse(line));
      }
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    again();
  }

  function again() {
    tries += 1;
    dot(tries > 3 ? "lost" : "trying", tries > 3 ? "no server, trying again" : "reconnecting");
    timer = setTimeout(listen, Math.min(5000, 250 * 2 ** tries));
  }

  // A browser keeps six connections to a server: only a page that is seen holds one. The others count now and then.
  function seen() {
    clearTimeout(timer);
    clearInterval(hiddenCount);
    abort?.abort();
    if (document.hidden) hiddenCount = setInterval(count, 15000);
    else listen();
  }
  let hiddenCount = 0;
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", () => abort?.abort());
  seen();

  // Put a part of the page in the place of the older one, as the server draws it; not while somebody is at work in it.
  async function refresh(element, address) {
    const made = await Console.late(element, async () => {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    });
    const fresh = made?.getElementById(element.id);
    if (!fresh) return null;
    for (const open of element.querySelectorAll("details[open]")) {
      const same = [...fresh.querySelectorAll("details")].find((one) => one.className === open.className);
      if (same) same.open = true;
    }
    element.replaceWith(document.adoptNode(fresh));
    return fresh;
  }

  return { on: (listener) => listeners.push(listener), refresh, count };
})();
