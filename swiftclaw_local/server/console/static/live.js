// The live list: new rows come from the server as it draws them, at the top; while somebody reads further down they wait.
"use strict";

(() => {
  const { $, all } = Console;
  const MOST = 300, SUMMARY_MS = 5000, CHARTS_MS = 5000;
  const list = $("#sends"), more = $("#more"), pause = $("#pause");
  let rows = $("#rows"), after = Number(rows.dataset.after);
  let waiting = [], fetching = false, asked = false, paused = false;
  let told = { sends: 0, failed: 0 }, telling = 0, drawing = 0;

  // a list without rows is hidden and has no place
  const atTop = () => window.scrollY < (list.offsetTop || 1);

  async function fetchRows() {
    asked = true;
    if (fetching) return;
    fetching = true;
    while (asked) {
      asked = false;
      try {
        const text = await Console.late(list.hidden ? $("#nothing") : list, async () => {
          const answer = await fetch(`/live/rows?after=${after}`, { headers: { Accept: "text/html" } });
          return answer.ok ? answer.text() : null;
        });
        if (text === null) break;
        const part = new DOMParser().parseFromString(`<table>${text}</table>`, "text/html").querySelector("tbody");
        const next = Number(part.dataset.after);
        if (next < after) { location.reload(); return; } // the log was forgotten
        after = next;
        arrived([...part.rows].filter((row) => !row.dataset.attempt || !$(`[data-attempt="${row.dataset.attempt}"]`, rows)));
      } catch { break; }
    }
    fetching = false;
  }

  function arrived(fresh) {
    if (!fresh.length) return;
    waiting = [...fresh, ...waiting].slice(0, MOST);
    const sends = fresh.filter((row) => row.dataset.attempt);
    told.sends += sends.length;
    told.failed += sends.filter((row) => !row.classList.contains("delivered")).length;
    telling ||= setTimeout(summary, SUMMARY_MS);
    drawing ||= setTimeout(charts, CHARTS_MS);
    if (paused || !atTop()) offer();
    else showWaiting();
  }

  function offer() {
    more.hidden = !waiting.length;
    more.textContent = `${waiting.length} new, show`;
  }

  function showWaiting() {
    const fresh = waiting.map((row) => document.adoptNode(row));
    waiting = [];
    const older = new Map(all("[data-delivery] .waits", rows).map((waits) => [waits.closest("tr").dataset.delivery, waits]));
    for (const row of fresh) {
      row.classList.add("new");
      const waits = older.get(row.dataset.delivery);
      if (waits) waits.replaceWith("retried");
    }
    list.hidden = false;
    $("#nothing")?.remove();
    $(".tease")?.remove();
    rows.prepend(...fresh);
    while (rows.rows.length > MOST) rows.rows[rows.rows.length - 1].remove();
    offer();
  }

  // For those who hear the page: one sentence, at most every five seconds.
  function summary() {
    telling = 0;
    const { sends, failed } = told;
    told = { sends: 0, failed: 0 };
    $("#told").textContent = `${sends} new ${sends === 1 ? "send" : "sends"}, ${failed} without a 2xx.`;
  }

  async function charts() {
    await Console.stream.refresh($("#hour"), "/live/hour").catch(() => null);
    drawing = 0;
  }

  more.addEventListener("click", () => {
    for (const row of all(".at", rows)) row.classList.remove("at");
    showWaiting();
    window.scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  });
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.firstChild.textContent = paused ? "paused " : "pause ";
    if (!paused && waiting.length) showWaiting();
  });
  addEventListener("scroll", () => { if (waiting.length && !paused && atTop()) showWaiting(); }, { passive: true });
  Console.stream.on((message) => {
    if (message.kind === "attempt" || (message.kind === "open" && message.back_filled)) fetchRows();
  });
})();
