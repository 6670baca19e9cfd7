"use strict";
// Only convenience: filters, arrow keys, copying, opening what is folded. The document is complete without it.
(function () {
  const byId = (id) => document.getElementById(id);
  const map = byId("map");

  function reveal() {
    const target = location.hash.length > 1 && !location.hash.includes("=") ? byId(location.hash.slice(1)) : null;
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    if (target) target.scrollIntoView();
  }

  let reopened = [];
  addEventListener("beforeprint", () => {
    reopened = [...document.querySelectorAll("details:not([open])")];
    reopened.forEach((node) => { node.open = true; });
  });
  addEventListener("afterprint", () => { reopened.forEach((node) => { node.open = false; }); });

  function selectText(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  document.querySelectorAll(".copy").forEach((button) => {
    const script = button.parentElement.querySelector("pre");
    button.hidden = false;
    button.addEventListener("click", async () => {
      let done = false;
      try {
        await navigator.clipboard.writeText(script.textContent);
        done = true;
      } catch {
        selectText(script);
        done = document.execCommand("copy");
      }
      button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy script"; }, 2500);
    });
  });

  if (!map) {
    addEventListener("hashchange", reveal);
    reveal();
    return;
  }

  const controls = {
    q: byId("by-text"), tenant: byId("by-tenant"), persona: byId("by-persona"),
    command: byId("by-command"), outcome: byId("by-outcome"),
  };
  const onlyDifferences = byId("only-differences");
  const rows = [...map.tBodies[0].rows];
  const heads = [...map.tHead.rows[1].cells];
  const groups = [...map.tHead.rows[0].cells].slice(2);
  const sums = [...map.tFoot.rows[0].cells].slice(2);
  const commands = ["select", "insert", "update", "delete"];
  const expected = "ad";

  function shownColumns() {
    return heads.map((head) =>
      (!controls.tenant.value || head.dataset.tenant === controls.tenant.value) &&
      (!controls.persona.value || head.dataset.persona === controls.persona.value));
  }

  function passes(link, index) {
    if (link.tagName !== "A") return false;
    if (controls.command.value && commands[index] !== controls.command.value) return false;
    return !controls.outcome.value || link.classList.contains(controls.outcome.value);
  }

  function differs(link) {
    return link.tagName === "A" && !expected.includes(link.classList[0]);
  }

  function filterRow(row, columns, narrowed) {
    let any = false;
    columns.forEach((shown, column) => {
      const cell = row.cells[column + 2];
      cell.hidden = !shown;
      [...cell.children].forEach((link, index) => {
        const passed = passes(link, index);
        link.classList.toggle("dim", narrowed && !passed && link.tagName === "A");
        if (shown && passed && (!onlyDifferences.checked || differs(link))) any = true;
      });
    });
    const named = row.cells[0].textContent.toLowerCase().includes(controls.q.value.trim().toLowerCase());
    row.hidden = !(named && (any || !(narrowed || onlyDifferences.checked)));
  }

  function apply() {
    const columns = shownColumns();
    const narrowed = Boolean(controls.command.value || controls.outcome.value);
    heads.forEach((head, column) => { head.hidden = sums[column].hidden = !columns[column]; });
    groups.forEach((group) => {
      const count = heads.filter((head) => !head.hidden && head.dataset.tenant === group.dataset.tenant).length;
      group.hidden = count === 0;
      group.colSpan = Math.max(1, count);
    });
    rows.forEach((row) => filterRow(row, columns, narrowed));
    const shown = rows.filter((row) => !row.hidden).length;
    byId("shown").textContent = shown === rows.length ? "" : shown + " of " + rows.length + " relations shown";
    makeReachable();
  }

  function remember() {
    const state = new URLSearchParams();
    Object.entries(controls).forEach(([key, control]) => { if (control.value) state.set(key, control.value); });
    state.set("diff", onlyDifferences.checked ? "1" : "0");
    history.replaceState(null, "", "#" + state);
  }

  function recall() {
    if (!location.hash.includes("=")) return false;
    const state = new URLSearchParams(location.hash.slice(1));
    Object.entries(controls).forEach(([key, control]) => { control.value = state.get(key) || ""; });
    onlyDifferences.checked = state.get("diff") === "1";
    return true;
  }

  // One stop for the Tab key; arrows move from sign to sign among what is shown.
  let stop = null;
  function makeReachable(next) {
    const first = next || (stop && !stop.closest("[hidden]") ? stop : map.querySelector("tbody tr:not([hidden]) td:not([hidden]) a"));
    if (stop) stop.tabIndex = -1;
    stop = first;
    if (stop) stop.tabIndex = 0;
  }
  map.querySelectorAll("tbody td a").forEach((link) => { link.tabIndex = -1; });

  const visibleRows = () => rows.filter((row) => !row.hidden);
  const linksOf = (row) => [...row.querySelectorAll("td:not([hidden]) a")];
  const slot = (link) => [link.parentElement.cellIndex, [...link.parentElement.children].indexOf(link)];

  function sibling(link, key) {
    const row = link.closest("tr");
    const links = linksOf(row);
    const at = links.indexOf(link);
    if (key === "ArrowLeft") return links[at - 1];
    if (key === "ArrowRight") return links[at + 1];
    if (key === "Home") return links[0];
    if (key === "End") return links[links.length - 1];
    const step = key === "ArrowUp" ? -1 : 1;
    const [column, index] = slot(link);
    const all = visibleRows();
    for (let i = all.indexOf(row) + step; all[i]; i += step) {
      const found = all[i].cells[column].children[index];
      if (found && found.tagName === "A") return found;
    }
    return undefined;
  }

  map.addEventListener("keydown", (event) => {
    const link = event.target.closest("td a");
    if (!link || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const next = sibling(link, event.key);
    if (!next) return;
    makeReachable(next);
    next.focus();
  });

  const readout = byId("readout");
  const tell = (event) => {
    const link = event.target.closest("td a");
    if (link) readout.textContent = link.getAttribute("aria-label");
  };
  readout.hidden = false;
  map.addEventListener("mouseover", tell);
  map.addEventListener("focusin", tell);

  const changed = () => { apply(); remember(); };
  Object.values(controls).forEach((control) => control.addEventListener("input", changed));
  onlyDifferences.addEventListener("input", changed);
  byId("filters").hidden = false;
  addEventListener("hashchange", () => { if (recall()) apply(); else reveal(); });
  if (!recall()) onlyDifferences.checked = rows.length > 40 && rows.some((row) => row.cells[1].textContent);
  apply();
  reveal();
})();
