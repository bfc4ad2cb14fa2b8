"""The files of messages, for those who may see the conversation."""

from __future__ import annotations

from django.http import Http404, HttpResponseBase
from django.views.decorators.http import require_safe

from conversations import merging
from conversations.media import naming, serving
from conversations.models import Attachment, AttachmentState, Conversation
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


def _find(request: MemberRequest, pk: int) -> Attachment:
    try:
        attachment = Attachment.objects.select_related("message").get(pk=pk, state=AttachmentState.READY)
    except (Attachment.DoesNotExist, OverflowError) as error:
        raise Http404 from error
    merging.find_conversation(request, Conversation.objects.all(), attachment.message.conversation_id)
    return attachment
