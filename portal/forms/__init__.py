"""Forms of the portal, one module a noun; here the renderer that gives all of them Tabler's markup."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """Draws a form, and each of its fields, with our templates; widgets stay Django's."""

    form_template_name = "portal/_form.html"
    field_template_name = "portal/_field.html"
