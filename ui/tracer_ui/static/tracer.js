// Keys, stepping, following a run that goes on. Everything works without it, only slower.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const LOADED_CHUNKS = 12;

  // --- saying things ---------------------------------------------------------------------------
  let saying;
  const say = (text) => {
    clearTimeout(saying); // while a key repeats only the last place is read out
    saying = setTimeout(() => { $("#status").textContent = text; }, 120);
  };
  const notice = (text) => {
    const box = $("#notice");
    if (box.textContent !== text) box.textContent = text;
    box.hidden = !text;
  };

  // --- keys: the table is the one in the dialog ---------------------------------------------------
  const table = new Map();
  const place = document.body.dataset.place;
  for (const row of all("#keys [data-keys]")) {
    if (row.dataset.place !== place && row.dataset.place !== "everywhere") continue;
    for (const key of row.dataset.keys.split("|")) table.set(key, row.dataset.action);
  }
  const prefixes = new Set([...table.keys()].filter((key) => key.includes(" ")).map((key) => key.split(" ")[0]));
  let pending = "", pendingTimer;
  const typing = (element) => element.matches?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=file])");
  const forget = () => { clearTimeout(pendingTimer); pending = ""; };

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.isComposing) return;
    const key = (event.ctrlKey ? "Control+" : "") + event.key;
    const inField = typing(event.target);
    if (inField && key !== "Escape" && !event.ctrlKey) return;
    if ($("dialog[open]")) return;
    const found = pending ? table.get(`${pending} ${key}`) : table.get(key);
    const waited = pending;
    forget();
    if (!waited && prefixes.has(key)) {
      pending = key;
      // A lone "g" goes to the first step after a moment.
      pendingTimer = setTimeout(() => { pending = ""; if (table.has(`${key} ${key}`)) act(table.get(`${key} ${key}`), {}); }, 700);
      return;
    }
    if (found && act(found, event)) event.preventDefault();
  });

  // Runs a command; false leaves the key to the browser.
  const act = (command, event) => {
    const own = commands[command];
    if (own) return own(event) !== false;
    const element = $(`[data-command="${command}"]`);
    if (!element || element.closest("[hidden]")) return false;
    if (element.matches("input")) { element.focus(); element.select(); } else element.click();
    return true;
  };

  const move = (selector, step) => {
    const items = all(selector);
    const at = items.findIndex((item) => item.contains(document.activeElement));
    const next = items[at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step];
    if (!next) { say(step > 0 ? "End of the list" : "Beginning of the list"); return; }
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const runRow = () => document.activeElement.closest?.(".run-row");
  const commands = {
    "list-next": () => move(".run-link", 1),
    "list-previous": () => move(".run-link", -1),
    "list-open": (event) => { const link = runRow() && $(".run-link", runRow()); if (!link || event.target.matches("a, button, input")) return false; link.click(); },
    "row-next": () => move(".compare-row", 1),
    "row-previous": () => move(".compare-row", -1),
    "difference-next": () => move("[data-difference]", 1),
    "difference-previous": () => move("[data-difference]", -1),
    "difference-first": () => move("[data-first-difference]", 1),
    help: () => $("#keys").showModal(),
    escape: (event) => {
      const menu = $("details.menu[open]");
      if (menu) { menu.open = false; $("summary", menu).focus(); return; }
      if (typing(event.target)) { event.target.blur(); return; }
      if (steps && detail.contains(event.target)) { rowOf(current)?.focus(); return; }
      const up = $("[data-up]");
      if (up) up.click(); else if (place !== "runs") location.href = "/runs";
    },
  };

  window.tracer = { commands, move, runRow, say };

  // --- the run page -------------------------------------------------------------------------------
  const run = $("#run"), steps = $("#steps"), detail = $("#detail");
  const base = run && `/runs/${run.dataset.run}/steps`;
  let current = Number(run?.dataset.current || 0);
  let loading, sought = 0, focusDetail = false, forkNext = false;
  const rowOf = (n) => $(`#s${n} > a`);
  const count = () => Math.max(Number($("#run-head").dataset.steps), lastShown());
  const lastShown = () => Number($("#tail > li:last-child > a > .n")?.textContent || 0);

  // Puts the selection on step n; gives the row when it is loaded.
  const mark = (n, { focus = false } = {}) => {
    const row = rowOf(n);
    for (const old of all("[aria-current=step]", steps)) if (old !== row) { old.removeAttribute("aria-current"); old.tabIndex = -1; }
    sought = row ? 0 : n;
    if (row) {
      row.setAttribute("aria-current", "step");
      row.tabIndex = 0;
      if (focus) row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    } else {
      const gap = all(".chunk-gap", steps).find((c) => n >= c.dataset.first && n < +c.dataset.first + +c.dataset.count);
      gap?.scrollIntoView({ block: "center" }); // comes into view, so it loads; then marks again
    }
    return row;
  };
  const load = (url) => window.htmx.ajax("GET", url, { source: detail, target: detail, swap: "innerHTML" });
  const show = (n, { push = true, wait = 0, focus = true } = {}) => {
    current = n;
    jumping = false;
    mark(n, { focus: focus && !detail.contains(document.activeElement) });
    history[push && location.pathname !== `${base}/${n}` ? "pushState" : "replaceState"](null, "", `${base}/${n}`);
    clearTimeout(loading);
    loading = setTimeout(() => load(`/f${base}/${n}`), wait);
  };
  const step = (event, by) => {
    if (/^(Arrow|Home|End)/.test(event.key || "") && detail.contains(event.target)) return false; // scrolls there
    const n = current + by;
    if (n < 1 || n > count()) { say(by > 0 ? "End of the recording" : "Beginning of the recording"); return; }
    show(n, { push: false, wait: event.repeat ? 60 : 0 });
  };
  // The server knows where these lead; each starts where the one before has ended.
  let jumps = Promise.resolve(), waiting = 0, jumping = false;
  const jump = (command, event) => {
    if (event.repeat && waiting) return;
    waiting += 1;
    jumps = jumps.then(() => { jumping = true; return load(`/f${base}/${current}/go/${command}`); }).catch(() => {}).finally(() => { waiting -= 1; });
  };
  const shown = () => {
    const article = $("#step");
    if (!article) return;
    const n = Number(article.dataset.n);
    if (n !== current) {
      if (!jumping) return; // the keys have moved on meanwhile
      current = n;
      history.pushState(null, "", `${base}/${n}`);
      mark(n, { focus: !detail.contains(document.activeElement) });
    }
    jumping = false;
    document.title = document.title.replace(/^Step \d+/, `Step ${n}`);
    detail.scrollTop = 0;
    const line = $(".foot-command code"), twin = $(".foot-links a");
    if (line) line.textContent = article.dataset.commandLine;
    if (twin) twin.href = article.dataset.twin;
    say($("[data-end]", article) ? "End of the recording" : article.dataset.say);
    if (focusDetail) $("#step-title").focus();
    focusDetail = false;
    if (forkNext) { forkNext = false; $("#go-fork")?.click(); }
  };

  if (steps) {
    const rove = (root) => { for (const row of all("a.row:not([aria-current])", root)) row.tabIndex = -1; };
    rove(steps);
    rowOf(current)?.scrollIntoView({ block: "center" });
    Object.assign(commands, {
      next: (event) => step(event, 1),
      previous: (event) => step(event, -1),
      first: (event) => (detail.contains(event.target) && event.key === "Home" ? false : show(1)),
      last: (event) => (detail.contains(event.target) && event.key === "End" ? false : show(count())),
      // Of the step in focus, also while its detail is still on the way.
      fork: () => { if (Number($("#step")?.dataset.n) === current) $("#go-fork")?.click(); else forkNext = true; },
      detail: (event) => { if (!event.target.matches("a.row[aria-current]")) return false; $("#step-title").focus(); },
    });
    for (const command of ["out", "into"]) {
      commands[command] = (event) => {
        if (event.key?.startsWith("Arrow") && detail.contains(event.target)) return false;
        jump(command, event);
      };
    }
    for (const command of ["over", "back-over", "next-error", "previous-error", "next-model", "previous-model", "next-note", "asked"])
      commands[command] = (event) => { jump(command, event); };

    document.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      const link = event.target.closest?.("a");
      if (!link) return;
      const moved = link.dataset.command && $(".moves")?.contains(link);
      if (moved && commands[link.dataset.command]) { event.preventDefault(); $("#more-moves").open = false; commands[link.dataset.command]({}); return; }
      const target = new RegExp(`^${base}/(\\d+)$`).exec(link.pathname);
      if (!target || link.search || link.origin !== location.origin) return;
      event.preventDefault();
      focusDetail = event.detail === 0 && link.matches("a.row"); // pressed with Enter
      show(Number(target[1]), { focus: link.matches("a.row") });
    });
    window.addEventListener("popstate", () => {
      const target = new RegExp(`^${base}/(\\d+)$`).exec(location.pathname);
      if (target) { current = Number(target[1]); mark(current); load(`/f${base}/${current}`); } else location.reload();
    });
    document.addEventListener("htmx:after:swap", (event) => {
      const source = event.detail.ctx?.sourceElement;
      if (source === detail) { shown(); notice(""); }
      else if (event.target.matches?.(".chunk, .chunk-gap") || source?.matches?.(".chunk, .chunk-gap")) {
        rove(steps);
        const row = rowOf(current);
        if (row ? !row.hasAttribute("aria-current") : sought === current) mark(current, { focus: document.activeElement === document.body });
        evict();
      } else if (source?.id === "live") news();
    });

    // Chunks far from view become placeholders of the same height again.
    const evict = () => {
      const loaded = all("ol.chunk[data-count]", steps);
      const distance = (chunk) => Math.abs(chunk.offsetTop + chunk.offsetHeight / 2 - steps.scrollTop - steps.clientHeight / 2);
      for (const chunk of loaded.sort((a, b) => distance(a) - distance(b)).slice(LOADED_CHUNKS)) {
        if (chunk.contains(document.activeElement)) continue;
        const { first, count: rows } = chunk.dataset;
        const gap = document.createElement("div");
        Object.assign(gap, { className: "chunk chunk-gap", id: chunk.id });
        Object.assign(gap.dataset, { first, count: rows });
        gap.setAttribute("hx-get", `/f/runs/${run.dataset.run}/rows?first=${first}&count=${rows}`);
        gap.setAttribute("hx-trigger", "intersect once root:#steps rootMargin:800px");
        gap.setAttribute("hx-swap", "outerHTML");
        const space = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        space.setAttribute("width", 1);
        space.setAttribute("height", rows * 28);
        gap.append(space);
        chunk.replaceWith(gap);
        window.htmx.process(gap);
      }
    };

    // Follows only while the focus is on the last step; else a button says what came.
    let before = count(), following;
    const newer = $("#newer");
    const news = () => {
      rove($("#tail"));
      const last = lastShown();
      if (rowOf(current) && !rowOf(current).hasAttribute("aria-current")) mark(current);
      if ($("#step")?.dataset.status === "running" && !rowOf(current)?.classList.contains("is-running") && !following) load(`/f${base}/${current}`);
      if (last <= before) return;
      if (current >= before) {
        clearTimeout(following);
        following = setTimeout(() => { following = 0; show(lastShown(), { push: false, focus: steps.contains(document.activeElement) }); }, 300);
      } else {
        newer.hidden = false;
        newer.textContent = `${last - current} newer steps (G)`;
      }
      before = last;
    };
    newer.addEventListener("click", () => show(count()));
    detail.addEventListener("htmx:after:swap", () => { if (current >= count()) newer.hidden = true; });
    document.addEventListener("done", (event) => {
      delete run.dataset.live;
      say(`The run has ended: ${event.detail?.data || ""}`);
      if ($("#step")?.dataset.status === "running") load(`/f${base}/${current}`);
    });
  }

  // --- live pages ------------------------------------------------------------------------------------
  document.addEventListener("ready", () => location.reload());
  document.addEventListener("open", (event) => { const path = event.detail?.data || ""; if (/^\/runs\/[0-9a-f]+$/.test(path)) location.href = path; });
  let failures = 0;
  const STOPPED = "The server has stopped. Start it again with: tracer ui";
  document.addEventListener("htmx:sse:error", () => { failures += 1; if (failures > 2) notice(STOPPED); });
  document.addEventListener("htmx:sse:after:connection", () => { failures = 0; notice(""); });
  document.addEventListener("htmx:error", (event) => { if (event.detail?.error instanceof TypeError) notice(STOPPED); });

  // --- small things ------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    const opener = event.target.closest?.("[data-dialog]");
    if (opener) { event.preventDefault(); $(`#${opener.dataset.dialog}`).showModal(); }
    const copy = event.target.closest?.("[data-copy]");
    if (copy) navigator.clipboard.writeText($(copy.dataset.copy).textContent).then(() => say("Copied"));
  });
  document.addEventListener("change", (event) => { if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit(); });
  $("[data-theme-form]")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const theme = event.submitter.value;
    document.documentElement.dataset.theme = theme;
    for (const button of all("button", event.target)) button.setAttribute("aria-pressed", button.value === theme);
    fetch("/theme", { method: "POST", body: new URLSearchParams({ theme, next: "/help" }), redirect: "manual" });
  });
  const guarded = $("[data-guard]");
  if (guarded) {
    let dirty = false;
    guarded.addEventListener("input", () => { dirty = true; });
    guarded.addEventListener("submit", () => { dirty = false; });
    window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
    guarded.addEventListener("click", (event) => { if (event.target.closest("[aria-disabled=true]")) { event.preventDefault(); $(".problems a, .warning")?.focus(); } });
    // htmx would take the submit of a form that carries hx-post for its own.
  }
})();
