"use strict";
// Only convenience: filters, arrow keys, copying, opening what is folded. The document is complete without it.
(function () {
  const byId = (id) => document.getElementById(id);
  const map = byId("map");
  const filters = byId("filters");

  // Folded parts open for what is linked to, and for the printer.
  function reveal() {
    const target = location.hash.length > 1 && !location.hash.includes("=") ? byId(location.hash.slice(1)) : null;
    if (target && target.closest("[hidden]")) showEverything();
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    if (target) target.scrollIntoView();
  }

  let reopened = [];
  addEventListener("beforeprint", () => {
    showRest();
    reopened = [...document.querySelectorAll("details:not([open])")];
    reopened.forEach((node) => { node.open = true; });
  });
  addEventListener("afterprint", () => { reopened.forEach((node) => { node.open = false; }); });

  // Copying says that it copied, to the eye and to a screen reader.
  function selectText(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  async function copied(node) {
    try {
      await navigator.clipboard.writeText(node.textContent);
      return true;
    } catch {
      selectText(node);
      return document.execCommand("copy");
    }
  }
  document.querySelectorAll(".copy").forEach((button) => {
    const text = button.parentElement.querySelector("pre, .command");
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copied(text);
      button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      byId("said").textContent = done ? "Copied to the clipboard" : "Selected, not copied: press Ctrl+C";
      setTimeout(() => { button.textContent = label; byId("said").textContent = ""; }, 2500);
    });
  });

  // The matrix: rows beyond the first are laid out once the browser has drawn those, and the reader can begin.
  if (map) map.classList.add("ready");
  const AT_FIRST = 60;
  const rows = map ? [...map.tBodies[0].rows] : [];
  let rest = [];
  function showRest() {
    rest.forEach((row) => { complete(row); row.hidden = false; });
    rest = [];
    if (map) map.removeAttribute("aria-busy");
  }
  function show(passing) {
    const first = new Set(passing.slice(0, AT_FIRST));
    first.forEach(complete);
    rows.forEach((row) => { if (row.hidden === first.has(row)) row.hidden = !row.hidden; });
    rest = passing.slice(AT_FIRST);
    if (!rest.length) return;
    map.setAttribute("aria-busy", "true");
    requestAnimationFrame(() => setTimeout(showRest));
  }

  if (!map) {
    addEventListener("hashchange", reveal);
    reveal();
    return;
  }

  const heads = [...map.tHead.rows[1].cells];
  const groups = [...map.tHead.rows[0].cells].slice(2);
  const sums = [...map.tFoot.rows[0].cells].slice(2);
  const names = rows.map((row) => row.cells[0].textContent);
  const personas = heads.map((head) => head.dataset.persona);
  const tenantOf = new Map(heads.map((head) => [head.dataset.persona, head.dataset.tenant]));
  const commands = ["select", "insert", "update", "delete"];
  const expected = "ad";
  const differs = (link) => link.tagName === "A" && !expected.includes(link.className[0]);

  // What the document leaves to the headers is said by each sign of a row once it is shown, and Tab passes over it.
  const completed = new Set();
  function complete(row) {
    if (completed.has(row)) return;
    completed.add(row);
    row.cells[0].firstElementChild.tabIndex = -1;
    personas.forEach((persona, column) => [...row.cells[column + 2].children].forEach((link, index) => {
      if (link.tagName !== "A") return;
      link.tabIndex = -1;
      if (differs(link)) return;  // says all of it already
      const outcome = link.getAttribute("aria-label").split(" ")[1];
      const name = names[row.sectionRowIndex];
      link.setAttribute("aria-label", persona + " " + commands[index] + " " + name + ": " + outcome);
    }));
  }

  // Filters: of the cells in the matrix, and of the findings.
  const controls = Object.fromEntries(
    ["text", "tenant", "persona", "command", "outcome", "severity", "channel"]
      .map((name) => [name, byId("by-" + name)]).filter(([, control]) => control));
  const onlyDifferences = byId("only-differences");
  const findings = [...document.querySelectorAll("article[data-finding]")].map((article) => {
    const entry = document.querySelector('.index a[href="#' + article.id + '"]');
    const facts = JSON.parse(article.dataset.finding);
    return {
      ...facts, place: article.closest("details.folded") || article, entry: entry && entry.parentElement,
      words: [article.querySelector("h3").textContent, article.id, facts.channel].join("\n").toLowerCase(),
    };
  });

  function chosen() {
    const choice = { text: "", tenant: "", persona: "", command: "", outcome: "", severity: "", channel: "" };
    Object.entries(controls).forEach(([name, control]) => { choice[name] = control.value; });
    choice.text = choice.text.trim().toLowerCase();
    return choice;
  }

  const isOfKind = (finding, choice) =>
    (!choice.severity || finding.severity === choice.severity) && (!choice.channel || finding.channel === choice.channel);

  const isChosen = (finding, choice) => isOfKind(finding, choice) &&
    (!choice.outcome || finding.outcome === choice.outcome) &&
    (!choice.command || finding.commands.includes(choice.command)) &&
    (!choice.persona || finding.personas.includes(choice.persona)) &&
    (!choice.tenant || finding.personas.some((name) => tenantOf.get(name) === choice.tenant)) &&
    (finding.words.includes(choice.text) || finding.relations.some((name) => name.toLowerCase().includes(choice.text)));

  // The cells in which findings of the chosen severity and channel show; null where neither is chosen.  Other findings
  // than those of visibility show only where a cell leaks: what a function tells is no cell's doing.
  function cellsOfKind(choice) {
    if (!choice.severity && !choice.channel) return null;
    const cells = new Map();
    findings.filter((finding) => isOfKind(finding, choice)).forEach((finding) => {
      for (const name of finding.relations) for (const persona of finding.personas) for (const command of finding.commands) {
        const key = JSON.stringify([name, persona, command]);
        cells.set(key, cells.get(key) || finding.anyCell ? "any" : "leaks");
      }
    });
    return cells;
  }

  function passes(link, key, choice, kind) {
    if (choice.command && key[2] !== choice.command) return false;
    if (choice.outcome && link.className[0] !== choice.outcome) return false;
    if (!kind) return true;
    const where = differs(link) ? kind.get(JSON.stringify(key)) : undefined;
    return where === "any" || (where === "leaks" && "lw".includes(link.className[0]));
  }

  function filterRow(row, at, columns, choice, kind) {
    const narrowed = Boolean(choice.command || choice.outcome || kind);
    let any = false;
    columns.forEach((shown, column) => {
      const cell = row.cells[column + 2];
      if (cell.hidden === shown) cell.hidden = !shown;
      if (!shown) return;
      [...cell.children].forEach((link, index) => {
        if (link.tagName !== "A") return;
        const passed = passes(link, [names[at], personas[column], commands[index]], choice, kind);
        if (narrowed || link.classList.length > 1) link.classList.toggle("dim", narrowed && !passed);
        if (passed && (!onlyDifferences.checked || differs(link))) any = true;
      });
    });
    return any || !(narrowed || onlyDifferences.checked);
  }

  function filterMatrix(choice) {
    const columns = heads.map((head) =>
      (!choice.tenant || head.dataset.tenant === choice.tenant) && (!choice.persona || head.dataset.persona === choice.persona));
    const kind = cellsOfKind(choice);
    const told = new Set(findings.filter((finding) => finding.words.includes(choice.text)).flatMap((one) => one.relations));
    heads.forEach((head, column) => { head.hidden = sums[column].hidden = !columns[column]; });
    groups.forEach((group) => {
      const count = heads.filter((head) => !head.hidden && head.dataset.tenant === group.dataset.tenant).length;
      group.hidden = count === 0;
      group.colSpan = Math.max(1, count);
    });
    const passing = rows.filter((row, at) =>
      (names[at].toLowerCase().includes(choice.text) || told.has(names[at])) && filterRow(row, at, columns, choice, kind));
    show(passing);
    return passing.length;
  }

  function filterFindings(choice) {
    const passing = findings.filter((finding) => isChosen(finding, choice));
    findings.forEach((finding) => {
      finding.place.hidden = !passing.includes(finding);
      if (finding.entry) finding.entry.hidden = finding.place.hidden;
    });
    return passing.length;
  }

  function apply() {
    const choice = chosen();
    const shownRows = filterMatrix(choice);
    const shownFindings = filterFindings(choice);
    const counts = [];
    if (shownRows < rows.length) counts.push(shownRows + " of " + rows.length + " relations");
    if (shownFindings < findings.length) counts.push(shownFindings + " of " + findings.length + " findings");
    byId("shown").textContent = counts.length ? counts.join(" and ") + " shown" : "";
    byId("reset").hidden = !counts.length && Object.values(choice).join("") === "";
    document.querySelectorAll(".narrowed").forEach((note) => {
      note.hidden = shownFindings === findings.length;
      note.querySelector("span").textContent = shownFindings + " of " + findings.length + " findings shown";
    });
    makeReachable();
  }

  function remember() {
    const state = new URLSearchParams();
    Object.entries(controls).forEach(([name, control]) => { if (control.value) state.set(name, control.value); });
    state.set("diff", onlyDifferences.checked ? "1" : "0");
    history.replaceState(null, "", "#" + state);
  }

  function recall() {
    if (!location.hash.includes("=")) return false;
    const state = new URLSearchParams(location.hash.slice(1));
    Object.entries(controls).forEach(([name, control]) => {
      control.value = state.get(name) || "";
      if (control.selectedIndex === -1) control.value = "";
    });
    onlyDifferences.checked = state.get("diff") === "1";
    return true;
  }

  function showEverything() {
    Object.values(controls).forEach((control) => { control.value = ""; });
    onlyDifferences.checked = false;
    apply();
  }

  // One stop for the Tab key; arrows move from sign to sign among what is shown.
  let stop = null;
  function makeReachable(next) {
    const first = next || (stop && !stop.closest("[hidden]") ? stop : map.querySelector("tbody tr:not([hidden]) td:not([hidden]) a"));
    if (stop) stop.tabIndex = -1;
    stop = first;
    if (stop) stop.tabIndex = 0;
  }
  const visibleRows = () => rows.filter((row) => !row.hidden);
  const linksOf = (row) => [...row.querySelectorAll("th a, td:not([hidden]) a")];
  const slot = (link) => [link.parentElement.cellIndex, [...link.parentElement.children].indexOf(link)];

  function sibling(link, key, far) {
    const row = link.closest("tr");
    const links = linksOf(row);
    const at = links.indexOf(link);
    const all = visibleRows();
    if (key === "ArrowLeft") return links[at - 1];
    if (key === "ArrowRight") return links[at + 1];
    if (key === "Home") return (far ? linksOf(all[0]) : links)[0];
    if (key === "End") return (far ? linksOf(all[all.length - 1]) : links).pop();
    const step = key === "ArrowUp" ? -1 : 1;
    const [column, index] = slot(link);
    for (let i = all.indexOf(row) + step; all[i]; i += step) {
      const found = all[i].cells[column].children[index];
      if (found && found.tagName === "A") return found;
    }
    return undefined;
  }

  map.addEventListener("keydown", (event) => {
    const link = event.target.closest("tbody a");
    if (!link || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    showRest();
    const next = sibling(link, event.key, event.ctrlKey || event.metaKey);
    if (!next) return;
    makeReachable(next);
    next.focus();
  });

  const readout = byId("readout");
  const tell = (event) => {
    const link = event.target.closest("tbody a");
    if (link) readout.textContent = link.getAttribute("aria-label") || link.textContent;
  };
  readout.hidden = false;
  map.addEventListener("mouseover", tell);
  map.addEventListener("focusin", tell);

  const changed = () => { apply(); remember(); };
  Object.values(controls).forEach((control) => control.addEventListener("input", changed));
  onlyDifferences.addEventListener("input", changed);
  document.querySelectorAll(".everything").forEach((button) => {
    button.addEventListener("click", () => {
      showEverything();
      remember();
      controls.text.focus();
    });
  });
  filters.hidden = false;
  addEventListener("hashchange", () => { if (recall()) apply(); else reveal(); });
  if (!recall()) onlyDifferences.checked = rows.length > 40 && rows.some((row) => row.cells[1].textContent);
  apply();
  reveal();
})();
