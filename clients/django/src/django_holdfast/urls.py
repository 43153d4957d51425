"""include("django_holdfast.urls") at BACKEND_PRIVATE_URL. The path has no trailing slash."""

from django.urls import path

from .permission import check_permission

app_name = "holdfast"
urlpatterns = [path("attachments/check-permission", check_permission, name="check-permission")]
