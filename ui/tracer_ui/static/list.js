// The run list: selecting, folding, and what is done to runs. Everything works without it.
(() => {
  "use strict";
  const { commands, runRow, say } = window.tracer;
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const list = $("#rows");
  if (!list) return;
  const none = document.createElement("i");
  const selected = () => all("#rows input[name=run]:checked");
  const press = (selector) => { const button = $(selector, runRow() || none); if (!button) return false; button.click(); };
  // Folds what was re-executed from the focused run, or shows it.
  const fold = (shut) => {
    const row = runRow();
    const link = row && $(".kin", row.dataset.family && shut ? $(`#r${row.dataset.family}`) || row : row);
    if (!link) return false;
    if ((link.getAttribute("aria-expanded") === "true") === shut) { if (shut) $(".run-link", link.closest("tr")).focus(); link.click(); }
  };

  Object.assign(commands, {
    "list-select": () => { const box = runRow() && $("input", runRow()); if (!box) return false; box.click(); },
    "list-compare": () => (selected().length === 2 ? $("[data-command=list-compare]").click() : say("Select two runs first: x")),
    "list-pin": () => press(".pin"),
    "list-label": () => press(".label"),
    "list-delete": () => {
      const row = runRow();
      if (!selected().length && row) $("input", row).click();
      if (selected().length) $("[data-command=list-delete]")?.click(); else say("Select a run first: x");
    },
    "list-unfold": () => fold(false),
    "list-fold": () => fold(true),
  });

  const count = () => { const n = selected().length; $("[data-selected]").textContent = n ? `${n} selected:` : "With the selected runs:"; };
  const unfolded = () => { for (const link of all(".kin", list)) link.setAttribute("aria-expanded", !!$(`[data-family="${link.closest("tr").id.slice(1)}"]`, list)); };
  list.addEventListener("change", count);
  document.addEventListener("htmx:after:swap", () => { unfolded(); count(); });
  list.addEventListener("click", (event) => {
    const link = event.target.closest(".kin");
    if (!link || event.ctrlKey || event.metaKey || link.getAttribute("aria-expanded") !== "true") return;
    event.preventDefault(); // before htmx sees it
    event.stopPropagation();
    for (const row of all(`[data-family="${link.closest("tr").id.slice(1)}"]`, list)) row.remove();
    unfolded();
    count();
  }, true);
  // Where the page that follows puts the focus: the row in focus, or the next one that stays.
  $("#selection").addEventListener("submit", (event) => {
    const rows = all(".run-row", list), leaves = /delete|restore/.test(event.submitter?.formAction);
    const at = rows.indexOf(runRow() || selected()[0]?.closest("tr"));
    const stays = (row) => !leaves || !$("input", row).checked;
    const next = rows.slice(Math.max(at, 0)).find(stays) || rows.slice(0, Math.max(at, 0)).reverse().find(stays);
    event.target.elements.at.value = next ? next.id.slice(1) : "";
  });
  count();
  // The browser goes to the address's row when all is loaded, and takes the focus away for it.
  const named = /^#r[0-9a-f]{32}$/.test(location.hash) && $(`${location.hash} .run-link`);
  if (named) window.addEventListener("load", () => setTimeout(() => named.focus({ preventScroll: true })));
})();
