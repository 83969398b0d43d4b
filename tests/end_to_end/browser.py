"""Airflow's UI in headless Chromium, addressed by visible texts: links, and names of buttons and fields."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.waiting import PATIENCE

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs chromium and chromedriver: on Debian, `apt-get install chromium chromium-driver`",
)

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium has no sandbox for root
    "--disable-gpu",
    "--window-size=1600,1200",
    # The browser requests only the page under test.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)

NOT_YET = (
    NoSuchElementException,
    ElementNotInteractableException,
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
"""Errors of an element while its page is still being drawn."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Browser:
    """A window. Its methods wait for elements, as a person would; an error names the missing element."""

    driver: webdriver.Chrome
    screenshots: Path

    def wait(self, condition: Callable[[], Found], what: str, seconds: float = PATIENCE) -> Found:
        """Return the condition's value once it is true; the page may be redrawn meanwhile."""
        waiting = WebDriverWait(self.driver, seconds, ignored_exceptions=NOT_YET)
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"{what} did not appear; {self.driver.current_url} shows:\n{self.text()}") from None

    def open(self, url: str) -> None:
        self.driver.get(url)

    def text(self) -> str:
        """Return the text of the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def see(self, text: str) -> None:
        """Wait until the page shows the text."""
        self.wait(lambda: text in self.text(), repr(text))

    def click_button(self, name: str) -> None:
        """Click the button with this accessible name."""
        self._click(f"//button[@aria-label='{name}' or not(@aria-label) and normalize-space()='{name}']", name)

    def click_link(self, text: str) -> None:
        self._click(f"//a[normalize-space()='{text}']", text)

    def fill(self, label: str, text: str) -> None:
        """Type into the field with a label."""

        self._field(label).send_keys(text)
        self.wait(lambda: self._field(label).get_property("value") == text, f"{text!r} in the field {label!r}")

    def fill_time(self, label: str, moment: datetime) -> None:
        """Type a date and a time of day into the picker of a field, in place of the proposed one."""
        group = f"//div[@role='group'][.//label[normalize-space()='{label}']]"
        picker = self.wait(lambda: self._one(f"{group}//*[@data-testid='datetime-input']"), f"the field {label!r}")
        picker.click()
        for hint, text in (("YYYY/MM/DD", f"{moment:%Y/%m/%d}"), ("HH:mm", f"{moment:%H:%M}")):
            part = self.wait(lambda hint=hint: self._one(f"//input[@placeholder='{hint}']"), f"the field {hint!r}")
            part.send_keys(Keys.CONTROL, "a")
            part.send_keys(text, Keys.ENTER)
        wanted = f"{moment:%b %d, %Y %H:%M}"
        self.wait(lambda: picker.text == wanted, f"{wanted} in {label!r}")

    def show_frame(self, title: str) -> None:
        """Continue in a frame of the page."""
        frame = self.wait(lambda: self._one(f"//iframe[@title='{title}']"), f"the frame {title!r}")
        self.driver.switch_to.frame(frame)

    def table(self) -> dict[str, list[str]]:
        """Return the page's table: the texts of a row's cells by the text of its link."""
        rows = self.driver.find_elements(By.XPATH, "//tr[td//a]")
        return {
            row.find_element(By.XPATH, "./td//a").text: [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
            for row in rows
        }

    def screenshot(self, name: str) -> None:
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))

    def _one(self, xpath: str) -> WebElement:
        """Return the only element that matches."""
        elements = [element for element in self.driver.find_elements(By.XPATH, xpath) if element.is_displayed()]
        if len(elements) != 1:
            raise NoSuchElementException(f"{xpath}: {len(elements)} elements")
        return elements[0]

    def _field(self, label: str) -> WebElement:
        xpath = f"//input[@id=//label[normalize-space()='{label}']/@for]"
        return self.wait(lambda: self._one(xpath), f"the field {label!r}")

    def _click(self, xpath: str, name: str) -> None:
        def clicked() -> bool:
            self._one(xpath).click()
            return True

        self.wait(clicked, repr(name))


@contextmanager
def chromium(folder: Path) -> Iterator[webdriver.Chrome]:
    """Start Debian's Chromium with a separate profile. Selenium downloads nothing, because it gets both paths."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=DRIVER, env={**os.environ, "LANGUAGE": "en_US"})
    driver = webdriver.Chrome(options, service)
    try:
        yield driver
    finally:
        driver.quit()
