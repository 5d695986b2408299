"""The web page in a real browser: sorting, filtering, opening cells, colours, phone, following."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmea_bench.bench.cli.serve import make_server
from mmea_bench.reports.making import serve
from mmea_bench.reports.making.build import build_reports
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import PAIR_SCORING

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from tests.cases.browser import PHONE, Browser  # noqa: E402

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and CHROMEDRIVER.exists()),
    reason="chromium and chromedriver are not installed",
)

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1280,900", "--disable-dev-shm-usage"),
)
REPORTS = ["main_table", "learning_curves"]
HOSTILE = "</script><img src=x onerror=alert(1)>"


def fill_folder(folder: Path) -> None:
    """Two datasets and ratios, repeats with curves, names, failures and a hostile variant."""
    store = ResultStore(folder)
    run = {
        "versions": '{"python": "3.11.7", "torch": "2.13.0"}',
        "git_commit": "0123abcd",
        "device": "cpu",
        "overrides": '{"epochs": 60}',
        "fit_s": 83.2,
        "eval_s": 0.5,
        "epochs": 60,
        "best_epoch": 40,
        "rng_seed": 4242,
        "split_seed": 17,
    }
    for repeat in (1, 2, 3):
        for ratio in (0.2, 0.5):
            for place, dataset in enumerate(("fb15k-db15k", "fb15k-yago15k")):
                where = {"dataset": dataset, "seed_ratio": ratio, "repeat": repeat, **run}
                lift = 0.1 * place + ratio / 5 + repeat / 500
                store.write(make_record("eva", 0.2 + lift, n_points=6, **where))
                store.write(make_record("mclea", 0.4 - 2 * place * 0.15 + lift, **where))
                store.write(make_record("transe", 0.05 + lift, **where))
    store.write(make_record("eva", 0.1, variant=HOSTILE, dataset="fb15k-db15k"))
    store.write(
        make_record("poe", 0.0, dataset="fb15k-yago15k", status="failed", reason="out of luck")
    )
    store.write(make_record("meaformer", 0.6, stopped_on="test", simulated_features="image"))


def pair_record(inference: str, f1: float) -> Record:
    """A cell that predicted pairs: no direction, no CSLS."""
    scoring = {**PAIR_SCORING, "inference": inference}
    cell = make_record("crossea", 0.1, variant=f"by {inference}").cell
    values = {"hits@1": 0.7, "precision": 0.8, "recall": 0.6, "f1": f1}
    numbers = [
        {**scoring, "metric": m, "direction": "pairs", "value": v, "n": 9}
        for m, v in values.items()
    ]
    return Record.of(cell, numbers)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def browser(started: Browser) -> Iterator[Browser]:
    """The browser; every test ends with a look at its console."""
    yield started
    assert started.complaints() == []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    fill_folder(folder)
    build_reports(folder, only=REPORTS, formats=("html",))
    return (folder / "report" / "index.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Browser:
    browser.show(address)
    return browser


def test_page_works_from_a_file(page: Browser) -> None:
    assert page.driver.title == "Results of demo · mmea-bench"
    assert page.methods[:3] == ["mclea", "eva", "eva"]
    assert page.texts("#board .group") == [
        "Without entity names",
        "Without a number",
        "Checkpoint chosen on the test links, not ranked with the others",
    ]
    assert "‡" in page.one("#legend").text
    assert "†" in page.one("#legend").text
    pictures = page.run("return [...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert pictures == [True] * 4


def test_a_header_sorts_and_sorts_back(page: Browser) -> None:
    page.choose("dataset", "fb15k-yago15k")
    page.choose("ratio", "50\u00a0%")
    page.choose("metric", "MRR")
    (header,) = page.all("#board thead tr:last-child th")
    assert header.get_attribute("aria-sort") == "descending"
    assert page.methods[:3] == ["eva", "mclea", "transe"]
    page.one("#board thead tr:last-child button").click()
    assert page.one("#board thead tr:last-child th").get_attribute("aria-sort") == "ascending"
    assert page.methods[:3] == ["transe", "mclea", "eva"]
    assert "ascending" in page.one("#shown").text


def test_sorting_works_from_the_keyboard_and_keeps_the_focus(page: Browser) -> None:
    page.run("document.querySelector('#board thead button').focus()")
    page.press(Keys.ENTER)
    assert page.one("#board thead th").get_attribute("aria-sort") == "ascending"
    assert page.methods[:2] == ["eva", "eva"]
    assert page.run("return document.activeElement.textContent").startswith("Method")
    page.press(Keys.SPACE)
    assert page.one("#board thead th").get_attribute("aria-sort") == "descending"
    assert page.methods[0] == "transe"


def test_numbers_that_are_missing_stand_last_either_way(page: Browser) -> None:
    page.choose("ratio", "50\u00a0%")
    page.choose("dataset", "fb15k-db15k")
    for _ in range(2):
        assert page.methods[:4][-1] == "eva"
        assert page.texts("#board tbody .word")[0] == "missing"
        page.one("#board thead tr:last-child button").click()


def test_text_filters_methods(page: Browser) -> None:
    page.one("#filter-text").send_keys("MCL")
    assert page.methods == ["mclea"]
    assert page.one("#shown").text.startswith("1 row,")
    page.one("#filter-text").send_keys("x")
    assert page.methods == []
    assert page.one("#shown").text == "No method matches. Change the filters above."


def test_choices_change_columns_and_numbers(page: Browser) -> None:
    page.choose("dataset", "fb15k-db15k")
    page.choose("ratio", "20\u00a0%")
    assert page.texts("#board thead tr:last-child button") == ["Hits@1↓", "Hits@10↓", "MRR↓"]
    before = page.texts("#board .best .mean")
    page.choose("csls", "none")
    assert page.texts("#board .best .mean") == [".444", ".744", ".544"] != before
    page.choose("metric", "MR")
    assert page.methods[0] == "mclea"
    assert page.one("#board thead tr:last-child th").get_attribute("aria-sort") == "ascending"


def test_a_click_opens_runs_curve_configuration_and_environment(page: Browser) -> None:
    page.one("#filter-text").send_keys("eva")
    page.choose("csls", "none")
    page.one("#board tbody td button").click()
    assert page.one("#cell").is_displayed()
    assert "fb15k-db15k, 20 % seeds" in page.one("#cell-title").text
    first, *rest = page.texts("#cell-content tbody tr")
    assert len(rest) == 2
    for text in ("1ok", ".2420", "1 min 23 s", "60", "40"):
        assert text in first
    assert len(page.all("#cell svg path.valid")) == len(page.all("#cell svg path.test")) == 3
    assert page.run(
        "return getComputedStyle(document.querySelector('path.test')).strokeDasharray"
    ) not in ("", "none")
    content = page.one("#cell-content").text
    for text in ("epochs = 60", "4242", "17", "0123abcd", "2.13.0", "cpu", "aaaaaaaaaaaa"):
        assert text in content
    page.one("#cell-close").click()
    assert not page.one("#cell").is_displayed()


def test_a_cell_opens_and_closes_from_the_keyboard(page: Browser) -> None:
    page.run("document.querySelector('#board tbody td button').focus()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    position = (
        "const cell = document.activeElement.closest('td');"
        "return [cell.parentElement.rowIndex, cell.cellIndex]"
    )
    before = page.run(position)
    assert before == [5, 2]
    page.press(Keys.ENTER)
    assert page.one("#cell").is_displayed()
    assert page.run("return document.activeElement.closest('dialog') !== null")
    page.press(Keys.ESCAPE)
    assert not page.one("#cell").is_displayed()
    assert page.run(position) == before


def test_a_failed_cell_gives_its_reason(page: Browser) -> None:
    page.one("#filter-text").send_keys("poe")
    word, *_ = [node for node in page.all("#board .word") if node.text == "failed"]
    word.click()
    assert "out of luck" in page.one("#cell-content").text


def test_pairs_show_their_own_metrics_first(browser: Browser, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(pair_record("one-threshold", 0.65))
    store.write(pair_record("two-thresholds", 0.75))
    build_reports(tmp_path, only=["main_table"], formats=("html",))
    browser.show((tmp_path / "report" / "index.html").as_uri())
    heads = browser.texts("#board thead tr:last-child button")
    assert heads == ["Precision↓", "Recall↓", "F1↓", "Hits@1↓"]
    assert browser.texts("#board .variant") == [
        "by two-thresholds, two-thresholds",
        "by one-threshold, one-threshold",
    ]
    assert browser.all("#filter-csls, #filter-direction") == []


def test_hostile_names_are_shown_and_do_nothing(page: Browser) -> None:
    assert HOSTILE in page.texts("#board .variant")
    page.one("#filter-text").send_keys("onerror")
    page.one("#board tbody td button").click()
    assert HOSTILE in page.one("#cell-title").text
    assert page.all("img[src=x]") == []


def test_first_tab_reaches_the_skip_link(page: Browser) -> None:
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.textContent") == "Skip to the leaderboard"
    page.press(Keys.ENTER)
    assert page.run("return location.hash") == "#leaderboard"


def _brightness(page: Browser) -> int:
    colour = page.run("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour.strip("rgb()").split(",")[:3])


def test_colours_follow_the_system_and_the_button(page: Browser, address: str) -> None:
    light = _brightness(page)
    page.one("#theme").click()
    dark = _brightness(page)
    assert dark < 150 < 600 < light
    page.driver.refresh()
    assert _brightness(page) == dark
    page.run("localStorage.clear()")
    page.show(address, scheme="dark")
    assert _brightness(page) == dark
    page.one("#theme").click()
    assert _brightness(page) == light
    page.run("localStorage.clear()")


@pytest.mark.parametrize("is_open", [False, True], ids=["page", "cell"])
def test_a_phone_scrolls_tables_but_never_the_page(
    browser: Browser, address: str, is_open: bool
) -> None:
    browser.show(address, PHONE)
    if is_open:
        browser.run("document.querySelector('#board tbody td button').click()")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    frame = browser.one("#board-frame")
    assert browser.run("return arguments[0].scrollWidth > arguments[0].clientWidth", frame)
    left = (
        "return document.querySelector('#board tbody tr:nth-child(2) th').getBoundingClientRect().x"
    )
    before = browser.run(left)
    browser.run("arguments[0].scrollLeft = 150", frame)
    assert browser.run(left) == before


def test_a_long_table_scrolls_below_its_own_header(browser: Browser, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for number in range(45):
        store.write(make_record(f"method_{number}", 0.3, key=str(number)))
    build_reports(tmp_path, only=["main_table"], formats=("html",))
    browser.show((tmp_path / "report" / "index.html").as_uri())
    frame = browser.one("#report-main_table .scroll.long")
    assert browser.run("return arguments[0].clientHeight < innerHeight", frame)
    top = "return arguments[0].querySelector('thead').getBoundingClientRect().top"
    browser.run("arguments[0].scrollIntoView(); arguments[0].scrollTop = 600", frame)
    assert browser.run(f"{top} - arguments[0].getBoundingClientRect().top", frame) == 0


def test_long_names_do_not_widen_a_phone(browser: Browser, tmp_path: Path) -> None:
    long = "full[" + ",".join(f"parameter_{number}=0.12345" for number in range(9)) + "]"
    dataset = f"synthetic[{long}]"
    names = {"variant": long, "dataset": dataset, "notes": long, "key": "a"}
    record = make_record("a_method", 0.3, n_points=3, **names)
    ResultStore(tmp_path).write(record)
    build_reports(tmp_path, only=["main_table", "cost", "learning_curves"], formats=("html",))
    browser.show((tmp_path / "report" / "index.html").as_uri(), PHONE)
    assert browser.run("return document.documentElement.scrollWidth") == PHONE[0]
    browser.run("document.querySelector('#board tbody td button').click()")
    content = browser.one("#cell-content")
    assert browser.run("return arguments[0].scrollWidth <= arguments[0].clientWidth", content)


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ResultStore, serve.PageServer]]:
    """A served folder in which a run is under way."""
    monkeypatch.setattr(serve, "_SHORTEST_REST_S", 0.0)
    monkeypatch.setattr(serve, "_REST_FACTOR", 0.0)
    entries = serve.catalogue_entries(["main_table"])
    monkeypatch.setattr(serve, "catalogue_entries", lambda: entries)
    store = ResultStore(tmp_path / "run")
    store.folder.mkdir()
    server = make_server(store.folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield store, server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_served_page_follows_the_run_and_keeps_what_is_open(
    browser: Browser, running: tuple[ResultStore, serve.PageServer]
) -> None:
    store, server = running
    browser.show(server.address)
    browser.wait(lambda: "holds no results yet" in browser.one("#progress").text)
    store.write(make_record("mclea", 0.4))
    browser.wait(lambda: browser.methods == ["mclea"])
    assert browser.one("#filter-csls").get_attribute("value") == "3"
    browser.one("#filter-text").send_keys("mcl")
    browser.one("#board tbody td button").click()
    store.write(make_record("mclea", 0.5, repeat=2))
    store.write(make_record("eva", 0.6))
    browser.wait(lambda: len(browser.all("#cell-content tbody tr")) == 2)
    assert browser.one("#cell").is_displayed()
    assert browser.methods == ["mclea"]
    assert "3 ok" in browser.one("#summary").text
    assert "eva" in browser.texts("#report-main_table tbody th")
    store.folder.rename(store.folder.with_name("elsewhere"))
    browser.wait(lambda: "has gone" in browser.texts("#progress")[0])
