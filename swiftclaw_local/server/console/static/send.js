// The page Send: what will be sent is shown anew while it is typed, and Ctrl+Enter sends it.
"use strict";

(() => {
  const form = document.getElementById("send");
  const shown = document.getElementById("preview");
  let timer, asked = 0;

  async function preview() {
    const number = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("part", "1");
    try {
      const [answer, text] = await Console.late(shown, async () => {
        const found = await fetch(form.dataset.preview, { method: "POST", body: fields, headers: { Accept: "text/html" } });
        return [found, await found.text()];
      });
      // what was asked for last is what is shown; a page of another kind is an error that the next one may not have
      if (number === asked && answer.ok) shown.innerHTML = text;
    } catch {
      Console.toast("The server does not answer.");
    }
  }

  form.addEventListener("input", (event) => {
    if (event.target.name === "type") return retype();
    clearTimeout(timer);
    timer = setTimeout(preview, 200);
  });

  // another type has another sample; what was typed stays
  const sample = form.elements.data.value;
  function retype() {
    if (form.elements.data.value.trim() !== sample.trim()) return preview();
    const fields = new URLSearchParams({ type: form.elements.type.value, agent: form.elements.agent.value });
    if (form.elements.webhook.value) fields.set("webhook", form.elements.webhook.value);
    location.assign(`/send?${fields}`);
  }

  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit($send);
    }
  });
  const $send = form.querySelector("button.main");
})();
