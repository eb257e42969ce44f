"""A site for videos on loopback: what the two libraries ask of the real one, over TLS, through a proxy of the tests'.

Each library is the one that is installed, untouched. What they are answered has the form of the real site's answers:
a watch page with its settings, the player's JSON, captions as XML and as JSON, pictures and sound.
"""

from __future__ import annotations

import datetime as dt
import gc
import io
import json
import re
import ssl
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["BOT_CHECK", "Captions", "SiteVideo", "VideoSite", "picture", "video_site"]

HOSTS = ("www.youtube.com", "youtube.com", "i.ytimg.com", "sound.googlevideo.com")
BOT_CHECK = "Sign in to confirm you’re not a bot"


@dataclass(frozen=True)
class Captions:
    """A track: its language, who wrote it, and (start in seconds, words) of each line."""

    language: str
    lines: Sequence[tuple[float, str]]
    automatic: bool = False


@dataclass
class SiteVideo:
    """A video. `status` and `reason` are what the player says; `to_app` what it says to the first library alone."""

    id: str
    title: str = "How bread rises"
    length_s: int = 600
    captions: Sequence[Captions] = ()
    status: str = "OK"
    reason: str = ""
    subreason: str = ""
    to_app: tuple[str, str] | None = None
    sound: bytes = b""
    live: bool = False
    chapters: Sequence[tuple[int, str]] = ()
    picture: bytes = b""


@dataclass
class VideoSite:
    """The site: its videos, the proxy's address, the certificate to trust, and what was asked for."""

    proxy: str
    certificate: Path
    videos: dict[str, SiteVideo] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    refuses_with: int = 0
    """A status that everything is answered with; 0: none."""

    def add(self, video: SiteVideo) -> SiteVideo:
        self.videos[video.id] = video
        return video

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a program reaches the site."""
        trusted = str(self.certificate)
        return {"HTTPS_PROXY": self.proxy, "https_proxy": self.proxy, "SSL_CERT_FILE": trusted, "NO_PROXY": "127.0.0.1"}

    # ---- what is answered

    def answer(self, host: str, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {host}{parts.path}")
        if self.refuses_with:
            return self.refuses_with, "text/plain", b"no"
        match host, parts.path:
            case "www.youtube.com", "/watch":
                return 200, "text/html", self._page(query["v"]).encode()
            case "www.youtube.com", path if path.startswith("/embed/"):
                return 200, "text/html", self._page(path.rpartition("/")[2]).encode()
            case "www.youtube.com", "/youtubei/v1/player":
                asked = json.loads(body)
                client = asked["context"]["client"]["clientName"]
                return 200, "application/json", json.dumps(self._player(asked["videoId"], client)).encode()
            case "www.youtube.com", "/api/timedtext":
                return self._captions(query)
            case "i.ytimg.com", _:
                video = self.videos[parts.path.split("/")[2]]
                return (200, "image/jpeg", video.picture) if video.picture else (404, "text/plain", b"none")
            case "sound.googlevideo.com", _:
                return 200, "audio/mp4", self.videos[query["id"]].sound
        return 404, "text/plain", b"none"

    def _page(self, video_id: str) -> str:
        settings = {"INNERTUBE_API_KEY": "key_of_the_tests", "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB"}}}
        player = json.dumps(self._player(video_id, "WEB"))
        video = self.videos.get(video_id)
        markers = [
            {"macroMarkersListItemRenderer": {
                "title": {"simpleText": name},
                "timeDescription": {"simpleText": f"{start // 60}:{start % 60:02}"},
                "onTap": {"watchEndpoint": {"startTimeSeconds": start}},
            }}
            for start, name in (video.chapters if video else ())
        ]  # fmt: skip
        panel = {"engagementPanelSectionListRenderer": {"content": {"macroMarkersListRenderer": {"contents": markers}}}}
        owner = {
            "videoSecondaryInfoRenderer": {"owner": {"videoOwnerRenderer": {"title": {"simpleText": "Bakery <3"}}}}
        }
        columns = {"twoColumnWatchNextResults": {"results": {"results": {"contents": [owner]}}}}
        data = json.dumps({"contents": columns, "engagementPanels": [panel]})
        return (
            f"<html><body><script>ytcfg.set({json.dumps(settings)});</script>"
            f"<script>var ytInitialPlayerResponse = {player};</script>"
            f"<script>var ytInitialData = {data};</script></body></html>"
        )

    def _player(self, video_id: str, client: str) -> dict[str, Any]:
        video = self.videos.get(video_id)
        if video is None:
            return {"playabilityStatus": {"status": "ERROR", "reason": "This video is unavailable"}}
        status, reason = video.status, video.reason
        if client == "ANDROID" and video.to_app:
            status, reason = video.to_app
        if status != "OK":
            screen = {"reason": {"simpleText": reason}, "subreason": {"runs": [{"text": video.subreason}]}}
            said = {"status": status, "reason": reason, "errorScreen": {"playerErrorMessageRenderer": screen}}
            return {"playabilityStatus": said, "videoDetails": {"videoId": video_id, "title": video.title}}
        tracks = [
            {
                "baseUrl": f"https://www.youtube.com/api/timedtext?v={video_id}&lang={one.language}"
                + ("&kind=asr" if one.automatic else ""),
                "name": {"runs": [{"text": one.language}], "simpleText": one.language},
                "vssId": f"{'a' if one.automatic else ''}.{one.language}",
                "languageCode": one.language,
                **({"kind": "asr"} if one.automatic else {}),
                "isTranslatable": True,
            }
            for one in video.captions
        ]
        spoken = next((one.language for one in video.captions if one.automatic), "en")
        sound = {
            "itag": 140, "url": f"https://sound.googlevideo.com/videoplayback?id={video_id}", "bitrate": 64_000,
            "mimeType": 'audio/mp4; codecs="mp4a.40.2"', "contentLength": str(len(video.sound)),
            "audioQuality": "AUDIO_QUALITY_LOW", "audioSampleRate": "44100", "averageBitrate": 64_000,
            "approxDurationMs": str(video.length_s * 1000), "audioTrack": {"id": f"{spoken}.4", "audioIsDefault": True},
        }  # fmt: skip
        return {
            "playabilityStatus": {"status": "OK", "playableInEmbed": True},
            "videoDetails": {
                "videoId": video_id, "title": video.title, "lengthSeconds": str(video.length_s), "author": "Bakery <3",
                "channelId": "UC" + "b" * 22, "shortDescription": "", "viewCount": "5", "isLive": video.live,
                "isLiveContent": video.live,
                "thumbnail": {"thumbnails": [
                    {"url": f"https://i.ytimg.com/vi/{video_id}/hq.jpg", "width": 480, "height": 360}
                ]},
            },
            "microformat": {"playerMicroformatRenderer": {
                "publishDate": "2026-01-02T03:04:05-07:00", "uploadDate": "2026-01-02T03:04:05-07:00",
                "lengthSeconds": str(video.length_s), "isFamilySafe": True,
                **({"liveBroadcastDetails": {"isLiveNow": True}} if video.live else {}),
            }},
            "streamingData": {"expiresInSeconds": "21540", "adaptiveFormats": [sound]},
            **({"captions": {"playerCaptionsTracklistRenderer": {
                "captionTracks": tracks,
                "translationLanguages": [
                    {"languageCode": code, "languageName": {"runs": [{"text": code}], "simpleText": code}}
                    for code in ("en", "de", "zh-Hant")
                ],
            }}} if tracks else {}),
        }  # fmt: skip

    def _captions(self, query: dict[str, str]) -> tuple[int, str, bytes]:
        track = next(
            one
            for one in self.videos[query["v"]].captions
            if one.language == query["lang"] and one.automatic is (query.get("kind") == "asr")
        )
        if query.get("fmt") == "json3":
            events = [
                {
                    "tStartMs": int(start * 1000),
                    "dDurationMs": 2000,
                    "segs": [{"utf8": word} for word in re.findall(r"\S+\s*", text)],
                }
                for start, text in track.lines
            ]
            # As the real ones have between the lines of automatic captions.
            gaps = [{"tStartMs": int(start * 1000), "aAppend": 1, "segs": [{"utf8": "\n"}]} for start, _ in track.lines]
            return (
                200,
                "application/json",
                json.dumps({"wireMagic": "pb3", "events": [{"id": 1}, *events, *gaps]}).encode(),
            )
        lines = "".join(f'<text start="{start}" dur="2">{escape(escape(text))}</text>' for start, text in track.lines)
        return 200, "text/xml", f'<?xml version="1.0" encoding="utf-8" ?><transcript>{lines}</transcript>'.encode()


@contextmanager
def video_site(folder: Path) -> Iterator[VideoSite]:
    """Serve a site of no videos yet; `folder` holds its certificate."""
    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    site = VideoSite("", certificate)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        host = ""

        def do_CONNECT(self) -> None:
            self.host = self.path.partition(":")[0]
            self.send_response_only(200, "Connection established")
            self.end_headers()
            try:
                self.connection = context.wrap_socket(self.connection, server_side=True)
            except OSError:
                self.close_connection = True
                return
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
            self.close_connection = False

        def _serve(self) -> None:
            site.cookies.append(self.headers.get("Cookie") or "")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, data = site.answer(self.host, self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve  # noqa: N815 - as the library calls them

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()
            self.connection.close()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    site.proxy = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        # The libraries leave the connection of an answer that was an error to the collector.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _certificate(folder: Path) -> Path:
    """A certificate for the site's servers that vouches for itself, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "videos of the tests")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "videos.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def picture(width: int = 480, height: int = 360) -> bytes:
    """A picture as the site has them."""
    from PIL import Image

    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "JPEG")
    return out.getvalue()
