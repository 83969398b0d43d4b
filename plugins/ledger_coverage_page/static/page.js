"use strict";

// The page reads one file, `summary`, and draws it. Text of the file enters the page as text alone, never as HTML.

const VERSION = 1;
const AIRFLOW = new URL("..", document.baseURI);
const LEAST_LEDGERS = 10; // the closest zoom
const MOST_ROWS = 200; // of the table of problems
const NARROWEST = 2; // pixels of a gap, however short it is
const BACK = ["not_loaded", "complete", "mixed", "repairing", "dirty", "gap"]; // the worst is drawn last
const OPEN = ["gap", "dirty", "repairing"];
const WORDS = { complete: "complete", gap: "gap", dirty: "dirty", repairing: "repairing", not_loaded: "not loaded",
  mixed: "too many changes to list" };
const MEANINGS = { complete: "loaded, and nothing speaks against it", gap: "missing, and later ledgers are loaded",
  dirty: "loaded, and a check found it wrong", repairing: "a run loads it again",
  not_loaded: "before the dataset's first ledger or after the table's last" };
const KINDS = ["queries", "pods", "storage"];
const BACKFILL_DAG = "history_backfill";
const AUDIT_DAG = "ledger_audit";
const DAY = 86400000;

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });

let summary; // the document, with what `prepare` adds
let view; // { from, to }: the ledgers on the bars

// Elements ---------------------------------------------------------------------------------------------------------

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  return filled(element, attributes, children);
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  return filled(element, attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Airflow shows the page in a frame that may not navigate its parent: the parent's own link does.
function link(href, text, label = text) {
  const url = new URL(href, AIRFLOW);
  const element = make("a", { href: url.href, "aria-label": label }, text);
  if (url.origin !== AIRFLOW.origin) element.rel = "noreferrer";
  element.addEventListener("click", (event) => {
    if (window.parent === window) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = url.href;
    if (event.ctrlKey || event.metaKey || url.origin !== AIRFLOW.origin) outside.target = "_blank";
    outside.rel = "noreferrer";
    outside.click();
  });
  return element;
}

const dagLink = (dag) => link(`dags/${encodeURIComponent(dag)}`, dag);
const runLink = (dag, run) =>
  link(`dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`, run, `Run ${run} of ${dag}`);

// Reading ----------------------------------------------------------------------------------------------------------

async function read() {
  const answer = await fetch("summary", { headers: { Accept: "application/json" } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `Airflow answers ${answer.status}`);
  if (body.version !== VERSION)
    throw new Error(`the summary has form ${body.version}, and this page reads ${VERSION}: upload DAGs and plugins of ` +
      "one version, and run ledger_coverage");
  return body;
}

// Adds what the drawing needs: details of problems by place, and the runs of ledgers of each table.
function prepare(body) {
  body.details = new Map(body.problems.map((one) => [[one.dataset, one.table, one.start].join(), one]));
  body.table = new Map(body.tables.map((one) => [one.id, one]));
  for (const dataset of body.datasets)
    for (const table of Object.values(dataset.tables))
      table.states = [...table.states].map((letter) => body.states[letter]);
  return body;
}

const dataset = () => summary.datasets.find((one) => one.id === byId("dataset").value) ?? summary.datasets[0];

// The runs of ledgers of a table that touch a range, cut to it.
function runsWithin({ starts, states }, from, to) {
  let low = 0, high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= from) low = middle; else high = middle;
  }
  const found = [];
  for (let at = low; at < starts.length && starts[at] <= to; at++) {
    const end = (starts[at + 1] ?? summary.last_ledger + 1) - 1;
    if (end >= from) found.push({ at, start: Math.max(starts[at], from), end: Math.min(end, to), state: states[at] });
  }
  return found;
}

function loadedView() {
  const starts = [];
  for (const { starts: edges, states } of Object.values(dataset().tables)) {
    const first = states.findIndex((state) => state !== "not_loaded");
    if (first >= 0) starts.push(edges[first]);
  }
  return { from: starts.length ? Math.min(...starts) : 1, to: summary.last_ledger };
}

const inRange = (start, end) =>
  start === end ? number.format(start) : `${number.format(start)} to ${number.format(end)}`;

// Watermark and lag ------------------------------------------------------------------------------------------------

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * 86400 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} d`;
}

const moment = (text) => (text ? text.replace("T", " ").replace("Z", " UTC") : "unknown");
const ledger = (value) => (value === null || value === undefined ? "none" : number.format(value));

function showWatermark() {
  const { watermark, network } = dataset();
  const facts = [["Network's latest ledger", ledger(summary.head)], ["Checked", moment(summary.checked_at)]];
  if (watermark) {
    facts.unshift(
      ["Complete in all tables through", ledger(watermark.complete_through)],
      ["That ledger closed", moment(watermark.complete_through_closed_at)],
      ["Complete from", ledger(watermark.complete_from)],
      ["Lag", watermark.lag_ledgers === null ? "unknown" : `${number.format(watermark.lag_ledgers)} ledgers`],
    );
    if (watermark.tables_not_loaded) facts.push(["Tables without any load", number.format(watermark.tables_not_loaded)]);
  }
  if (network) facts.push(["Network (label)", network]);
  byId("watermark").replaceChildren(
    ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

// How far the watermark has come in the week.
function rise() {
  const through = dataset().history.map(([, ledgers]) => ledgers).filter((ledgers) => ledgers !== null);
  if (!through.length) return "";
  const [first, last] = [through[0], through[through.length - 1]];
  return first === last ? `. It stayed at ledger ${ledger(last)}.` : `. It went from ledger ${ledger(first)} to ${ledger(last)}.`;
}

function showLag() {
  const table = byId("lag-table").value;
  const points = (table ? summary.lags[table] ?? [] : dataset().history)
    .map(([at, , seconds]) => [Date.parse(at), seconds])
    .filter(([, seconds]) => seconds !== null);
  const chart = byId("lag");
  if (!points.length) return chart.replaceChildren(make("p", { class: "hint" }, "Nothing was noted in the last week."));
  const now = points[points.length - 1][1], highest = Math.max(...points.map(([, seconds]) => seconds), 1);
  const end = Date.parse(summary.made_at), start = end - 7 * DAY;
  const place = ([at, seconds]) =>
    `${(80 + ((at - start) / (end - start)) * 810).toFixed(1)},${(85 - (seconds / highest) * 75).toFixed(1)}`;
  const label = `Lag of ${table || "the watermark"} over the last week: now ${duration(now)}, ` +
    `highest ${duration(highest)}`;
  const text = (x, y, words, anchor) => draw("text", { x, y, "text-anchor": anchor }, words);
  chart.replaceChildren(
    draw("svg", { viewBox: "0 0 900 110", role: "img", "aria-label": label },
      draw("line", { class: "tick", x1: 80, x2: 890, y1: 85, y2: 85 }),
      text(74, 15, duration(highest), "end"), text(74, 89, "0 s", "end"),
      text(80, 102, new Date(start).toISOString().slice(0, 10), "start"),
      text(890, 102, new Date(end).toISOString().slice(0, 10), "end"),
      draw("polyline", { class: "line", points: points.map(place).join(" ") }),
      ...points.slice(-1).map((one) => {
        const [cx, cy] = place(one).split(",");
        return draw("circle", { class: "complete", cx, cy, r: 3 });
      })),
    make("p", {}, label + (table ? "" : rise())),
  );
}

// Bars -------------------------------------------------------------------------------------------------------------

function summed(runs) {
  const sums = new Map();
  for (const { state, start, end } of runs) {
    const sum = sums.get(state) ?? { runs: 0, ledgers: 0 };
    sums.set(state, { runs: sum.runs + 1, ledgers: sum.ledgers + end - start + 1 });
  }
  return sums;
}

function inWords(sums) {
  return [...sums].map(([state, { runs, ledgers }]) => {
    const many = OPEN.includes(state) ? `${number.format(runs)} ${WORDS[state]}${runs > 1 && state === "gap" ? "s" : ""}, ` : "";
    return `${many}${number.format(ledgers)} ledger${ledgers > 1 ? "s" : ""}${many ? "" : ` ${WORDS[state]}`}`;
  }).join("; ");
}

function bar(id, table, width) {
  const runs = runsWithin(table, view.from, view.to);
  const scale = width / (view.to - view.from + 1);
  const rectangles = new Map(BACK.map((state) => [state, []]));
  for (const { state, start, end } of runs) {
    const left = (start - view.from) * scale;
    const right = Math.max((end + 1 - view.from) * scale, left + (OPEN.includes(state) ? NARROWEST : 0));
    const drawn = rectangles.get(state), last = drawn[drawn.length - 1];
    // What would lie on one pixel is one rectangle: a bar has no more of them than pixels, whatever its zoom.
    if (last && left - last.right < 0.5) { last.right = Math.max(last.right, right); last.end = end; last.count += 1; }
    else drawn.push({ left, right, start, end, count: 1 });
  }
  const shapes = BACK.flatMap((state) => rectangles.get(state).map(({ left, right, start, end, count }) =>
    draw("rect", { class: state, x: left.toFixed(2), width: Math.max(right - left, 0.5).toFixed(2), y: 0, height: 16 },
      draw("title", {}, `${id}, ledgers ${inRange(start, end)}: ` +
        (count > 1 ? `${number.format(count)} times ${WORDS[state]}` : WORDS[state])))));
  if (scale >= 6)
    for (let edge = view.from + 1; edge <= view.to; edge++) {
      const x = ((edge - view.from) * scale).toFixed(2);
      shapes.push(draw("line", { class: "edge", x1: x, x2: x, y1: 0, y2: 16 }));
    }
  const label = `${id}, ledgers ${number.format(view.from)} to ${number.format(view.to)}: ${inWords(summed(runs))}`;
  return draw("svg", { class: "bar", role: "img", "aria-label": label, viewBox: `0 0 ${width} 16`,
    preserveAspectRatio: "none" }, ...shapes);
}

function axis(width) {
  const span = view.to - view.from + 1, scale = width / span;
  const least = (span * 110) / width, power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= least));
  const marks = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = (at - view.from + 0.5) * scale;
    marks.push(draw("line", { class: "tick", x1: x, x2: x, y1: 13, y2: 18 }));
    if (x < width - 60) marks.push(draw("text", { x, y: 11 }, number.format(at)));
  }
  return draw("svg", { class: "axis", "aria-hidden": "true", viewBox: `0 0 ${width} 18`, preserveAspectRatio: "none" },
    ...marks);
}

function showBars() {
  const bars = byId("bars");
  const names = Object.keys(dataset().tables);
  const longest = Math.max(...names.map((id) => id.length));
  const width = Math.max(200, bars.clientWidth - longest * 7.5 - 150);
  bars.replaceChildren(make("span"), axis(width), make("span", { class: "through" }, "complete through"),
    ...names.flatMap((id) => {
      const table = dataset().tables[id];
      return [make("span", { id: `name-${id}` }, id), bar(id, table, width),
        make("span", { class: "through" }, table.watermark ? ledger(table.watermark.complete_through) : "")];
    }));
  byId("from").value = view.from;
  byId("to").value = view.to;
}

function showLegend() {
  byId("legend").replaceChildren(...Object.entries(MEANINGS).map(([state, meaning]) =>
    make("li", {}, draw("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" },
      draw("rect", { class: state, width: 14, height: 14 })), `${WORDS[state]}: ${meaning}`)));
}

function setView(from, to) {
  const first = summary.first_ledger, last = summary.last_ledger;
  const span = Math.min(Math.max(Math.round(to - from) + 1, LEAST_LEDGERS), last - first + 1);
  const start = Math.min(Math.max(Math.round(from), first), last - span + 1);
  view = { from: start, to: start + span - 1 };
  remember();
  showBars();
  showProblems();
}

function remember() {
  const hash = new URLSearchParams({ dataset: dataset().id, from: view.from, to: view.to });
  history.replaceState(null, "", `#${hash}`);
}

function move(how) {
  const span = view.to - view.from + 1, middle = view.from + (span - 1) / 2;
  const around = (length) => setView(middle - (length - 1) / 2, middle + (length - 1) / 2);
  const loaded = loadedView();
  ({
    in: () => around(Math.max(LEAST_LEDGERS, Math.round(span / 2))),
    out: () => around(span * 2),
    left: () => setView(view.from - span / 2, view.to - span / 2),
    right: () => setView(view.from + span / 2, view.to + span / 2),
    loaded: () => setView(loaded.from, loaded.to),
    whole: () => setView(summary.first_ledger, summary.last_ledger),
  })[how]();
}

const KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "loaded", 0: "whole" };

function followPointer() {
  const bars = byId("bars");
  let begin = null, shade = null;
  const drawing = (event) => event.target.closest?.("#bars svg");
  const at = (event, box) => {
    const part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return view.from + part * (view.to - view.from + 1);
  };
  bars.addEventListener("pointerdown", (event) => {
    const svg = drawing(event);
    if (!svg || event.button) return;
    begin = { svg, box: svg.getBoundingClientRect(), x: event.clientX };
    bars.setPointerCapture(event.pointerId);
  });
  bars.addEventListener("pointermove", (event) => {
    if (!begin) return;
    shade?.remove();
    const scale = begin.svg.viewBox.baseVal.width / begin.box.width;
    const [left, right] = [begin.x, event.clientX].sort((one, other) => one - other).map((x) => (x - begin.box.left) * scale);
    shade = draw("rect", { class: "selection", x: left, width: right - left, y: 0, height: 18 });
    begin.svg.append(shade);
  });
  bars.addEventListener("pointerup", (event) => {
    if (!begin) return;
    const { box, x } = begin;
    begin = null;
    shade?.remove();
    if (Math.abs(event.clientX - x) < 4) return;
    const [from, to] = [at({ clientX: x }, box), at(event, box)].sort((one, other) => one - other);
    setView(Math.floor(from), Math.ceil(to) - 1);
  });
  bars.addEventListener("keydown", (event) => {
    if (event.target !== bars || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    move(KEYS[event.key]);
  });
}

// Problems ---------------------------------------------------------------------------------------------------------

// The run that loads ledgers again: a backfill loads what no load has brought, the table's own DAG what is wrong. Rows
// that loads keep are deleted by a user; then an audit ends the finding.
function repairOf({ id, state, start, end, faults }) {
  const table = summary.table.get(id), range = { start_ledger: start, end_ledger: end };
  const only = (fault) => state === "dirty" && faults.length > 0 && faults.every((one) => one === fault);
  if (only("dirty")) return { dag: "state_fold", conf: { table: table.type } };
  if (only("kept_rows")) return { dag: AUDIT_DAG, conf: range };
  if (only("state_behind")) return { dag: "state_rebuild", conf: { table: table.type } };
  if (state === "gap" && !table.derived) return { dag: BACKFILL_DAG, conf: { ...range, dag: table.dag } };
  return { dag: table.dag, conf: range };
}

// The runs of the table's DAG that were due when the ledgers closed.
function runsOfThatTime(table, [before, after]) {
  const query = new URLSearchParams();
  if (before) query.set("run_after_gte", before);
  if (after) query.set("run_after_lte", new Date(Date.parse(after) + DAY / 24).toISOString());
  return `dags/${encodeURIComponent(table.dag)}/runs${query.size ? `?${query}` : ""}`;
}

function problemsInView() {
  const found = [];
  for (const [id, table] of Object.entries(dataset().tables))
    for (const run of runsWithin(table, view.from, view.to))
      if (OPEN.includes(run.state)) {
        const start = table.starts[run.at], end = (table.starts[run.at + 1] ?? summary.last_ledger + 1) - 1;
        const known = summary.details.get([dataset().id, id, start].join());
        found.push({ faults: [], since: null, runs: [], closed: [null, null], ...known, id, start, end, state: run.state });
      }
  return found.sort((one, other) => other.end - one.end || one.id.localeCompare(other.id));
}

function row(problem) {
  const { id, state, start, end, faults, since, runs, closed } = problem;
  const table = summary.table.get(id), range = inRange(start, end);
  const place = `${id}, ledgers ${range}`;
  const what = faults.map((fault) => summary.faults[fault]).join("; ") ||
    { gap: "these ledgers were never loaded", repairing: "a run loads them again" }[state] || "";
  const runbook = /^https?:/.test(summary.links.runbook) && URL.canParse(summary.links.runbook)
    ? link(`${summary.links.runbook}#gap-found`, "Runbook", `Runbook for ${place}`)
    : make("span", {}, "docs/runbook.md");
  return make("tr", {},
    make("th", { scope: "row" }, id), make("td", {}, WORDS[state]), make("td", {}, range),
    make("td", { class: "number" }, number.format(end - start + 1)), make("td", {}, what),
    make("td", {}, since ? moment(since) : ""),
    make("td", {}, ...runs.map(([dag, run]) => runLink(dag, run)),
      link(runsOfThatTime(table, closed), "Runs of that time", `Runs of ${table.dag} for ${place}`)),
    make("td", {},
      make("button", { type: "button", "aria-label": `Show ${place}`, onclick: () => showRange(start, end) }, "Show"),
      make("button", { type: "button", "aria-label": `Load ${place} again`,
        onclick: (event) => openForm(problem, event.target) }, "Load again…"),
      runbook));
}

function showRange(start, end) {
  const margin = Math.max(5, Math.round((end - start) / 4));
  setView(start - margin, end + margin);
  byId("bars").focus();
}

function showProblems() {
  const found = problemsInView();
  byId("problems").tBodies[0].replaceChildren(...found.slice(0, MOST_ROWS).map(row));
  const rest = found.length > MOST_ROWS ? ` The newest ${MOST_ROWS} are listed: zoom in to see others.` : "";
  byId("problems-count").textContent = found.length
    ? `${number.format(found.length)} in ledgers ${number.format(view.from)} to ${number.format(view.to)}.${rest}`
    : `None in ledgers ${number.format(view.from)} to ${number.format(view.to)}.`;
  byId("problems").hidden = !found.length;
}

// The form ---------------------------------------------------------------------------------------------------------

// Airflow 3.3 opens no trigger form with values from an address, so the page has one: it sends what the user confirms
// to Airflow's own REST API, which checks the user's permissions. The app behind this page changes nothing.
let opener = null;

function openForm(problem, button) {
  const { dag, conf } = repairOf(problem);
  opener = button;
  byId("backfill-dag").replaceWith(Object.assign(dagLink(dag), { id: "backfill-dag" }));
  byId("backfill").dataset.dag = dag;
  byId("conf").value = JSON.stringify(conf, null, 2);
  byId("backfill-status").replaceChildren();
  byId("backfill").hidden = false;
  byId("backfill-title").focus();
}

function closeForm() {
  byId("backfill").hidden = true;
  if (opener?.isConnected) opener.focus();
}

async function trigger(event) {
  event.preventDefault();
  const status = byId("backfill-status"), dag = byId("backfill").dataset.dag;
  try {
    const conf = JSON.parse(byId("conf").value);
    const answer = await fetch(new URL(`api/v2/dags/${encodeURIComponent(dag)}/dagRuns`, AIRFLOW), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ logical_date: null, conf }),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(`Airflow answers ${answer.status}: ${JSON.stringify(body.detail ?? body)}`);
    status.classList.remove("error");
    status.replaceChildren("Triggered: ", runLink(dag, body.dag_run_id));
  } catch (error) {
    status.classList.add("error");
    status.textContent = error.message;
  }
}

// Costs and audits -------------------------------------------------------------------------------------------------

function cells(row, kind = "td") {
  return make("tr", {}, ...row.map((value, column) =>
    make(column ? kind : "th", { ...(column ? { class: "number" } : { scope: "row" }), ...(kind === "th" ? { scope: "col" } : {}) }, value)));
}

function fill(id, head, rows) {
  byId(id).tHead.replaceChildren(cells(head, "th"));
  byId(id).tBodies[0].replaceChildren(...rows.map((one) => cells(one)));
}

function costsBy(column, rows) {
  const sums = new Map();
  for (const one of rows) {
    const sum = sums.get(one[column]) ?? [0, 0, 0, 0, 0];
    sums.set(one[column], sum.map((value, at) => value + one[at + 2]));
  }
  return [...sums].map(([key, [loads, gib, ...kinds]]) => ({ key, loads, gib, kinds, total: kinds.reduce((a, b) => a + b) }));
}

function showCosts() {
  const table = byId("cost-table").value;
  const days = costsBy(0, summary.costs.filter((one) => !table || one[1] === table)).sort((a, b) => (a.key < b.key ? 1 : -1));
  const tables = costsBy(1, summary.costs).sort((a, b) => b.total - a.total);
  const rows = (found) => found.map(({ key, loads, gib, kinds, total }) =>
    [key, number.format(loads), number.format(gib), ...kinds.map((one) => money.format(one)), money.format(total)]);
  const head = ["Loads", "GiB billed", ...KINDS.map((kind) => kind[0].toUpperCase() + kind.slice(1)), "Total"];
  fill("costs-by-day", ["Day", ...head], rows(days));
  fill("costs-by-table", ["Table", ...head], rows(tables));
  const highest = Math.max(...days.map(({ total }) => total), 1e-9);
  const sum = days.reduce((before, { total }) => before + total, 0);
  const label = `Cost of ${table || "all tables"} by day: ${money.format(sum)} in ${days.length} days, ` +
    `at most ${money.format(highest === 1e-9 ? 0 : highest)} a day`;
  const width = 810 / 31;
  const bars = [...days].reverse().flatMap(({ key, kinds }, at) => {
    let top = 85;
    return kinds.map((value, kind) => {
      const height = (value / highest) * 75;
      top -= height;
      return draw("rect", { class: KINDS[kind], x: 80 + at * width, width: width - 2, y: top.toFixed(2), height: height.toFixed(2) },
        draw("title", {}, `${key}, ${KINDS[kind]}: ${money.format(value)}`));
    });
  });
  byId("costs").replaceChildren(
    draw("svg", { viewBox: "0 0 900 110", role: "img", "aria-label": label },
      draw("line", { class: "tick", x1: 80, x2: 890, y1: 85, y2: 85 }),
      draw("text", { x: 74, y: 15, "text-anchor": "end" }, money.format(highest === 1e-9 ? 0 : highest)), ...bars,
      ...KINDS.flatMap((kind, at) => [draw("rect", { class: kind, x: 80 + at * 90, y: 95, width: 10, height: 10 }),
        draw("text", { x: 94 + at * 90, y: 104 }, kind)])),
    make("p", {}, label));
}

function showAudits() {
  const { audits } = summary;
  byId("no-audits").hidden = audits.length > 0;
  byId("audits").hidden = !audits.length;
  const shown = (value) => (typeof value === "number" ? number.format(value) : value === null ? "" : `${value}`);
  byId("audits").tBodies[0].replaceChildren(...audits.map((one) => {
    const wrong = one.missing_rows + one.extra_rows + one.different_rows;
    return make("tr", {}, make("th", { scope: "row" }, runLink(AUDIT_DAG, one.run_id)),
      make("td", {}, moment(one.audited_at)),
      make("td", {}, inRange(one.start_ledger, one.end_ledger)),
      ...[one.table_count, one.row_count, one.missing_rows, one.extra_rows, one.different_rows].map((value) =>
        make("td", { class: "number" }, shown(value))),
      make("td", {}, wrong ? (one.is_healed ? "different, loaded again" : "different") : "same"));
  }));
}

// The whole page ---------------------------------------------------------------------------------------------------

function choices(id, values, first = null) {
  const before = byId(id).value;
  byId(id).replaceChildren(...(first === null ? [] : [make("option", { value: "" }, first)]),
    ...values.map((value) => make("option", { value }, value)));
  if (values.includes(before)) byId(id).value = before;
}

function showAll() {
  showWatermark();
  showLag();
  showBars();
  showProblems();
  showCosts();
  showAudits();
}

// The age of the summary; an old one says so, because everything on the page may have changed since.
function showAge() {
  const status = byId("status"), seconds = Math.max(0, Math.round((Date.now() - Date.parse(summary.made_at)) / 1000));
  const old = seconds > DAY / 1000;
  status.classList.toggle("error", old);
  status.textContent = `As of ${moment(summary.made_at)}, ${duration(seconds)} ago, when ledger_coverage last wrote its ` +
    `summary.${old ? " That is more than a day: see whether that DAG is paused or its runs fail." : ""}`;
}

async function reload() {
  const status = byId("status");
  try {
    summary = prepare(await read());
    showAge();
    choices("dataset", summary.datasets.map(({ id }) => id));
    choices("lag-table", Object.keys(summary.lags), "the watermark");
    choices("cost-table", [...new Set(summary.costs.map((one) => one[1]))].sort(), "all tables");
    byId("main").hidden = false;
    if (!view) {
      const asked = new URLSearchParams(location.hash.slice(1));
      if (summary.datasets.some(({ id }) => id === asked.get("dataset"))) byId("dataset").value = asked.get("dataset");
      view = { from: Number(asked.get("from")), to: Number(asked.get("to")) };
      if (!(view.from >= 1 && view.to > view.from)) view = loadedView();
      setView(view.from, view.to);
    }
    showAll();
  } catch (error) {
    status.classList.add("error");
    status.textContent = `The summary could not be read: ${error.message}.`;
  }
}

function followTheme() {
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  if (window.parent !== window) dark = window.parent.document.documentElement.classList.contains("dark");
  document.documentElement.classList.add(dark ? "dark" : "light");
}

followTheme();
showLegend();
followPointer();
byId("reload").addEventListener("click", reload);
byId("dataset").addEventListener("change", () => { remember(); showAll(); });
byId("lag-table").addEventListener("change", showLag);
byId("cost-table").addEventListener("change", showCosts);
byId("cancel").addEventListener("click", closeForm);
byId("backfill").addEventListener("submit", trigger);
byId("view").addEventListener("submit", (event) => {
  event.preventDefault();
  setView(Number(byId("from").value), Number(byId("to").value));
});
for (const button of document.querySelectorAll("[data-move]"))
  button.addEventListener("click", () => move(button.dataset.move));
window.addEventListener("resize", () => { if (summary) showBars(); });
reload();
