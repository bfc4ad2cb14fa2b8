"""Who may touch rights and passwords in the admin: superusers alone."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from tests import factories
from tests.html import html_of
from trochai.accounts.models import User

pytestmark = pytest.mark.django_db

EVERYTHING = {"is_active": "on", "is_staff": "on", "is_superuser": "on"}


def admin_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def operator():
    """Staff with every permission that there is, but no superuser."""
    user = factories.UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def owner():
    return factories.UserFactory(is_staff=True, is_superuser=True)


def change(by: User, user: User, **fields):
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    data = {"email": user.email, "name": user.name, **inline, **fields}
    response = admin_of(by).post(f"/admin/accounts/user/{user.pk}/change/", data)
    user.refresh_from_db()
    return response


def test_staff_change_a_members_name_but_no_rights(operator):
    member = factories.UserFactory(name="Ana")
    assert change(operator, member, name="Ana María", **EVERYTHING).status_code == 302
    assert (member.name, member.is_staff, member.is_superuser) == ("Ana María", False, False)


def test_staff_do_not_make_themselves_superusers(operator):
    assert change(operator, operator, **EVERYTHING).status_code == 403
    assert not operator.is_superuser


@pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_staff_do_not_change_who_works_in_the_admin(operator, rights):
    colleague = factories.UserFactory(email="boss@example.com", **rights)
    assert change(operator, colleague, email="mine@example.com").status_code == 403
    delete = f"/admin/accounts/user/{colleague.pk}/delete/"
    assert admin_of(operator).post(delete, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [colleague.pk], "post": "yes"}
    admin_of(operator).post("/admin/accounts/user/", chosen)
    assert User.objects.get(pk=colleague.pk).email == "boss@example.com"


def test_staff_neither_set_passwords_nor_see_what_is_stored_nor_add_people(operator):
    member = factories.UserFactory()
    address = f"/admin/accounts/user/{member.pk}"
    passwords = {"usable_password": "true", "password1": "korrekt-77-pferd", "password2": "korrekt-77-pferd"}
    assert admin_of(operator).get(f"{address}/password/").status_code == 403
    assert admin_of(operator).post(f"{address}/password/", passwords).status_code == 403
    assert member.password not in html_of(admin_of(operator).get(f"{address}/change/"))
    new = {"email": "new@example.com", "name": "New", **passwords}
    assert admin_of(operator).post("/admin/accounts/user/add/", new).status_code == 403
    assert not User.objects.filter(email="new@example.com").exists()


def test_staff_do_not_change_what_a_group_may_do(operator):
    group = Group.objects.create(name="Support")
    operator.groups.add(group)
    everything = {"name": "Support", "permissions": [p.pk for p in Permission.objects.all()]}
    address = f"/admin/auth/group/{group.pk}/change/"
    assert admin_of(operator).post(address, everything).status_code == 403
    assert group.permissions.count() == 0


def test_a_superuser_does_all_of_it(owner):
    member = factories.UserFactory()
    assert change(owner, member, **EVERYTHING).status_code == 302
    assert member.is_superuser
    passwords = {"usable_password": "true", "password1": "korrekt-77-pferd", "password2": "korrekt-77-pferd"}
    address = f"/admin/accounts/user/{member.pk}/password/"
    assert admin_of(owner).post(address, passwords).status_code == 302
    member.refresh_from_db()
    assert member.check_password("korrekt-77-pferd")
