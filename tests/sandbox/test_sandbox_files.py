"""Uploads, downloads, albums, and files that Telegram refuses."""

from __future__ import annotations

import io
import struct

import aiohttp
import pytest

from agent_channels.sandbox.telegram.images import image_size, sample_png

pytestmark = pytest.mark.cold

MB = 1024 * 1024


async def upload(raw, method, chat, field, data, name="file.bin", **params):
    form = aiohttp.FormData({"chat_id": str(chat.id), **params}, default_to_multipart=True)
    form.add_field(field, io.BytesIO(data), filename=name)
    return await raw.post(method, form)


async def download(raw, path):
    async with raw.session.get(f"{raw.tg.root}/file/bot{raw.tg.token}/{path}") as response:
        return response.status, await response.read()


@pytest.mark.parametrize(
    ("method", "field", "kind"),
    [
        ("sendPhoto", "photo", "photo"),
        ("sendDocument", "document", "document"),
        ("sendAudio", "audio", "audio"),
        ("sendVoice", "voice", "voice"),
        ("sendVideo", "video", "video"),
        ("sendVideoNote", "video_note", "video_note"),
        ("sendAnimation", "animation", "animation"),
        ("sendSticker", "sticker", "sticker"),
    ],
)
async def test_every_kind_goes_up_and_down(raw, ann, method, field, kind):
    """An upload of the bot is on the person's screen, can be sent again by file_id, and can be downloaded."""
    data = sample_png(20, 10)
    status, body = await upload(raw, method, ann, field, data, "x.png")
    assert status == 200, body
    thing = ann.inbox[-1][kind]
    file_id = (thing[-1] if kind == "photo" else thing)["file_id"]
    again = await raw.ok(method, chat_id=ann.id, **{field: file_id})
    assert again[kind] == thing
    info = await raw.ok("getFile", file_id=file_id)
    assert info["file_size"] == len(data)
    assert await download(raw, info["file_path"]) == (200, data)


@pytest.mark.parametrize("kind", ["photo", "document", "audio", "voice", "video", "video_note", "animation", "sticker"])
async def test_people_send_every_kind(raw, ann, updates, kind):
    """A person's file reaches the bot, which can download it."""
    getattr(ann, f"send_{kind}")(sample_png(), caption="look at /this")
    (update,) = await updates()
    message = update["message"]
    assert message["caption_entities"] == [{"type": "bot_command", "offset": 8, "length": 5}]
    thing = message[kind][-1] if kind == "photo" else message[kind]
    info = await raw.ok("getFile", file_id=thing["file_id"])
    assert await download(raw, info["file_path"]) == (200, sample_png())


async def test_document_keeps_name_and_type(raw, ann, updates):
    """A document has its name, type and size."""
    ann.send_document(b"a,b\n", "table.csv", "text/csv")
    (update,) = await updates()
    document = update["message"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("table.csv", "text/csv", 4)
    assert (await raw.ok("getFile", file_id=document["file_id"]))["file_path"].endswith(".csv")


async def test_download_limit(raw, ann, updates):
    """A bot can download up to 20 MB."""
    for size, fits in ((20 * MB, True), (20 * MB + 1, False)):
        ann.send_document(bytes(size))
        (update,) = await updates()
        file_id = update["message"]["document"]["file_id"]
        if fits:
            status, data = await download(raw, (await raw.ok("getFile", file_id=file_id))["file_path"])
            assert (status, len(data)) == (200, size)
        else:
            assert await raw.refused("getFile", file_id=file_id) == "Bad Request: file is too big"
    assert await raw.refused("getFile", file_id="AgACnothing") == "Bad Request: invalid file_id"


async def test_download_needs_token_and_path(tg, raw):
    """A wrong token or path downloads nothing."""
    assert (await download(raw, "photos/file_99.jpg"))[0] == 404
    url = f"{tg.root}/file/bot7000000001:{'x' * 35}/photos/file_1.jpg"
    async with raw.session.get(url) as response:
        assert response.status == 401


async def test_upload_limit(raw, ann):
    """More than 50 MB is refused as the web server does it."""
    status, body = await upload(raw, "sendDocument", ann, "document", bytes(50 * MB + 1))
    assert (status, body["description"]) == (413, "Request Entity Too Large")
    status, body = await upload(raw, "sendDocument", ann, "document", bytes(50 * MB - 1000))
    assert status == 200


def png_header(width, height):
    return HEADER[:16] + struct.pack(">II", width, height) + HEADER[24:]


HEADER = sample_png(1, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture at all", "IMAGE_PROCESS_FAILED"),
        (png_header(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (png_header(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (
            png_header(100, 100) + bytes(10 * MB),
            f"file of size {10 * MB + len(HEADER)} bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
        (b"", "file must be non-empty"),
    ],
)
async def test_photos_refused(raw, ann, data, words):
    """A photo must be an image of allowed size and shape."""
    status, body = await upload(raw, "sendPhoto", ann, "photo", data)
    assert (status, body["description"]) == (400, f"Bad Request: {words}")


async def test_photos_at_the_limit(raw, ann):
    """Width plus height of 10,000, and a ratio of 20 to 1, are still accepted."""
    for data in (png_header(9000, 1000), png_header(2000, 100)):
        assert (await upload(raw, "sendPhoto", ann, "photo", data))[0] == 200


async def test_sources_refused(raw, ann):
    """An unknown or unfitting file_id, a URL and an empty source are refused."""

    async def photo(**params):
        return (await raw.refused("sendPhoto", chat_id=ann.id, **params)).removeprefix("Bad Request: ")

    document = ann.send_document()["document"]["file_id"]
    assert await photo(photo="AgACnothing") == "wrong file identifier/HTTP URL specified"
    assert await photo(photo=document) == "can't use file of type Document as Photo"
    assert await photo(photo="https://example.com/a.png") == "failed to get HTTP URL content"
    assert await photo() == "there is no photo in the request"
    assert await photo(photo="attach://nothing") == "file must be non-empty"


async def test_album_of_the_bot(raw, ann):
    """2-10 files share a media_group_id; captions are per file."""
    form = aiohttp.FormData({"chat_id": str(ann.id)}, default_to_multipart=True)
    form.add_field(
        "media",
        '[{"type": "photo", "media": "attach://a", "caption": "*first*", "parse_mode": "MarkdownV2"},'
        ' {"type": "photo", "media": "attach://b"}]',
    )
    form.add_field("a", sample_png(), filename="a.png")
    form.add_field("b", sample_png(), filename="b.png")
    _, body = await raw.post("sendMediaGroup", form)
    first, second = body["result"]
    assert first["media_group_id"] == second["media_group_id"]
    assert (first["caption"], first["caption_entities"][0]["type"]) == ("first", "bold")
    assert len(ann.inbox) == 2


async def test_albums_refused(raw, ann):
    """Albums of one or eleven items, mixed with documents, or with unknown kinds are refused."""
    photo = {"type": "photo", "media": ann.send_photo()["photo"][-1]["file_id"]}
    document = {"type": "document", "media": ann.send_document()["document"]["file_id"]}
    for media, words in (
        ([], "there are no messages to send"),
        ([photo], "there are not enough messages to send as an album: media must include 2-10 items"),
        ([photo] * 11, "too many messages to send as an album"),
        ([photo, document], "Document can't be mixed with other media types"),
        (
            [photo, {"type": "voice", "media": "x"}],
            "can't parse InputMedia: type \"voice\" can't be used in sendMediaGroup",
        ),
        ([photo, {"type": "photo"}], "can't parse InputMedia: media not found"),
        ("x", "can't parse media JSON object"),
    ):
        assert await raw.refused("sendMediaGroup", chat_id=ann.id, media=media) == f"Bad Request: {words}"
    assert ann.inbox == []


async def test_album_of_a_person(ann, updates):
    """A person's album arrives as separate updates with one media_group_id."""
    ann.send_album([None, None, {"data": sample_png(), "caption": "three"}])
    messages = [update["message"] for update in await updates()]
    assert len(messages) == 3
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message.get("caption") for message in messages] == [None, None, "three"]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (sample_png(3, 4), (3, 4)),
        (b"GIF89a" + struct.pack("<HH", 5, 6) + b"..", (5, 6)),
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 8, 7) + b"\3", (7, 8)),
        (b"RIFF....WEBPVP8X" + bytes(8) + (9).to_bytes(3, "little") + (10).to_bytes(3, "little"), (10, 11)),
        (b"RIFF....WEBPVP8 " + bytes(10) + struct.pack("<HH", 12, 13), (12, 13)),
        (b"RIFF....WEBPVP8L" + bytes(5) + (13 | 14 << 14).to_bytes(4, "little"), (14, 15)),
        (b"RIFF....WEBPnone", None),
        (b"\xff\xd8\xff\xe0\0\4ab", None),
        (b"plain", None),
    ],
)
def test_image_sizes(data, size):
    """Sizes are read from PNG, GIF, JPEG and WebP headers."""
    assert image_size(data) == size
