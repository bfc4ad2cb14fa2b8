"""People, the organizations they work for, and what role each has there."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any, ClassVar, Self

import phonenumbers
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone as django_timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from trochai.accounts.quiet_hours import Rules, holidays_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable


class UserManager(BaseUserManager["User"]):
    """Creates people, who sign in with their email address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person. What they may do is decided by their ``Membership``, not here."""

    email = models.EmailField(_("email address"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text=_("May sign in to the operators' admin."))
    joined_at = models.DateTimeField(default=django_timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case")
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    @property
    def first_name(self) -> str:
        return self.name.split(" ", 1)[0]


def validate_timezone(name: str) -> None:
    """Raise ``ValidationError`` unless ``name`` is an IANA time zone known here."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not a known time zone."), params={"name": name})


def validate_country(code: str) -> None:
    """Raise ``ValidationError`` unless ``code`` is a country with phone numbers of its own (ISO 3166-1)."""
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError(_("“%(code)s” is not a known country code."), params={"code": code})


class Organization(models.Model):
    """A business: the owner of channels, contacts, conversations and follow-ups."""

    name = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="America/Costa_Rica", validators=[validate_timezone])
    # The scheduling window for custom dates, in days from now.
    min_days = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(30)]
    )
    max_days = models.PositiveSmallIntegerField(
        default=90, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    # A follow-up that is later than this fails as missed.
    missed_after_minutes = models.PositiveIntegerField(
        default=240, validators=[MinValueValidator(10), MaxValueValidator(7 * 24 * 60)]
    )
    # Numbers typed without a country code are of this country.
    country = models.CharField(max_length=2, default="CR", db_default="CR", validators=[validate_country])
    returns_to_scheduler = models.BooleanField(
        default=True,
        db_default=True,
        help_text=_(
            "When a follow-up goes out in a conversation that nobody has or that is closed, it is opened and"
            " assigned to whoever scheduled it. If a colleague has it, both are told."
        ),
    )
    # Quiet hours: SendingHours and DayOff below, by the clock where the contact is.
    keeps_holidays = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Public holidays of the country above are quiet, all day."),
    )
    quiet_hours_are_a_rule = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_(
            "A follow-up that falls due in quiet hours waits until they end. If not, people are warned and"
            " decide."
        ),
    )
    created_at = models.DateTimeField(default=django_timezone.now, editable=False)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(min_days__gte=1, min_days__lte=30, max_days__lte=365)
                & Q(max_days__gte=F("min_days")),
                name="organization_window_is_possible",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> dt.tzinfo:
        return zoneinfo.ZoneInfo(self.timezone)

    @cached_property
    def quiet_hours(self) -> Rules:
        """When nothing should go out, by the clock where the contact is. Read once for this instance."""
        hours = {each.weekday: (each.begin, each.end) for each in self.sending_hours.all()}
        return Rules(hours, self.day_off)

    @cached_property
    def day_off(self) -> Callable[[dt.date], str | None]:
        """What finds the name of a day that is quiet, and None for others. Read once for this instance."""
        own = {day: each.name if each.is_quiet else None for day, each in self._own_days.items()}
        return lambda day: own[day] if day in own else self._public_holiday(day)

    def working_holiday(self, day: dt.date) -> str | None:
        """Return the name of a public holiday that is not quiet: people work on it. None for other days."""
        own = self._own_days.get(day)
        if own is None or own.is_quiet:
            return None
        return own.name or self._public_holiday(day)

    @cached_property
    def _own_days(self) -> dict[dt.date, DayOff]:
        return {each.date: each for each in self.days_off.all()}

    @cached_property
    def _public_holiday(self) -> Callable[[dt.date], str | None]:
        return holidays_of(self.country) if self.keeps_holidays else lambda _day: None


class Weekday(models.IntegerChoices):
    """As ``date.isoweekday`` counts them."""

    MONDAY = 1, _("Monday")
    TUESDAY = 2, _("Tuesday")
    WEDNESDAY = 3, _("Wednesday")
    THURSDAY = 4, _("Thursday")
    FRIDAY = 5, _("Friday")
    SATURDAY = 6, _("Saturday")
    SUNDAY = 7, _("Sunday")


class SendingHours(models.Model):
    """From when to when an organization's follow-ups go out on one weekday, both ends included.

    Where an organization has any, a weekday without is quiet all day; where it has none, no hour is quiet.
    """

    # Without an index of its own: the constraint's begins with it.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="sending_hours", db_index=False
    )
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    begin = models.TimeField(_("from"))
    end = models.TimeField(_("until"))

    class Meta:
        ordering = ["organization", "weekday"]
        verbose_name_plural = "sending hours"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "weekday"],
                name="sending_hours_once_a_weekday",
                violation_error_message=_("This weekday has its hours already."),
            ),
            models.CheckConstraint(
                condition=Q(weekday__gte=1, weekday__lte=7), name="sending_hours_weekday_is_known"
            ),
            models.CheckConstraint(
                condition=Q(end__gt=F("begin")),
                name="sending_hours_end_after_they_begin",
                violation_error_message=_("They end after they begin, on the same day."),
            ),
        ]

    def __str__(self) -> str:
        return f"{Weekday(self.weekday).label} {self.begin:%H:%M}–{self.end:%H:%M}"


class DayOff(models.Model):
    """A day that is quiet for an organization, or a public holiday that is not."""

    # Without an index of its own: the constraint's begins with it.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="days_off", db_index=False
    )
    date = models.DateField()
    name = models.CharField(max_length=60, blank=True)
    is_quiet = models.BooleanField(
        default=True, help_text=_("If not, follow-ups go out as usual although it is a public holiday.")
    )

    class Meta:
        ordering = ["organization", "date"]
        verbose_name_plural = "days off"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "date"],
                name="day_off_once",
                violation_error_message=_("This day is in the list already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}".rstrip()


class Role(models.TextChoices):
    ADMIN = "admin", _("Admin")
    AGENT = "agent", _("Agent")
    VIEWER = "viewer", _("Viewer")


class MembershipQuerySet(models.QuerySet["Membership"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def active(self) -> Self:
        return self.filter(user__is_active=True)

    def writers(self) -> Self:
        """Those who may reply and schedule."""
        return self.active().filter(role__in=[Role.ADMIN, Role.AGENT])

    def admins(self) -> Self:
        return self.active().filter(role=Role.ADMIN)


class Membership(models.Model):
    """A person's role in one organization. Removing it is how somebody leaves."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.AGENT)
    # Whether a single letter is a shortcut; somebody who dictates, or types with one hand, may not want it.
    single_keys = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(default=django_timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="membership_once_per_organization"),
            models.CheckConstraint(
                condition=Q(role__in=["admin", "agent", "viewer"]), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.organization}"

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def can_write(self) -> bool:
        """Whether this member may reply and schedule: admins and agents may, viewers may not."""
        return self.role in {Role.ADMIN, Role.AGENT}
