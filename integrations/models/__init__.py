"""The records of partners, their systems and connections, and of every change that travelled."""

from integrations.models.alerts import Alert
from integrations.models.budgets import SystemBudget
from integrations.models.conflicts import Conflict
from integrations.models.connections import Connection, Side
from integrations.models.deliveries import Attempt, Delivery, Effect, Lane, SyncEvent, Withheld
from integrations.models.endpoints import EndpointSecret, HookEndpoint, HookMessage
from integrations.models.findings import HookTrouble, SystemFinding
from integrations.models.hooks import HookStanding
from integrations.models.mappings import DictionaryField, FieldRule, MappingSet, ValueMap, ValuePair
from integrations.models.partners import Partner, PartnerGroupObjectPermission, PartnerUserObjectPermission
from integrations.models.people import PersonPair
from integrations.models.reconciliation import Drift, Examination, Reconciliation
from integrations.models.systems import Heartbeat, HookReceipt, System, SystemSecret
from integrations.models.tickets import LinkedTicket, PartnerTicket, Ticket, TicketSide, TicketTitle
from integrations.models.undoing import Undo, UndoItem
from integrations.models.wizard import ConnectionDraft

__all__ = [
    "Alert",
    "Attempt",
    "Conflict",
    "Connection",
    "ConnectionDraft",
    "Delivery",
    "DictionaryField",
    "Drift",
    "Effect",
    "EndpointSecret",
    "Examination",
    "FieldRule",
    "Heartbeat",
    "HookEndpoint",
    "HookMessage",
    "HookReceipt",
    "HookStanding",
    "HookTrouble",
    "Lane",
    "LinkedTicket",
    "MappingSet",
    "Partner",
    "PartnerGroupObjectPermission",
    "PartnerTicket",
    "PartnerUserObjectPermission",
    "PersonPair",
    "Reconciliation",
    "Side",
    "SyncEvent",
    "System",
    "SystemBudget",
    "SystemFinding",
    "SystemSecret",
    "Ticket",
    "TicketSide",
    "TicketTitle",
    "Undo",
    "UndoItem",
    "ValueMap",
    "ValuePair",
    "Withheld",
]
