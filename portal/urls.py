"""The map of the site: one line a noun.

How to add pages for a noun: write `portal/views/<noun>.py`, let it end with its `urlpatterns`, and add one line here
in the order of the navigation.  Names are `<noun>_<page>` in the singular (`ticket_list`, `ticket_detail`,
`connection_pause`), without name spaces; `NAVIGATION` in portal_tags.py lists the entries of the top bar.  A page asks
`@requires(...)`; one that is open to everybody says `@login_not_required` and why.
"""

from django.urls import include, path

urlpatterns = [
    path("", include("integrations.urls")),
    path("", include("portal.views.health")),
    path("account/", include("portal.views.account")),
    path("", include("portal.views.home")),
    path("tickets/", include("portal.views.tickets")),
    path("queue/", include("portal.views.queue")),
    path("queue/conflicts/", include("portal.views.conflicts")),
    path("drift/", include("portal.views.drift")),
    path("drift/", include("portal.views.drift_actions")),
    path("", include("portal.views.reconciliation")),
    path("", include("portal.views.undo")),
    path("partners/", include("portal.views.partners")),
    path("systems/", include("portal.views.systems")),
    path("systems/", include("portal.views.hooks")),
    path("systems/", include("portal.views.credentials")),
    path("alerts/endpoints/", include("portal.views.endpoints")),
    path("alerts/", include("portal.views.alerts")),
    path("findings/", include("portal.views.findings")),
    path("connections/on-their-way/", include("portal.views.wizard")),
    path("connections/", include("portal.views.people")),
    path("connections/", include("portal.views.drills")),
    path("connections/", include("portal.views.connections")),
    path("mappings/", include("portal.views.mappings")),
    path("service-levels/", include("portal.views.reports")),
    path("agreements/", include("portal.views.agreements")),
    path("handbook/", include("portal.views.handbook")),
    path("members/", include("portal.views.members")),
    path("api/v1/", include("portal.api.urls")),
]
