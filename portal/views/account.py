"""Signing in and out, the password, and what people decide about their own portal."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from portal import audit, mailing
from portal.access import requires, signed_in
from portal.forms.account import AccountForm, SignInForm
from portal.forms.alert_mail import SubscriptionForm
from portal.models import AlertSubscription, User


@method_decorator(login_not_required, name="dispatch")
class SignIn(auth_views.LoginView):
    """Django's own, with our form.  Somebody who is signed in already is sent on."""

    form_class = SignInForm
    template_name = "registration/login.html"
    redirect_authenticated_user = True


class ChangePassword(auth_views.PasswordChangeView):
    """Django's own; every other session of the person ends."""

    template_name = "registration/password_change.html"

    def get_success_url(self) -> str:
        """Back to the account, with a word that it worked."""
        user = signed_in(self.request)
        audit.record(user, "changed the password of", user)
        messages.success(self.request, "Your password is changed, and you are signed out everywhere else.")
        return reverse("account")


@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Name, mail, time zone and theme, the person's roles, and the way to the password and out."""
    # A copy: a rejected form leaves its values in the object, and the top bar shows who is signed in.
    user = User.objects.get(pk=signed_in(request).pk)
    form = AccountForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    memberships = user.memberships.select_related("partner").order_by("role")
    return render(request, "registration/account.html", {"form": form, "memberships": memberships})


@require_http_methods(["GET", "POST"])
@requires("alerts")
def account_alerts(request: HttpRequest) -> HttpResponse:
    """What the person is told of by mail, when, and when not."""
    user = signed_in(request)
    stored = AlertSubscription.objects.filter(user=user).first()
    form = SubscriptionForm(request.POST or None, instance=stored or AlertSubscription(user=user), user=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        audit.record(user, "changed the alert mail of", user, {"changed": sorted(form.changed_data)})
        messages.success(request, "Saved.")
        return redirect("account_alerts")
    page = {"form": form, "is_set_up": settings.MAIL_IS_SET_UP, "is_stored": stored is not None}
    return render(request, "registration/alerts.html", page, status=422 if form.errors else 200)


@require_POST
@requires("alerts")
def account_alerts_test(request: HttpRequest) -> HttpResponse:
    """Send the person a mail now."""
    user = signed_in(request)
    if not user.email or not settings.MAIL_IS_SET_UP:
        messages.error(
            request, "There is no mail address in your account, or no mail server in the settings."
        )
    elif mailing.send_test(user):
        messages.error(request, "The mail server did not take it. The operator finds the reason in the log.")
    else:
        messages.success(request, f"A test mail is on its way to {user.email}.")
    return redirect("account_alerts")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme and go back to the page; an unknown one changes nothing."""
    choice = request.POST.get("theme", "")
    if choice in User.Theme.values:
        User.objects.filter(pk=signed_in(request).pk).update(theme=choice)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours else "account")


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign_in"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="sign_out"),
    path("", account, name="account"),
    path("password/", ChangePassword.as_view(), name="password_change"),
    path("alerts/", account_alerts, name="account_alerts"),
    path("alerts/test/", account_alerts_test, name="account_alerts_test"),
    path("theme/", theme, name="account_theme"),
]
