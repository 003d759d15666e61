"""Partners: the companies taking part, and the permission tables that everything else follows from."""

from __future__ import annotations

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from integrations.querysets import PartnerQuerySet


class Partner(models.Model):
    """A company taking part.  It may hold several SIAM layers at once; they are kept apart."""

    class Layer(models.TextChoices):
        CUSTOMER = "customer", "Customer organisation"
        INTEGRATOR = "integrator", "Service integrator"
        PROVIDER = "provider", "Service provider"

    name = models.CharField(
        max_length=120, unique=True, error_messages={"unique": "A partner has this name already."}
    )
    slug = models.SlugField(max_length=60, unique=True)
    is_customer = models.BooleanField("customer organisation", default=False)
    is_integrator = models.BooleanField("service integrator", default=False)
    is_provider = models.BooleanField("service provider", default=False)
    contact = models.CharField(
        max_length=200, blank=True, help_text="Who to talk to, with telephone or mail address."
    )
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PartnerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        # Rights are granted on partners only; tickets, systems and rules follow from them.
        permissions = [
            ("view_tickets", "Can see the tickets of this partner"),
            ("manage_partner", "Can manage this partner's systems and rules"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def layers(self) -> list[Layer]:
        """The SIAM layers this company holds."""
        held = {
            self.Layer.CUSTOMER: self.is_customer,
            self.Layer.INTEGRATOR: self.is_integrator,
            self.Layer.PROVIDER: self.is_provider,
        }
        return [layer for layer, holds in held.items() if holds]


class PartnerUserObjectPermission(UserObjectPermissionBase):
    """A user's right on a partner.  A direct foreign key: keys stay integers and go with the partner."""

    content_object = models.ForeignKey(Partner, on_delete=models.CASCADE)


class PartnerGroupObjectPermission(GroupObjectPermissionBase):
    """A group's right on a partner."""

    content_object = models.ForeignKey(Partner, on_delete=models.CASCADE)
