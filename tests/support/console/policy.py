"""The policy's form as a browser fills it in."""

from html.parser import HTMLParser

WHY = {"reason": "the board of May"}
"""What a change that allows more needs."""


class _Form(HTMLParser):
    def __init__(self, action):
        super().__init__()
        self.action, self.inside, self.area, self.fields = action, False, None, {}

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        if tag == "form":
            self.inside = said.get("action") == self.action and not (self.fields and self.inside is False)
        if not self.inside:
            return
        if tag == "textarea":
            self.area = said["name"]
            self.fields[self.area] = ""
        if tag == "input" and "name" in said:
            ticked = said.get("type") not in ("checkbox", "radio") or "checked" in said
            if ticked:
                self.fields[said["name"]] = said.get("value", "on")

    def handle_endtag(self, tag):
        if tag == "textarea" and self.area:
            self.fields[self.area] = self.fields[self.area].removeprefix("\n")
            self.area = None
        if tag == "form":
            self.inside = False

    def handle_data(self, data):
        if self.area:
            self.fields[self.area] += data


def typed(page, changes=None, without=(), action="/policy/change"):
    """The fields of the page's form with this action, some of them changed or left out."""
    form = _Form(action)
    form.feed(page)
    assert form.fields, page
    return {name: value for name, value in (form.fields | (changes or {})).items() if name not in without}
