// The console's script: what the pages do by themselves, it does without loading them again. Every page reads without it.
"use strict";

const Console = (() => {
  const body = document.body;
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- the engine's clock, carried on from where the page was made ---
  const made = performance.now();
  const clock = { mode: body.dataset.mode, rate: Number(body.dataset.rate), at: Number(body.dataset.now), since: made };
  const now = () => clock.at + ((performance.now() - clock.since) / 1000) * clock.rate;
  const two = (number) => String(number).padStart(2, "0");
  const timeText = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);

  function spanText(span) {
    const seconds = Math.max(0, Math.ceil(span));
    const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    if (days) return `${days}d ${two(hours)}h`;
    if (hours) return `${hours}h ${two(minutes)}m`;
    return minutes ? `${minutes}m ${two(seconds % 60)}s` : `${seconds}s`;
  }

  function tick() {
    const shown = $("#clock");
    if (shown) shown.textContent = timeText(now());
    for (const each of all("[data-until]")) each.textContent = spanText(Number(each.dataset.until) - now());
  }

  // --- texts for the moment ---
  let toastTimer;
  function toast(text) {
    const shown = $("#toast");
    shown.hidden = false;
    shown.textContent = text;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { shown.hidden = true; }, 6000);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      toast("The browser does not let this page copy. Mark the text and copy it yourself.");
    }
  }

  async function copyFrom(address) {
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) copy(await answer.text());
    else toast("The server does not answer.");
  }

  // What is fetched for a part of the page: when it is late, the part says that it is loading, which is not being empty.
  async function late(element, fetching) {
    const timer = setTimeout(() => element.setAttribute("aria-busy", "true"), 400);
    try {
      return await fetching();
    } finally {
      clearTimeout(timer);
      element.removeAttribute("aria-busy");
    }
  }

  // A form that stays on its page: sent by the script, answered in JSON.
  async function sendQuietly(form, button) {
    const fields = new URLSearchParams(new FormData(form, button));
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
      const told = await answer.json();
      toast(answer.ok ? told.said : [told.error.message, told.error.hint].filter(Boolean).join(" "));
      form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: told }));
    } catch {
      toast("The server does not answer.");
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (button) copy(button.dataset.copy ?? $(button.dataset.copyFrom).textContent);
    const fetched = event.target.closest("[data-copy-url]");
    if (fetched) copyFrom(fetched.dataset.copyUrl);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
    if ("quiet" in form.dataset) {
      event.preventDefault();
      sendQuietly(form, event.submitter);
    }
  });

  // what a quiet form was answered may be there to be copied
  document.addEventListener("done", (event) => {
    const text = event.detail.data?.[event.target.dataset.copies];
    if (text) copy(text);
  });

  // --- keys ---
  // rows: anything with data-row, in the order of the page; keys: a button or link with data-key
  const rows = () => all("[data-row]").filter((row) => row.offsetParent !== null);
  const current = () => $("[data-row].at") ?? document.activeElement?.closest?.("[data-row]");

  function move(by) {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(current());
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))];
    for (const row of list) row.classList.toggle("at", row === next);
    const link = $("a.go", next) ?? next;
    link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function press(key) {
    const row = current();
    const target = (row && $(`[data-key="${key}"]`, row)) ?? $(`main [data-key="${key}"]:not([data-row] *)`);
    if (!target) return false;
    target.click();
    return true;
  }

  let going = 0;
  function onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      if (field) field.blur();
      else for (const row of all("[data-row].at")) row.classList.remove("at");
      return;
    }
    if ((field && field.type !== "checkbox") || body.dataset.keys !== "on") return;
    if (going && performance.now() - going < 1500) {
      going = 0;
      const way = all(".ways a").find((link) => link.title === `g ${event.key}`);
      if (way) { event.preventDefault(); way.click(); return; }
    }
    const done = {
      "/": () => { $("#search").focus(); $("#search").select(); return true; },
      "?": () => { location.href = "/help"; return true; },
      g: () => { going = performance.now(); return true; },
      j: () => { move(1); return true; },
      k: () => { move(-1); return true; },
    }[event.key]?.() ?? (event.key.length === 1 && press(event.key));
    if (done) event.preventDefault();
  }
  document.addEventListener("keydown", onKey);

  // a note was shown once; the address is the page's again
  const address = new URL(location.href);
  if (address.searchParams.has("said")) {
    address.searchParams.delete("said");
    history.replaceState(null, "", address);
  }

  // on a narrow screen the ways run out of it: the one to this page is shown
  const way = $(".ways [aria-current]");
  if (way) way.parentElement.scrollLeft = way.offsetLeft - 16;

  tick();
  setInterval(tick, 500);
  return { $, all, clock, late, now, toast, copy, timeText, spanText, rows, move, tick };
})();
