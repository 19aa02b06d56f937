// The page of one delivery draws itself again when something happens to it, unless somebody is writing in it.
"use strict";

(() => {
  const { $ } = Console;
  let drawing = 0;

  async function draw() {
    drawing = 0;
    const shown = $("#delivery");
    const busy = shown.contains(document.activeElement) && document.activeElement.matches("input[type=password], select");
    if (busy) return;
    const picked = [...shown.querySelectorAll(".tabs input:checked")].map((one) => one.id);
    const fresh = await Console.stream.refresh(shown, location.href).catch(() => null);
    for (const id of fresh ? picked : []) { const one = document.getElementById(id); if (one) one.checked = true; }
  }

  Console.stream.on((message) => {
    const mine = message.delivery === $("#delivery").dataset.delivery;
    if (mine || message.kind === "clock" || (message.kind === "open" && message.back_filled)) drawing ||= setTimeout(draw, 60);
  });
})();
