"""The API's addresses, version 1."""

from django.urls import path

from portal.api.views import TicketDetail, TicketList, TicketTimeline

urlpatterns = [
    path("tickets/", TicketList.as_view(), name="api_ticket_list"),
    path("tickets/<int:pk>/", TicketDetail.as_view(), name="api_ticket_detail"),
    path("tickets/<int:pk>/timeline/", TicketTimeline.as_view(), name="api_ticket_timeline"),
]
