// The dialog of one cell: its runs, learning curve, configuration and environment.

const SVG = "http://www.w3.org/2000/svg";
const WIDEST = 820;
const NARROWEST = 320;
const HEIGHT = 250;
const MARGIN = { left: 44, right: 84, top: 12, bottom: 38 };

const seconds = (value) => {
  if (value === null) return "–";
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(value % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};
const mebibytes = (value) => (value === null ? "–" : value < 4096 ? `${Math.round(value)} MiB` : `${(value / 1024).toFixed(1)} GiB`);
const grouped = (value) => (value === null ? "–" : value.toLocaleString("en-US"));
const plain = (value) => (value === null ? "–" : String(value));
const moment = (text) => (text ? text.replace("T", " ").replace(/(\+00:00|Z)$/, " UTC") : null);
const fixed = (value) => (value === null ? "–" : value >= 1.5 ? value.toFixed(1) : value.toFixed(4).replace(/^0/, ""));

const facts = (pairs) =>
  el("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null && value !== "" && value !== "–")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

const settings = (text) => {
  const entries = Object.entries(JSON.parse(text || "{}"));
  return entries.length ? entries.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ") : "none, as in the variant";
};

class CellDialog {
  constructor(board) {
    this.board = board;
    this.dialog = byId("cell");
    this.opened = null;
    byId("cell-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => { this.opened = null; });
    // A click beside the dialog closes it.
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
  }

  open(row, place) {
    this.opened = [row, place];
    this.dialog.showModal();
    this.draw();
    byId("cell-title").focus();
    byId("cell-content").scrollTop = 0;
  }

  // Draws the open cell from new data, and closes it where it is gone.
  refresh() {
    if (this.opened && !this.draw()) this.dialog.close();
  }

  draw() {
    const { model } = this.board;
    const rowNumber = model.data.rows.findIndex((row) => rowKey(row) === this.opened[0]);
    const placeNumber = model.data.places.findIndex((place) => placeKey(place) === this.opened[1]);
    const group = model.group(rowNumber, placeNumber);
    if (!group) return false;
    const row = model.data.rows[rowNumber];
    const place = model.data.places[placeNumber];
    const runs = group.runs.map((run) => model.run(run));
    const name = [row.method, row.variant === "full" ? "" : row.variant, row.scoring].filter(Boolean).join(", ");
    byId("cell-title").replaceChildren(name, el("small", {}, `${place.dataset}, ${place.ratio} seeds, ${row.protocol} protocol`));
    byId("cell-content").replaceChildren(
      el("h3", {}, "Runs"), this.runTable(group, runs),
      ...this.curve(runs),
      el("div", { class: "pair" },
        el("div", {}, el("h3", {}, "Configuration"), this.configuration(row, place, runs)),
        el("div", {}, el("h3", {}, "Environment"), this.environment(runs))),
      ...this.notes(runs));
    return true;
  }

  // Pixels for a picture; drawn at its size, so that its letters are as large as the others.
  width() {
    const style = getComputedStyle(byId("cell-content"));
    const free = byId("cell-content").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return Math.max(NARROWEST, Math.min(WIDEST, Math.floor(free)));
  }

  runTable(group, runs) {
    const { model } = this.board;
    const choices = this.board.choices;
    const metrics = model.data.metrics.flatMap((metric, number) => {
      const found = model.number(group, number, choices);
      const isMain = model.data.mainMetrics.includes(number) || metric.id === choices.metric;
      return found && isMain ? [{ ...metric, values: found.values }] : [];
    });
    const heads = ["Repeat", "Status", ...metrics.map((metric) => metric.name), "Training", "Scoring", "Epochs", "Best epoch", "Memory"];
    const lines = runs.flatMap((run, position) => {
      const kind = BAD.has(run.status) ? "word bad" : run.status === "ok" ? null : "word";
      const line = el("tr", {}, el("th", { scope: "row" }, String(run.repeat)), el("td", {}, el("span", { class: kind }, spell(run.status))),
        ...[...metrics.map((metric) => fixed(metric.values[position])), seconds(run.fitSeconds), seconds(run.evalSeconds), plain(run.epochs),
          plain(run.bestEpoch), mebibytes(run.gpuMemory ?? run.memory)].map((text) => el("td", { class: "num" }, text)));
      return run.reason ? [line, el("tr", {}, el("td", { class: BAD.has(run.status) ? "reason bad" : "reason", colspan: heads.length }, run.reason))] : [line];
    });
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((text, place) => el("th", { scope: "col", class: place > 1 ? "num" : null }, text)))),
        el("tbody", {}, ...lines)));
  }

  configuration(row, place, runs) {
    const [first] = runs.filter((run) => run.status === "ok").concat(runs);
    const each = (field) => distinct(runs.map((run) => run[field]).filter((value) => value !== null)).join(", ");
    return facts([
      ["Method", row.method], ["Variant", row.variant], ["Overrides", settings(first.overrides)],
      ["Protocol", row.protocol], ["Scoring", row.rules], ["Input", row.section], ["Simulated", each("simulated")], ["Stopped on", first.stoppedOn && `${first.stoppedOn} links`],
      ["Reads", each("modalities")], ["Dataset", place.dataset], ["Partial copy", each("partialCopy")], ["Data version", each("datasetVersion")], ["Seed ratio", place.ratio],
      ["Links", first.nTest === null ? null : `${grouped(first.nTrain)} training, ${grouped(first.nValid)} validation, ${grouped(first.nTest)} test`],
      ["Split seed", each("splitSeed")], ["RNG seed", each("rngSeed")], ["Parameters", grouped(first.nParameters)], ["Suite", each("suite")],
    ]);
  }

  environment(runs) {
    const { environments } = this.board.model.data;
    const known = runs.filter((run) => run.startedAt ?? run.finishedAt ?? run.status === "ok");
    const numbers = distinct(known.map((run) => run.environment));
    const rename = { device: "Device", program: "Commit" };
    const parts = numbers.map((number) => {
      const mine = known.filter((run) => run.environment === number);
      const repeats = numbers.length > 1 ? mine.map((run) => run.repeat).join(", ") : "";
      const ends = mine.map((run) => run.finishedAt).filter(Boolean).sort();
      const starts = mine.map((run) => run.startedAt).filter(Boolean).sort();
      return facts([
        ["Repeats", repeats],
        ...Object.entries(environments[number]).map(([name, value]) => [rename[name] ?? name, value]),
        ["First start", moment(starts.at(0))], ["Last end", moment(ends.at(-1))],
        ["Records", mine.map((run) => run.key).filter(Boolean).map((key) => `${key}.json`).join(" ")],
      ]);
    });
    return el("div", {}, ...(parts.length ? parts : [el("p", { class: "note" }, "Nothing has been run.")]));
  }

  notes(runs) {
    const sentences = distinct(runs.flatMap((run) => (run.notes ? run.notes.split("; ") : [])));
    return sentences.length ? [el("h3", {}, "Notes"), ...sentences.map((text) => el("p", { class: "note" }, text))] : [];
  }

  curve(runs) {
    const { linkSets, epochLists } = this.board.model.data;
    const lines = runs.flatMap((run) => linkSets.filter((links) => run.curve?.[links]).map((links) => {
      const [epochs, values] = run.curve[links];
      return { links, bestEpoch: run.bestEpoch, points: values.map((value, step) => [epochLists[epochs][step], value]) };
    }));
    const drawn = lines.filter((line) => line.points.length > 1);
    if (!drawn.length) return [];
    const { metric, direction } = runs.find((run) => run.curve).curve;
    const text = `One line per repeat: solid on validation links, dashed on test links. A circle marks the chosen epoch. ${metric}, ${direction}.`;
    return [el("h3", {}, "Learning curve"), drawCurves(drawn, metric, this.width()), el("p", { class: "note" }, text)];
  }
}

const svg = (tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

// A round distance between ticks, so that about n fit into the range.
const tickStep = (range, n) => {
  const rough = range / n || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
};

const ticks = (low, high, step) => {
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(10)));
};

const drawCurves = (lines, metric, width) => {
  const xs = lines.flatMap((line) => line.points.map(([x]) => x));
  const ys = lines.flatMap((line) => line.points.map(([, y]) => y));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const top = Math.max(...ys) || 1;
  const step = tickStep(top, 4);
  const high = Math.ceil(top / step - 1e-9) * step;
  const x = (value) => MARGIN.left + ((value - left) / (right - left || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - (value / high) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const picture = svg("svg", { class: "curve", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${metric} over the epochs, ${count(lines.length, "line")}` });
  for (const tick of ticks(0, high, step)) {
    picture.append(svg("line", { class: tick === 0 ? "axis" : "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }));
    picture.append(svg("text", { x: MARGIN.left - 8, y: y(tick) + 4, "text-anchor": "end" }, tick === 0 ? "0" : String(tick).replace(/^0/, "")));
  }
  for (const tick of ticks(left, right, tickStep(right - left, width / 90))) {
    picture.append(svg("text", { x: x(tick), y: HEIGHT - MARGIN.bottom + 17, "text-anchor": "middle" }, String(tick)));
  }
  picture.append(svg("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, "Epoch"));
  const ends = {};
  for (const line of lines.toSorted((one, other) => (one.links === "valid") - (other.links === "valid"))) {
    const path = line.points.map(([px, py], step) => `${step ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
    picture.append(svg("path", { class: line.links, d: path }));
    (ends[line.links] ??= []).push(line.points.at(-1)[1]);
    const best = line.links === "valid" && line.points.find(([epoch]) => epoch === line.bestEpoch);
    if (best) picture.append(svg("circle", { cx: x(best[0]), cy: y(best[1]), r: 3.5 }));
  }
  labelEnds(picture, ends, y, width - MARGIN.right + 6);
  return picture;
};

// Names the two kinds of lines at their ends, never one over the other.
const labelEnds = (picture, ends, y, left) => {
  const places = Object.entries(ends).map(([links, values]) => [links, y(values.reduce((sum, value) => sum + value, 0) / values.length)]);
  places.sort((one, other) => one[1] - other[1]);
  if (places.length === 2 && places[1][1] - places[0][1] < 14) {
    const middle = (places[0][1] + places[1][1]) / 2;
    [places[0][1], places[1][1]] = [middle - 7, middle + 7];
  }
  const words = { valid: "validation", test: "test" };
  for (const [links, place] of places) {
    picture.append(svg("text", { class: `end ${links}`, x: left, y: place + 4 }, words[links]));
  }
};
