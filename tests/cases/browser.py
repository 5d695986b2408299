"""A page in Chromium, with what tests do to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import Select

DESKTOP, PHONE = (1280, 900), (390, 844)


class Browser:
    """A driver of the browser with short words for what tests do."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def show(self, address: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", features=[feature])
        self.driver.get(address)

    def command(self, name: str, **parameters: object) -> None:
        self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def texts(self, selector: str) -> list[str]:
        found = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(n => n.textContent)", selector
        )
        return [str(text) for text in found]

    @property
    def methods(self) -> list[str]:
        return self.texts("#board tbody .name")

    def choose(self, name: str, text: str) -> None:
        Select(self.one(f"#filter-{name}")).select_by_visible_text(text)

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, is_done: Callable[[], bool], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not is_done():
            assert time.monotonic() < end, "the page did not change in time"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]
