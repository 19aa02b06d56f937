// The list of deliveries: how many rows are marked, all of them at once, and filters that need no button.
"use strict";

(() => {
  const { $, all } = Console;
  const boxes = () => all("input[name=id]");
  const shown = $("#marked"), every = $("#every");

  function told() {
    if (!shown) return;
    const marked = boxes().filter((box) => box.checked).length;
    shown.textContent = marked ? `${marked} marked:` : "Mark rows to";
    every.checked = marked > 0 && marked === boxes().length;
    every.indeterminate = marked > 0 && !every.checked;
  }

  every?.addEventListener("change", () => {
    for (const box of boxes()) box.checked = every.checked;
    told();
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "id") told();
    else if (event.target.matches("#filters select")) event.target.form.requestSubmit();
  });
  $("#filters").addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
  $("#bulk")?.addEventListener("submit", (event) => {
    const marked = boxes().filter((box) => box.checked).length;
    const asks = marked && event.submitter?.value === "cancel";
    if (asks && !confirm(`Cancel ${marked} ${marked === 1 ? "delivery" : "deliveries"}?`)) event.preventDefault();
  });
  told();
})();
