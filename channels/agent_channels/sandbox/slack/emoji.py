"""The names of emoji, by which Slack knows them."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["BY_CHARACTER", "CHARACTERS", "is_emoji_name"]

# The common ones whose name is not their Unicode name, and those that the sandbox's people use.
NAMES = {
    "+1": "👍",
    "-1": "👎",
    "100": "💯",
    "arrow_right": "➡️",
    "bell": "🔔",
    "blue_heart": "💙",
    "books": "📚",
    "bug": "🐛",
    "bulb": "💡",
    "clap": "👏",
    "clipboard": "📋",
    "construction": "🚧",
    "cry": "😢",
    "dart": "🎯",
    "eyes": "👀",
    "fire": "🔥",
    "gear": "⚙️",
    "grinning": "😀",
    "heart": "❤️",
    "heavy_check_mark": "✔️",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ️",
    "joy": "😂",
    "key": "🔑",
    "laughing": "😆",
    "lock": "🔒",
    "mag": "🔍",
    "memo": "📝",
    "no_entry": "⛔",
    "no_entry_sign": "🚫",
    "octagonal_sign": "🛑",
    "ok_hand": "👌",
    "package": "📦",
    "pencil2": "✏️",
    "point_right": "👉",
    "pray": "🙏",
    "question": "❓",
    "raised_hands": "🙌",
    "red_circle": "🔴",
    "robot_face": "🤖",
    "rocket": "🚀",
    "slightly_smiling_face": "🙂",
    "smile": "😄",
    "sob": "😭",
    "sparkles": "✨",
    "stopwatch": "⏱️",
    "tada": "🎉",
    "thinking_face": "🤔",
    "unicorn_face": "🦄",
    "wave": "👋",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "wrench": "🔧",
    "writing_hand": "✍️",
    "x": "❌",
    "zap": "⚡",
}
ALIASES = frozenset(
    """
    thumbsup thumbsdown hankey poop raised_hand heart_eyes sunglasses scream weary angry rage party_parrot
    yellow_heart green_heart purple_heart black_heart broken_heart man-shrugging woman-shrugging shrug facepalm
    salute saluting_face melting_face muscle hugging_face stuck_out_tongue smirk grin blush sweat_smile
    exploding_head face_with_monocle nerd_face star-struck handshake trophy whale banana clown_face ghost
    jack_o_lantern moyai imp smiling_imp alien speak_no_evil see_no_evil hear_no_evil zzz checkered_flag strawberry
    bear champagne hotdog kiss kissing_heart cupid lollipop nail_care santa christmas_tree snowman pill sleeping
    neutral_face vomit face_vomiting star star2 dog cat coffee beer beers pizza cake computer phone email link
    pushpin paperclip scissors hammer arrow_left arrow_up arrow_down arrows_counterclockwise recycle
    ballot_box_with_check o ok new free cool up sos speech_balloon thought_balloon hourglass alarm_clock calendar
    chart_with_upwards_trend heavy_plus_sign heavy_minus_sign heavy_exclamation_mark exclamation green_circle
    large_green_circle large_yellow_circle large_blue_circle white_circle black_circle eight_spoked_asterisk
    snowflake sunny cloud rainbow umbrella crossed_fingers v fist facepunch punch point_up point_down point_left
    call_me_hand spock-hand the_horns metal one two three four five six seven eight nine zero keycap_ten
    """.split()  # noqa: SIM905 - as a list it would be a line for each
)
NAME = re.compile(r"([a-z0-9_+'-]+)(?:::skin-tone-[2-6])?")

BY_CHARACTER = {character: name for name, character in NAMES.items()}
# The characters of the names that are known here.
CHARACTERS = NAMES | {"thumbsup": "👍", "thumbsdown": "👎"}


def is_emoji_name(name: str, custom: dict[str, str]) -> bool:
    """Return True for a standard emoji's name, with a skin tone or without, and for one of the workspace's own."""
    found = NAME.fullmatch(name)
    if found is None:
        return False
    short = found[1]
    if short in NAMES or short in ALIASES or short in custom:
        return True
    try:
        return unicodedata.category(unicodedata.lookup(short.replace("_", " "))) == "So"
    except KeyError:
        return False
