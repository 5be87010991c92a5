"""Any upload, any lever, any page, in any order: no exception, and nothing on the screen that is not a number."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as search
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from streamlit.testing.v1 import AppTest

from tests.fuzz.exports import EXAMPLES, companies
from ui.reading import RUNNING

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*/*.py"))
FIRST_RUN, RUN = 180, 90
STRANGE = re.compile(r"\b(nan|inf|NaT|undefined)\b|<NA>|None\b(?! of)")
WORDS_ALLOWED = {"pages/data/columns.py", "pages/data/load.py", "pages/data/definitions.py"}
"""Pages that show what stood in the files, where such words may come from."""


class Session(RuleBasedStateMachine):
    """One visitor."""

    @initialize()
    def open(self):
        self.app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=RUN)
        self.page = "pages/meeting/pipeline.py"
        self.app.run(timeout=FIRST_RUN)

    def takes_files(self):
        """Not where names are masked: files are put away then, and one that is read waits until they are back."""
        return len(self.app.file_uploader) > 0

    @rule(page=st.sampled_from(PAGES))
    def go(self, page):
        self.page = page
        self.app.switch_page(page).run()

    @rule(company=companies())
    def upload(self, company):
        self.go("pages/data/load.py")
        if self.takes_files():
            for name, content in company.items():
                self.app.file_uploader[0].upload(name, content)
            self.app.run()
            while RUNNING in self.app.session_state and self.takes_files():
                self.app.run()
        self.go("pages/meeting/pipeline.py")

    @precondition(lambda self: len(self.app.sidebar.slider))
    @rule(number=st.integers(0, 99), place=st.floats(0, 1))
    def drag(self, number, place):
        slider = self.app.sidebar.slider[number % len(self.app.sidebar.slider)]
        steps = round((slider.max - slider.min) / slider.step * place)
        value = min(slider.min + steps * slider.step, slider.max)
        slider.set_value(type(slider.value)(value)).run()

    @precondition(lambda self: len(self.app.sidebar.number_input))
    @rule(number=st.integers(0, 2), wanted=st.sampled_from((None, 0.0, 1.0, 1e6, 1e15)))
    def aim(self, number, wanted):
        boxes = self.app.sidebar.number_input
        boxes[number % len(boxes)].set_value(wanted).run()

    @precondition(lambda self: len(self.app.sidebar.date_input))
    @rule(days=st.integers(0, 1500))
    def look_back(self, days):
        box = self.app.sidebar.date_input[0]
        if box.value is not None:
            box.set_value(box.value - timedelta(days=days)).run()

    @rule(number=st.integers(0, 9))
    def switch(self, number):
        toggles = self.app.toggle
        if len(toggles):
            toggle = toggles[number % len(toggles)]
            toggle.set_value(not toggle.value).run()

    @invariant()
    def nothing_failed(self):
        assert not self.app.exception, (self.page, [x.message for x in self.app.exception])
        if self.page not in WORDS_ALLOWED:
            shown = [*(x.value for x in self.app.metric), *(x.value for x in self.app.header)]
            assert not [text for text in shown if STRANGE.search(str(text))], (self.page, shown)


TestSession = Session.TestCase
TestSession.settings = search(
    max_examples=max(EXAMPLES // 10, 1), stateful_step_count=10, suppress_health_check=list(HealthCheck)
)
