// From the data of the page and the reader's choices to rows and columns.

const ALL = "";
const MAIN_METRICS = "main";
const PAIRS_VIEW = "pairs";
const ANY_CSLS = "any";
const MOST_MAIN_COLUMNS = 12;
const WORST_FIRST = ["failed", "diverged", "out_of_memory", "timeout", "skipped", "missing", "ok"];
const BAD = new Set(["failed", "diverged", "out_of_memory", "timeout"]);

const readData = (page) => JSON.parse(page.getElementById("page-data").textContent);
const distinct = (values) => [...new Set(values)];
const spell = (status) => status.replaceAll("_", " ");
const rowKey = (row) => JSON.stringify([row.protocol, row.rules, row.section, row.method, row.variant, row.scoring]);
const placeKey = (place) => JSON.stringify([place.dataset, place.ratio]);
const rulebookKey = (row) => JSON.stringify([row.protocol, row.rules]);

class Model {
  constructor(data) {
    this.data = data;
    this.groups = new Map();
    for (const group of data.groups) {
      const numbers = new Map();
      for (const [metric, view, mean, sd, values, isCertain] of group.numbers) {
        numbers.set(`${metric} ${data.views[view]}`, { mean, sd, values, isCertain: Boolean(isCertain) });
      }
      this.groups.set(`${group.row} ${group.place}`, { ...group, numbers });
    }
  }

  run(number) {
    const values = this.data.runs[number];
    const run = Object.fromEntries(this.data.runFields.map((name, place) => [name, values[place]]));
    return { ...run, curve: this.data.curves[number] ?? null };
  }

  group(row, place) {
    return this.groups.get(`${row} ${place}`) ?? null;
  }

  number(group, metric, choices) {
    return (
      group.numbers.get(`${metric} ${choices.direction} ${choices.csls}`) ??
      group.numbers.get(`${metric} ${choices.direction} ${ANY_CSLS}`) ??
      group.numbers.get(`${metric} ${PAIRS_VIEW}`) ??
      null
    );
  }

  // The choices that the page starts with.
  start() {
    const { data } = this;
    const keys = data.rows.map(rulebookKey);
    const nRows = (key) => keys.filter((other) => other === key).length;
    const [rulebook = ALL] = distinct(keys).sort((one, other) => nRows(other) - nRows(one));
    const choices = {
      text: "", dataset: ALL, ratio: ALL, rulebook, metric: MAIN_METRICS, sort: null,
      direction: data.start.direction, csls: String(data.start.csls),
    };
    const nColumns = this.columns(choices).length;
    if (nColumns > MOST_MAIN_COLUMNS && data.mainMetrics.length > 1) {
      choices.metric = data.metrics[data.mainMetrics[0]].id;
    }
    return choices;
  }

  // What each choice offers: [value, label] pairs.
  offers() {
    const { data } = this;
    const ranked = data.views.filter((view) => view !== PAIRS_VIEW).map((view) => view.split(" "));
    const protocols = distinct(data.rows.map(rulebookKey)).map((key) => [key, ...JSON.parse(key)]);
    const nRules = (protocol) => protocols.filter((entry) => entry[1] === protocol).length;
    return {
      dataset: [[ALL, "All"], ...distinct(data.places.map((place) => place.dataset)).map((name) => [name, name])],
      ratio: [[ALL, "All"], ...distinct(data.places.map((place) => place.ratio)).map((name) => [name, name])],
      rulebook: protocols.map(([key, protocol, rules]) => [key, nRules(protocol) > 1 ? `${protocol}: ${rules}` : protocol]),
      metric: [[MAIN_METRICS, "Main metrics"], ...data.metrics.map((metric) => [metric.id, metric.name])],
      direction: distinct(ranked.map((words) => words[0])).map((name) => [name, data.directions[name]]),
      csls: distinct(ranked.map((words) => words[1])).filter((k) => k !== ANY_CSLS).map((k) => [k, k === "0" ? "none" : `k = ${k}`]),
    };
  }

  // Numbers of the rows that the choices leave.
  rows(choices) {
    const words = choices.text.toLowerCase().split(/\s+/).filter(Boolean);
    return this.data.rows.flatMap((row, number) => {
      const name = `${row.method} ${row.variant} ${row.scoring} ${row.section}`.toLowerCase();
      const isWanted = rulebookKey(row) === choices.rulebook && words.every((word) => name.includes(word));
      return isWanted && this.places(choices).some((place) => this.group(number, place)) ? [number] : [];
    });
  }

  places(choices) {
    return this.data.places.flatMap((place, number) => {
      const isWanted =
        (choices.dataset === ALL || place.dataset === choices.dataset) &&
        (choices.ratio === ALL || place.ratio === choices.ratio);
      return isWanted ? [number] : [];
    });
  }

  // Columns with a number in any row of the protocol; a place without any keeps one for its words.
  columns(choices) {
    const { data } = this;
    const rows = data.rows.flatMap((row, number) => (rulebookKey(row) === choices.rulebook ? [number] : []));
    const wanted =
      choices.metric === MAIN_METRICS
        ? data.mainMetrics
        : [data.metrics.findIndex((metric) => metric.id === choices.metric)];
    return this.places(choices).flatMap((place) => {
      const groups = rows.map((row) => this.group(row, place)).filter(Boolean);
      const metrics = wanted.filter((metric) => groups.some((group) => this.number(group, metric, choices)));
      // Where pairs are predicted, that the best candidate is right comes after.
      if (metrics.some((metric) => !data.metrics[metric].isOfRanks)) {
        metrics.sort((one, other) => data.metrics[one].isOfRanks - data.metrics[other].isOfRanks);
      }
      const shown = metrics.length || !groups.length ? metrics : wanted.slice(0, 1);
      return shown.map((metric) => ({
        place, metric, ...data.metrics[metric],
        key: JSON.stringify([placeKey(data.places[place]), data.metrics[metric]?.id]),
      }));
    });
  }

  // How the runs of a group ended that has no number.
  ending(group) {
    const endings = group.runs.map((run) => this.run(run).status);
    return WORST_FIRST.find((status) => endings.includes(status)) ?? "missing";
  }

  // Rows in the order of the choices, in blocks that are never ranked with each other.
  blocks(choices, columns) {
    const titled = new Map();
    for (const row of this.rows(choices)) {
      const title = this.blockTitle(this.data.rows[row]);
      titled.set(title, [...(titled.get(title) ?? []), row]);
    }
    return [...titled].map(([title, rows]) => ({
      title, rows: this.sorted(rows, choices, columns), places: this.ranking(rows, choices, columns),
    }));
  }

  blockTitle(row) {
    if (row.onTest) return "Checkpoint chosen on the test links, not ranked with the others";
    if (!row.section) return "Without a number";
    const words = row.section.split(", ");
    const names = words.includes("names") ? "With entity names" : "Without entity names";
    const others = words.filter((word) => word === "iterative" || word.startsWith("decoder "));
    return [names, ...others].join(", ");
  }

  sorted(rows, choices, columns) {
    const { sort } = choices;
    const column = sort && columns.find((found) => found.key === sort.key);
    if (sort?.key === "method") return sort.isAscending ? rows : rows.toReversed();
    if (!column) return rows;
    const value = (row) => this.value(row, column, choices);
    const order = sort.isAscending ? 1 : -1;
    return rows.toSorted((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return order * (a - b);
    });
  }

  value(row, column, choices) {
    const group = this.group(row, column.place);
    const number = group && this.number(group, column.metric, choices);
    return number ? Number(number.mean) : null;
  }

  // Whether a Hits@k of the column was measured among no more than k candidates.
  isCertain(rows, column, choices) {
    return rows.some((row) => {
      const group = this.group(row, column.place);
      return group && this.number(group, column.metric, choices)?.isCertain;
    });
  }

  // Best and second best printed number of each column; numbers that print alike share a place.
  ranking(rows, choices, columns) {
    const isRanked = rows.length && !this.data.rows[rows[0]].onTest;
    return columns.map((column) => {
      const values = rows.map((row) => this.value(row, column, choices)).filter((value) => value !== null);
      const order = distinct(values).sort((a, b) => (column.lessIsBetter ? a - b : b - a));
      if (!isRanked || this.isCertain(rows, column, choices) || values.length < 2 || order.length < 2) return {};
      return { best: order[0], second: values.length >= 3 ? order[1] : null };
    });
  }
}
