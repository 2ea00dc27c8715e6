"""What people fill in on their account page."""

from __future__ import annotations

from typing import Any

from django import forms
from packaging.utils import canonicalize_name

SCOPES = (
    ("submit", "Submit: releases of every plugin of yours"),
    ("yank", "Yank: take releases back, and put them back"),
    ("read", "Read: the export of everything"),
)
DAYS = ((7, "a week"), (30, "30 days"), (90, "90 days"), (366, "a year"))


class TokenForm(forms.Form):
    """A token: what it opens, and for how long."""

    scope = forms.MultipleChoiceField(
        choices=SCOPES,
        initial=["submit"],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "choose at least one thing that the token opens"},
    )
    # One name and nothing beside it: what stands here becomes part of a list of scopes.
    plugin = forms.RegexField(
        r"\A[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*\Z",
        required=False,
        max_length=128,
        label="Submit this plugin only",
        error_messages={"invalid": "name one plugin, as acme-rms"},
        widget=forms.TextInput(attrs={"placeholder": "acme-rms"}),
    )
    days = forms.TypedChoiceField(choices=DAYS, coerce=int, initial=30, label="Lasts")

    def wish(self) -> str:
        """Return the scopes, `submit` narrowed to a plugin where one is named."""
        chosen: list[str] = self.cleaned_data["scope"]
        plugin: str = self.cleaned_data["plugin"]
        narrowed = f"submit:plugin/{canonicalize_name(plugin)}" if plugin else "submit"
        return " ".join(narrowed if each == "submit" else each for each in chosen)


class PublisherForm(forms.Form):
    """One workflow of one repository."""

    repository_id = forms.IntegerField(min_value=1, max_value=2**63 - 1, label="Repository id")
    repository_owner_id = forms.IntegerField(min_value=1, max_value=2**63 - 1, label="Owner id")
    workflow = forms.CharField(max_length=100, label="Workflow file")
    environment = forms.CharField(max_length=255, required=False, label="Environment, if any")
    repository = forms.CharField(max_length=140, required=False, label="owner/name, for display")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hints = {"workflow": "release.yml", "environment": "release", "repository": "acme/rms"}
        for name, hint in hints.items():
            self.fields[name].widget.attrs["placeholder"] = hint
