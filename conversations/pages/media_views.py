"""The files of messages, for those who may see the conversation."""

from __future__ import annotations

from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from conversations import merging
from conversations.media import naming, serving, uploads
from conversations.models import Attachment, Conversation, Upload
from trochai.accounts import access
from trochai.accounts.access import MemberRequest


@require_safe
def file(request: MemberRequest, pk: int) -> HttpResponseBase:
    """The file as it was sent."""
    attachment = _find(request, pk)
    name = naming.name_of(attachment)
    return serving.handed_out(request, attachment.file, mime_type=attachment.mime_type, name=name)


@require_safe
def thumbnail(request: MemberRequest, pk: int) -> HttpResponseBase:
    """A picture of it in the size that the thread shows."""
    attachment = _find(request, pk)
    if not attachment.thumbnail:
        raise Http404
    return serving.handed_out(request, attachment.thumbnail, mime_type="image/webp", name="")


@csrf_exempt
@require_POST
def upload(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Take in a file for the conversation (``file``), and answer with its place in the composer."""
    # Before anything looks into the body, as the check for forgery does.
    request.upload_handlers = [uploads.Handler(request)]
    return _upload(request, pk)


@csrf_protect
def _upload(request: MemberRequest, pk: int) -> HttpResponseBase:
    opened = merging.find_conversation(request, Conversation.objects.all(), pk, needs=access.writer)
    file = request.FILES.get("file")
    try:
        if not isinstance(file, UploadedFile):
            raise uploads.too_large()
        taken = uploads.take(file, conversation=opened, by=request.membership.user)
    except uploads.Refused as refusal:
        return HttpResponse(str(refusal), status=422, content_type="text/plain; charset=utf-8")
    return render(request, "conversations/_tray_item.html", {"upload": taken})


@require_safe
def preview(request: MemberRequest, uuid: UUID) -> HttpResponseBase:
    """A small picture of what the member is about to send."""
    mine = Upload.objects.filter(by=request.membership.user, uuid=uuid).first()
    if mine is None or not mine.thumbnail:
        raise Http404
    merging.find_conversation(request, Conversation.objects.all(), mine.conversation_id)
    return serving.handed_out(request, mine.thumbnail, mime_type="image/webp", name="")


def _find(request: MemberRequest, pk: int) -> Attachment:
    try:
        attachment = Attachment.objects.select_related("message").exclude(file="").get(pk=pk)
    except (Attachment.DoesNotExist, OverflowError) as error:
        raise Http404 from error
    merging.find_conversation(request, Conversation.objects.all(), attachment.message.conversation_id)
    return attachment
