"""include("django_holdfast.urls") where BACKEND_PRIVATE_URL leads. The path has no slash at its end."""

from django.urls import path

from .permission import check_permission

app_name = "holdfast"
urlpatterns = [path("attachments/check-permission", check_permission, name="check-permission")]
