// The leaderboard: its controls, its table and its legend.

// Text becomes text nodes only, so that no name can become markup.
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};
const byId = (id) => document.getElementById(id);
const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

const SIMULATED = "†";
const CERTAIN = "¶";
const STOPPED_ON_TEST = "‡";
const PARTIAL = "°";
const MAIN_OF_PAIRS = "f1";
const CONTROLS = [
  ["dataset", "Dataset"], ["ratio", "Seed ratio"], ["rulebook", "Protocol"],
  ["metric", "Metric"], ["csls", "CSLS"], ["direction", "Direction"],
];

class Board {
  constructor(model, onOpen) {
    this.onOpen = onOpen;
    this.model = model;
    this.choices = model.start();
    // What the reader has chosen stays when new data come; the rest follows the data.
    this.touched = new Set();
    this.choices.sort = this.firstSort();
    this.drawControls();
    this.draw();
    byId("board").addEventListener("keydown", (event) => this.moveFocus(event));
  }

  // New data under the same choices, as far as they still exist.
  take(model) {
    const start = model.start();
    this.model = model;
    const offers = model.offers();
    for (const [name] of CONTROLS) {
      const isThere = offers[name].some(([value]) => value === this.choices[name]);
      if (!isThere || !this.touched.has(name)) this.choices[name] = start[name];
    }
    if (!this.touched.has("sort")) this.choices.sort = this.firstSort();
    this.drawControls();
    this.draw();
  }

  firstSort() {
    const columns = this.model.columns(this.choices);
    const [first] = columns;
    const column = first?.isOfRanks ? first : (columns.find((found) => found.id === MAIN_OF_PAIRS) ?? first);
    return column ? { key: column.key, isAscending: column.lessIsBetter } : null;
  }

  drawControls() {
    const form = byId("controls");
    const focused = document.activeElement?.id;
    const offers = this.model.offers();
    const search = el("input", { id: "filter-text", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "mclea, w/o image …" });
    search.value = this.choices.text;
    search.addEventListener("input", () => this.choose("text", search.value));
    const selects = CONTROLS.filter(([name]) => offers[name].length > (offers[name][0]?.[0] === ALL ? 2 : 1)).map(([name, label]) => {
      const options = offers[name].map(([value, text]) => el("option", { value }, text));
      const select = el("select", { id: `filter-${name}` }, ...options);
      select.value = this.choices[name];
      select.addEventListener("change", () => this.choose(name, select.value));
      return el("label", {}, label, select);
    });
    form.replaceChildren(el("label", { class: "wide" }, "Method", search), ...selects);
    form.hidden = !this.model.data.rows.length;
    if (focused?.startsWith("filter-")) byId(focused)?.focus();
  }

  choose(name, value) {
    this.choices[name] = value;
    this.touched.add(name);
    const columns = this.model.columns(this.choices);
    const isSorted = this.choices.sort?.key === "method" || columns.some((column) => column.key === this.choices.sort?.key);
    if (!isSorted) this.choices.sort = this.firstSort();
    this.draw();
  }

  sortBy(key, bestIsLow) {
    const { sort } = this.choices;
    const isAscending = sort?.key === key ? !sort.isAscending : bestIsLow;
    this.choices.sort = { key, isAscending };
    this.touched.add("sort");
    this.draw();
  }

  draw() {
    const columns = this.withSpread(this.model.columns(this.choices));
    const blocks = this.model.blocks(this.choices, columns);
    const focused = document.activeElement?.dataset?.place;
    const table = byId("board");
    table.replaceChildren(
      el("caption", { class: "sr" }, "Mean and deviation over repeats; a number opens its runs"),
      this.head(columns), ...blocks.map((block) => this.body(block, columns)),
    );
    byId("board-frame").hidden = !blocks.length;
    if (focused) table.querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
    this.say(blocks, columns);
    this.drawLegend(blocks, columns);
  }

  // Numbers of a column leave room for a deviation where any of them has one.
  withSpread(columns) {
    const rows = this.model.rows(this.choices);
    const hasSpread = (row, column) => {
      const group = this.model.group(row, column.place);
      return Boolean(group && this.model.number(group, column.metric, this.choices)?.sd);
    };
    return columns.map((column) => ({ ...column, hasSpread: rows.some((row) => hasSpread(row, column)) }));
  }

  say(blocks, columns) {
    const { data } = this.model;
    const nShown = blocks.reduce((sum, block) => sum + block.rows.length, 0);
    const sort = this.choices.sort;
    const column = columns.find((found) => found.key === sort?.key);
    const place = column && data.places[column.place];
    const way = sort?.isAscending ? "ascending" : "descending";
    const order = column ? `sorted by ${column.name} on ${place.dataset}, ${place.ratio} seeds, ${way}` : `sorted by method, ${way}`;
    if (!data.rows.length) byId("shown").textContent = "Nothing has been run yet.";
    else if (!nShown) byId("shown").textContent = "No method matches. Change the filters above.";
    else byId("shown").textContent = `${count(nShown, "row")}, ${order}.`;
  }

  head(columns) {
    const { places } = this.model.data;
    const spans = (label, marks) => {
      const cells = [];
      for (const column of columns) {
        const text = label(places[column.place]);
        const last = cells.at(-1);
        if (last?.text === text) last.span += 1;
        else cells.push({ text, span: 1, mark: marks(places[column.place]) });
      }
      return cells.map(({ text, span, mark }) =>
        el("th", { scope: span > 1 ? "colgroup" : "col", colspan: span, class: "num place" }, text.split("\n").at(-1), mark && el("span", { class: "mark" }, mark)));
    };
    const method = el("th", { scope: "col", rowspan: 3, "aria-sort": this.ariaSort("method") }, this.sortButton("method", "Method", true));
    return el("thead", {},
      el("tr", {}, method, ...spans((place) => place.dataset, (place) => place.isPartial && PARTIAL)),
      el("tr", {}, ...spans((place) => `${place.dataset}\n${place.ratio}`, () => null)),
      el("tr", {}, ...columns.map((column) =>
        el("th", { scope: "col", class: "num", "aria-sort": this.ariaSort(column.key) }, this.sortButton(column.key, column.name, column.lessIsBetter)))));
  }

  ariaSort(key) {
    const { sort } = this.choices;
    return sort?.key === key ? (sort.isAscending ? "ascending" : "descending") : null;
  }

  sortButton(key, text, bestIsLow) {
    const { sort } = this.choices;
    const isDown = sort?.key === key ? !sort.isAscending : !bestIsLow;
    const arrow = el("span", { class: "arrow", "aria-hidden": "true" }, isDown ? "↓" : "↑");
    return el("button", { type: "button", "data-place": `sort ${key}`, onclick: () => this.sortBy(key, bestIsLow) }, text, arrow);
  }

  body(block, columns) {
    const heading = el("th", { scope: "rowgroup", colspan: columns.length + 1 }, el("span", {}, block.title));
    return el("tbody", {}, el("tr", { class: "group" }, heading), ...block.rows.map((row) => this.row(row, block, columns)));
  }

  row(number, block, columns) {
    const row = this.model.data.rows[number];
    const marks = (this.simulated(number).length ? SIMULATED : "") + (row.onTest ? STOPPED_ON_TEST : "");
    const variant = [row.variant === "full" ? "" : row.variant, row.scoring].filter(Boolean).join(", ");
    return el("tr", {},
      el("th", { scope: "row" }, el("span", { class: "name" }, row.method), marks && el("span", { class: "mark" }, marks),
        variant && el("span", { class: "variant" }, variant)),
      ...columns.map((column, position) => this.cell(number, column, block.places[position])));
  }

  cell(rowNumber, column, ranking) {
    const { model } = this;
    const group = model.group(rowNumber, column.place);
    if (!group) return el("td", { class: "num" });
    const row = model.data.rows[rowNumber];
    const place = model.data.places[column.place];
    const number = model.number(group, column.metric, this.choices);
    const label = `${row.method} ${row.variant}, ${place.dataset} ${place.ratio}, ${column.name ?? ""}`;
    const open = {
      type: "button", "aria-haspopup": "dialog",
      "data-place": JSON.stringify([rowKey(row), column.key]), onclick: () => this.onOpen(rowKey(row), placeKey(place)),
    };
    if (!number) {
      const ending = model.ending(group);
      const word = ending === "ok" ? "–" : spell(ending);
      const kind = BAD.has(ending) ? "word bad" : "word";
      return el("td", { class: "num" }, el("button", { ...open, "aria-label": `${label}: ${word}` }, el("span", { class: kind }, word)));
    }
    const value = Number(number.mean);
    const state = value === ranking.best ? " best" : value === ranking.second ? " second" : "";
    const nGood = number.values.filter((found) => found !== null).length;
    const nWanted = distinct(group.runs.map((run) => model.run(run).repeat)).length;
    const few = nGood < nWanted ? ` ${nGood}/${nWanted}` : "";
    const spread = number.sd ? ` ± ${number.sd}` : "";
    const mark = number.isCertain ? CERTAIN : "";
    return el("td", { class: `num${state}${column.hasSpread ? " spread" : ""}` },
      el("button", { ...open, "aria-label": `${label}: ${number.mean}${spread}${few && `, ${nGood} of ${nWanted} repeats`}` },
        el("span", { class: "mean" }, number.mean), mark && el("span", { class: "mark certain" }, mark), el("span", { class: column.lessIsBetter ? "sd wide" : "sd" }, spread, few && el("span", { class: "mark few" }, few))));
  }

  simulated(row) {
    const groups = this.model.places(this.choices).map((place) => this.model.group(row, place)).filter(Boolean);
    const texts = groups.flatMap((group) => group.runs.map((run) => this.model.run(run).simulated)).filter(Boolean);
    return distinct(texts.flatMap((text) => text.split(/[ ,]+/)));
  }

  drawLegend(blocks, columns) {
    const rows = blocks.flatMap((block) => block.rows);
    const kinds = distinct(rows.flatMap((row) => this.simulated(row))).sort();
    const table = byId("board");
    const isPartial = columns.some((column) => this.model.data.places[column.place].isPartial);
    table.classList.toggle("short", Boolean(table.querySelector("td .sd:not(:empty) .few")));
    byId("legend").replaceChildren(...[
      columns.some((column) => column.hasSpread) && el("li", {}, "mean ± standard deviation over repeats"),
      table.querySelector(".best") && el("li", {}, el("b", {}, ".123"), " best of its block"),
      table.querySelector(".second") && el("li", {}, el("u", {}, ".123"), " second of three or more"),
      kinds.length && el("li", {}, `${SIMULATED} simulated ${kinds.join(" and ")} features, not measured ones`),
      rows.some((row) => this.model.data.rows[row].onTest) && el("li", {}, `${STOPPED_ON_TEST} checkpoint chosen on the test links: such a number flatters`),
      isPartial && el("li", {}, `${PARTIAL} the copy of the dataset lacks part of what a method reads`),
      table.querySelector(".certain") && el("li", {}, `${CERTAIN} 1 whatever the scores: no more than k candidates were ranked for Hits@k`),
      table.querySelector(".few") && el("li", {}, el("span", { class: "few" }, "2/3"), " so many of the repeats have a number"),
    ].filter(Boolean));
  }

  // Arrow keys walk through the cells, beside the usual Tab.
  moveFocus(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    const cell = event.target.closest("tbody td");
    if (!step || !cell) return;
    const rows = [...byId("board").querySelectorAll("tbody tr:not(.group)")];
    let [row, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
    for (;;) {
      [row, column] = [row + step[0], column + step[1]];
      const next = rows[row]?.cells[column];
      if (!next || next.tagName !== "TD") return;
      const button = next.querySelector("button");
      if (button) {
        event.preventDefault();
        button.focus();
        return;
      }
    }
  }
}
