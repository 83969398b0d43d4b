"""Airflow's UI in headless Chromium, by what people see of it: the texts of links, the names of buttons and fields."""

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
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--window-size=1600,1200",
    # Nothing but the page that is tested is asked for.
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
"""What may be wrong with an element while its page is still being drawn."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Browser:
    """A window. What it is asked for is waited for, as a person would; a failure says what didn't come."""

    driver: webdriver.Chrome
    screenshots: Path

    def wait(self, condition: Callable[[], Found], what: str, seconds: float = PATIENCE) -> Found:
        """The condition's value once it is true; the page can be redrawn meanwhile."""
        waiting = WebDriverWait(self.driver, seconds, ignored_exceptions=NOT_YET)
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"{what} did not come; {self.driver.current_url} says:\n{self.text()}") from None

    def open(self, url: str) -> None:
        self.driver.get(url)

    def text(self) -> str:
        """All that the page says."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def see(self, text: str) -> None:
        """Wait until the page says it."""
        self.wait(lambda: text in self.text(), repr(text))

    def click_button(self, name: str) -> None:
        """Clicks the button that a screen reader calls so."""
        self._click(f"//button[@aria-label='{name}' or not(@aria-label) and normalize-space()='{name}']", name)

    def click_link(self, text: str) -> None:
        self._click(f"//a[normalize-space()='{text}']", text)

    def fill(self, label: str, text: str) -> None:
        """Types into the field of a label."""

        self._field(label).send_keys(text)
        self.wait(lambda: self._field(label).get_property("value") == text, f"{text!r} in the field {label!r}")

    def fill_time(self, label: str, moment: datetime) -> None:
        """Type a date and a time of day into the picker of a field, over what it proposes."""
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
        """Goes on in a frame of the page."""
        frame = self.wait(lambda: self._one(f"//iframe[@title='{title}']"), f"the frame {title!r}")
        self.driver.switch_to.frame(frame)

    def table(self) -> dict[str, list[str]]:
        """The page's table: for each row's link the texts of its cells."""
        rows = self.driver.find_elements(By.XPATH, "//tr[td//a]")
        return {
            row.find_element(By.XPATH, "./td//a").text: [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
            for row in rows
        }

    def screenshot(self, name: str) -> None:
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))

    def _one(self, xpath: str) -> WebElement:
        """The only element there is."""
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
    """Debian's Chromium, with a profile of its own; with both paths given, Selenium looks for nothing to download."""
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
