"""Addresses under /api/v1/."""

from __future__ import annotations

from django.urls import path

from dougong_registry.api.contributions import ContributionListApi
from dougong_registry.api.export import ExportApi
from dougong_registry.api.forge import (
    BuildClaimApi,
    BuildCompleteApi,
    BuildSourcesApi,
    DeliveriesApi,
    ProvenanceApi,
)
from dougong_registry.api.jobs import (
    JobClaimApi,
    JobCompleteApi,
    JobEventsApi,
    JobHandBackApi,
    JobRunsApi,
)
from dougong_registry.api.lists import (
    PersonDetailApi,
    PersonListApi,
    PluginDetailApi,
    PluginListApi,
    ReleaseDetailApi,
    ReleaseListApi,
    RunListApi,
    RunnerListApi,
)
from dougong_registry.api.publishing import ExchangeApi
from dougong_registry.api.pulls import PullDetailApi, PullListApi
from dougong_registry.api.reads import (
    BoardDetailApi,
    BoardListApi,
    OperatorDetailApi,
    OperatorListApi,
    RunDetailApi,
)
from dougong_registry.api.releases import PluginStatusApi, ReleaseUnyankApi, ReleaseYankApi
from dougong_registry.api.resolve import (
    AdvisoryDetailApi,
    AdvisoryListApi,
    ResolveApi,
    RevocationsApi,
)
from dougong_registry.api.runners import HeartbeatApi
from dougong_registry.api.submissions import (
    ArtifactApi,
    SubmissionCancelApi,
    SubmissionDetailApi,
    SubmissionEventsApi,
    SubmissionsApi,
)
from dougong_registry.api.upkeep import (
    CampaignListApi,
    NoticeAcknowledgeApi,
    NoticeListApi,
    RerunListApi,
    SuiteListApi,
)

urlpatterns = [
    path("submissions", SubmissionsApi.as_view()),
    path("submissions/<int:submission_id>", SubmissionDetailApi.as_view()),
    path("submissions/<int:submission_id>/events", SubmissionEventsApi.as_view()),
    path("submissions/<int:submission_id>/cancel", SubmissionCancelApi.as_view()),
    path("artifacts/<str:sha256>", ArtifactApi.as_view()),
    path("artifacts/<str:sha256>/provenance", ProvenanceApi.as_view()),
    path("forge/deliveries", DeliveriesApi.as_view()),
    path("builds/<int:build_id>/claim", BuildClaimApi.as_view()),
    path("builds/<int:build_id>/sources", BuildSourcesApi.as_view()),
    path("builds/<int:build_id>/complete", BuildCompleteApi.as_view()),
    path("jobs/<int:job_id>/claim", JobClaimApi.as_view()),
    path("jobs/<int:job_id>/events", JobEventsApi.as_view()),
    path("jobs/<int:job_id>/runs", JobRunsApi.as_view()),
    path("jobs/<int:job_id>/complete", JobCompleteApi.as_view()),
    path("jobs/<int:job_id>/hand-back", JobHandBackApi.as_view()),
    path("runners/heartbeat", HeartbeatApi.as_view()),
    path("plugins", PluginListApi.as_view()),
    path("plugins/<str:name>", PluginDetailApi.as_view()),
    path("plugins/<str:name>/status", PluginStatusApi.as_view()),
    path("plugins/<str:name>/releases", ReleaseListApi.as_view()),
    path("plugins/<str:name>/releases/<str:version>", ReleaseDetailApi.as_view()),
    path("plugins/<str:name>/releases/<str:version>/yank", ReleaseYankApi.as_view()),
    path("plugins/<str:name>/releases/<str:version>/unyank", ReleaseUnyankApi.as_view()),
    path("oidc/exchange", ExchangeApi.as_view()),
    path("export", ExportApi.as_view()),
    path("resolve", ResolveApi.as_view()),
    path("revocations", RevocationsApi.as_view()),
    path("advisories", AdvisoryListApi.as_view()),
    path("advisories/<str:number>", AdvisoryDetailApi.as_view()),
    path("operators", OperatorListApi.as_view()),
    path("operators/<str:provider>/<str:name>", OperatorDetailApi.as_view()),
    path("boards", BoardListApi.as_view()),
    path("boards/<str:contract>", BoardDetailApi.as_view()),
    path("suites", SuiteListApi.as_view()),
    path("campaigns", CampaignListApi.as_view()),
    path("reruns", RerunListApi.as_view()),
    path("notices", NoticeListApi.as_view()),
    path("notices/<int:notice_id>/acknowledge", NoticeAcknowledgeApi.as_view()),
    path("pulls", PullListApi.as_view()),
    path("pulls/<int:number>", PullDetailApi.as_view()),
    path("contributions", ContributionListApi.as_view()),
    path("people", PersonListApi.as_view()),
    path("people/<str:login>", PersonDetailApi.as_view()),
    path("runners", RunnerListApi.as_view()),
    path("runs", RunListApi.as_view()),
    path("runs/<str:run_id>", RunDetailApi.as_view()),
]
