// Starts the page: theme, leaderboard, and following a run where the page comes from a server.

const THEME = "mmea-bench-theme";
const POLL_MS = 3000;

// A page opened from a file may have no storage.
const stored = () => { try { return localStorage.getItem(THEME); } catch { return null; } };
const store = (value) => { try { localStorage.setItem(THEME, value); } catch { /* kept in this page only */ } };

const startTheme = () => {
  const root = document.documentElement;
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => {
    button.textContent = isDark() ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
  };
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store(root.dataset.theme);
    label();
  });
  system.addEventListener("change", label);
  label();
  button.hidden = false;
};

class Follower {
  constructor(board, dialog) {
    this.board = board;
    this.dialog = dialog;
    this.poll();
  }

  async poll() {
    try {
      const answer = await fetch("state", { cache: "no-store" });
      const state = await answer.json();
      if (state.page !== this.board.model.data.signature) await this.reload();
      this.show(state);
    } catch {
      this.say(["The server has stopped; this page shows what it knew last."]);
    }
    setTimeout(() => this.poll(), POLL_MS);
  }

  // Takes the new content and keeps choices, scroll position and the open cell.
  async reload() {
    const text = await (await fetch("./", { cache: "no-store" })).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const id of ["contents", "summary", "reports", "page-data"]) {
      byId(id).replaceWith(document.importNode(fresh.getElementById(id), true));
    }
    document.title = fresh.title;
    this.board.take(new Model(readData(document)));
    this.dialog.refresh();
  }

  show(state) {
    const { counts } = this.board.model.data;
    const nBad = [...BAD].reduce((sum, status) => sum + (counts[status] ?? 0), 0);
    const ended = state.nPlanned ? `${state.nEnded} of ${count(state.nPlanned, "cell")} have ended` : `${count(state.nEnded, "cell")} ended`;
    const bad = nBad ? ` · ${nBad} went wrong` : "";
    const left = state.nPlanned - state.nEnded;
    const missing = left > 0 ? ` · ${left} missing` : "";
    if (state.folder === "gone") this.say(["The folder of the run has gone; this page shows what was there last."]);
    else if (state.running) this.say([`Running since ${state.running.since} · ${ended}${bad}${missing}`], state);
    else if (state.folder === "empty") this.say(["The folder holds no results yet. This page fills itself as soon as the first cell has ended."]);
    else if (left > 0) this.say([`Not running · ${ended}${bad}${missing}. The command that started the run goes on with the rest.`], state);
    else this.say([`Not running · ${ended}${bad}.`]);
  }

  say(sentences, state) {
    const box = byId("progress");
    const text = sentences.join(" ");
    box.hidden = false;
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    const bar = state?.nPlanned && el("progress", { max: state.nPlanned, value: state.nEnded, "aria-label": "Cells that have ended" });
    box.replaceChildren(el("p", {}, text), ...(bar ? [bar] : []));
  }
}

startTheme();
const model = new Model(readData(document));
let dialog = null;
const board = new Board(model, (row, place) => dialog.open(row, place));
dialog = new CellDialog(board);
if (model.data.isLive) new Follower(board, dialog);
