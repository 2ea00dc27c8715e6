"""What staff may do: protect at once, propose to trust again, agree to what another proposed.

Every act goes through the moderation services, which hold the rules and write the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.decorators import action
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from dougong_registry.administration.records import PartInline, ShownAdmin
from dougong_registry.moderation.models import Action
from dougong_registry.moderation.services import action_approve, action_propose
from dougong_registry.people.models import Identity
from dougong_registry.people.services import identity_ensure
from dougong_registry.problem import Problem
from dougong_registry.runs.models import GateResult, Lesson, Score


class ReasonForm(ActionForm):
    """The choice of an action, and why."""

    reason = forms.CharField(required=False, max_length=512)


class ActingAdmin(ShownAdmin):
    """A list with actions, each of which needs a reason."""

    action_form = ReasonForm

    def propose(self, request: HttpRequest, kind: str, targets: Iterable[str]) -> None:
        """Propose an action on each target, in the name of who is logged in."""
        reason = str(request.POST.get("reason", ""))
        person = _person(request)

        def act(target: str) -> Action:
            return action_propose(kind=kind, target=target, reason=reason, proposer=person)

        self.each(request, targets, act)

    def each(self, request: HttpRequest, things: Iterable[Any], act: Callable[..., Action]) -> None:
        """Act on each thing and say what became of it."""
        for thing in things:
            try:
                done = act(thing)
            except Problem as error:
                self.message_user(request, error.detail, messages.ERROR)
                continue
            said = "Done" if done.executed_at else "Waits for another person to approve it"
            self.message_user(request, f"{said}: {done.kind} of {done.target}")


class PluginAdmin(ActingAdmin):
    list_display = ("name", "status", "owner", "created_at", "status_reason")
    list_select_related = ("owner",)
    list_filter = ("status",)
    search_fields = ("canonical",)
    actions = ("quarantine", "lift")

    @action(description="Quarantine, at once")
    def quarantine(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Offer no file of the plugins any more."""
        self.propose(request, "plugin.quarantine", chosen.values_list("canonical", flat=True))

    @action(description="Propose to lift the quarantine; another person approves")
    def lift(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Offer the plugins again, once a second person agrees."""
        self.propose(request, "plugin.lift", chosen.values_list("canonical", flat=True))


class ScoreInline(PartInline):
    model = Score


class LessonInline(PartInline):
    model = Lesson


class GateInline(PartInline):
    model = GateResult


class RunAdmin(ActingAdmin):
    list_display = ("verdict_id", "operator", "outcome", "code", "official", "held_reason")
    list_select_related = ("operator", "runner")
    list_filter = ("outcome", "official")
    search_fields = ("verdict_id", "operator__name")
    # Megabytes of raw samples; the API gives them as they were signed.
    exclude = ("payload",)
    inlines = (ScoreInline, LessonInline, GateInline)
    actions = ("hold", "let_stand")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the payload in the database."""
        return super().get_queryset(request).defer("payload")

    @action(description="Hold, at once")
    def hold(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Take the runs off their boards."""
        self.propose(request, "run.hold", chosen.values_list("verdict_id", flat=True))

    @action(description="Propose to release; another person approves")
    def let_stand(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Put held runs on their boards, once a second person agrees."""
        self.propose(request, "run.release", chosen.values_list("verdict_id", flat=True))


class RunnerAdmin(ActingAdmin):
    list_display = ("name", "official", "hardware_class", "last_seen_at", "revoked_at")
    search_fields = ("name", "key_id")
    actions = ("revoke",)

    @action(description="Revoke, at once and for ever")
    def revoke(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Take no verdict of the runners any more."""
        self.propose(request, "runner.revoke", chosen.values_list("name", flat=True))


class ActionAdmin(ActingAdmin):
    list_display = ("pk", "kind", "target", "reason", "proposer", "approver", "executed_at")
    list_select_related = ("proposer", "approver")
    list_filter = ("kind",)
    actions = ("approve",)

    @action(description="Approve what another person proposed")
    def approve(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Agree to actions that wait; each is carried out at once."""
        person = _person(request)

        def act(number: int) -> Action:
            return action_approve(action_id=number, approver=person)

        self.each(request, list(chosen.order_by("pk").values_list("pk", flat=True)), act)


def _person(request: HttpRequest) -> Identity:
    """Return who is logged in, as the hub knows people: the account's name at provider `local`."""
    return identity_ensure(login=request.user.get_username())
