// The page of a replay draws itself again while it runs.
"use strict";

(() => {
  const again = async () => {
    const shown = Console.$("#replay");
    if (shown.dataset.state !== "running") return;
    if (!document.hidden) await Console.stream.refresh(shown, location.href).catch(() => null);
    setTimeout(again, 700);
  };
  setTimeout(again, 400);
})();
