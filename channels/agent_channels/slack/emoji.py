"""Emoji by the names that Slack gives them in reactions."""

from __future__ import annotations

from agent_channels.core.errors import Refused
from agent_channels.core.patterns import lazy_pattern

__all__ = ["emoji_of", "name_of"]

# The names of those that people and agents use to react; any other is given by its name.
_TABLE = """
👍 +1 👎 -1 👀 eyes ✅ white_check_mark ☑ ballot_box_with_check ✔ heavy_check_mark ❌ x ❎ negative_squared_cross_mark
⛔ no_entry 🚫 no_entry_sign ⚠ warning 🚨 rotating_light 🔥 fire 🎉 tada 🎊 confetti_ball 🚀 rocket ✨ sparkles ⭐ star
🌟 star2 💫 dizzy 💥 boom 💯 100 🙏 pray 👏 clap 🙌 raised_hands 👌 ok_hand 💪 muscle 🤝 handshake 👋 wave
✋ hand 🖐 raised_hand_with_fingers_splayed 🤞 crossed_fingers ✌ v 🤘 the_horns 🤙 call_me_hand 👊 facepunch ✊ fist
👆 point_up_2 👇 point_down 👈 point_left 👉 point_right ☝ point_up 🖕 middle_finger 🤷 shrug 🤦 face_palm
🙋 raising_hand 🙇 bow 💁 information_desk_person 🙅 no_good 🙆 ok_woman
❤ heart 🧡 orange_heart 💛 yellow_heart 💚 green_heart 💙 blue_heart 💜 purple_heart 🖤 black_heart 🤍 white_heart
🤎 brown_heart 💔 broken_heart 💕 two_hearts 💖 sparkling_heart 💘 cupid 💝 gift_heart 💗 heartpulse 💓 heartbeat
😀 grinning 😃 smiley 😄 smile 😁 grin 😆 laughing 😅 sweat_smile 🤣 rolling_on_the_floor_laughing 😂 joy
🙂 slightly_smiling_face 🙃 upside_down_face 😉 wink 😊 blush 😇 innocent 🥰 smiling_face_with_3_hearts 😍 heart_eyes
🤩 star-struck 😘 kissing_heart 😗 kissing ☺ relaxed 😚 kissing_closed_eyes 😋 yum 😛 stuck_out_tongue
😜 stuck_out_tongue_winking_eye 🤪 zany_face 😝 stuck_out_tongue_closed_eyes 🤑 money_mouth_face 🤗 hugging_face
🤭 face_with_hand_over_mouth 🤫 shushing_face 🤔 thinking_face 🤐 zipper_mouth_face 🤨 face_with_raised_eyebrow
😐 neutral_face 😑 expressionless 😶 no_mouth 😏 smirk 😒 unamused 🙄 face_with_rolling_eyes 😬 grimacing
🤥 lying_face 😌 relieved 😔 pensive 😪 sleepy 🤤 drooling_face 😴 sleeping 😷 mask 🤒 face_with_thermometer
🤕 face_with_head_bandage 🤢 nauseated_face 🤮 face_vomiting 🤧 sneezing_face 🥵 hot_face 🥶 cold_face 🥴 woozy_face
😵 dizzy_face 🤯 exploding_head 🤠 face_with_cowboy_hat 🥳 partying_face 😎 sunglasses 🤓 nerd_face
🧐 face_with_monocle 😕 confused 😟 worried 🙁 slightly_frowning_face ☹ white_frowning_face 😮 open_mouth 😯 hushed
😲 astonished 😳 flushed 🥺 pleading_face 😦 frowning 😧 anguished 😨 fearful 😰 cold_sweat
😥 disappointed_relieved 😢 cry 😭 sob 😱 scream 😖 confounded 😣 persevere 😞 disappointed 😓 sweat 😩 weary
😫 tired_face 🥱 yawning_face 😤 triumph 😡 rage 😠 angry 🤬 face_with_symbols_on_mouth 😈 smiling_imp 👿 imp
💀 skull ☠ skull_and_crossbones 💩 hankey 🤡 clown_face 👻 ghost 👽 alien 🤖 robot_face
🎃 jack_o_lantern 🫡 saluting_face
🙈 see_no_evil 🙉 hear_no_evil 🙊 speak_no_evil 🐛 bug 🐞 ladybug 🦄 unicorn_face 🐳 whale 🐢 turtle 🐍 snake 🦀 crab
🐱 cat 🐶 dog 🐼 panda_face 🦆 duck 🐧 penguin 🦊 fox_face 🐌 snail 🐝 bee 🍀 four_leaf_clover 🌈 rainbow
☀ sunny ☁ cloud ⚡ zap ❄ snowflake 🌍 earth_africa 🌙 crescent_moon 💧 droplet 🌊 ocean
🍕 pizza 🍺 beer 🍻 beers ☕ coffee 🍰 cake 🎂 birthday 🍾 champagne 🥂 clinking_glasses 🍿 popcorn 🍎 apple 🍌 banana
🏆 trophy 🥇 first_place_medal 🥈 second_place_medal 🥉 third_place_medal 🏅 sports_medal 🎯 dart 🎁 gift 🎮 video_game
💡 bulb 🔔 bell 🔕 no_bell 📌 pushpin 📎 paperclip 🔗 link 🔒 lock 🔓 unlock 🔑 key 🔍 mag 🔧 wrench 🔨 hammer
⚙ gear 🛠 hammer_and_wrench 🧪 test_tube 🧹 broom 📦 package 📝 memo 📄 page_facing_up 📁 file_folder 📅 date
📈 chart_with_upwards_trend 📉 chart_with_downwards_trend 📊 bar_chart 💻 computer 📱 iphone 🖥 desktop_computer
💾 floppy_disk 📷 camera 🎤 microphone ✏ pencil2 🗑 wastebasket 📣 mega 💬 speech_balloon 💭 thought_balloon
⏰ alarm_clock ⏳ hourglass_flowing_sand ⌛ hourglass ⏱ stopwatch 🕐 clock1 ⏸ double_vertical_bar
▶ arrow_forward ⏹ black_square_for_stop ⏩ fast_forward ⏪ rewind 🔁 repeat 🔄 arrows_counterclockwise
⬆ arrow_up ⬇ arrow_down ➡ arrow_right ⬅ arrow_left ↩ leftwards_arrow_with_hook ➕ heavy_plus_sign ➖ heavy_minus_sign
❓ question ❔ grey_question ❗ exclamation ❕ grey_exclamation
‼ bangbang ⁉ interrobang 💤 zzz 🆗 ok 🆕 new 🆒 cool 🆘 sos
🔴 red_circle 🟠 large_orange_circle 🟡 large_yellow_circle 🟢 large_green_circle 🔵 large_blue_circle
🟣 large_purple_circle ⚪ white_circle ⚫ black_circle 🟥 large_red_square 🟩 large_green_square
0⃣ zero 1⃣ one 2⃣ two 3⃣ three 4⃣ four 5⃣ five 6⃣ six 7⃣ seven 8⃣ eight 9⃣ nine 🔟 keycap_ten
💰 moneybag 💸 money_with_wings 💎 gem 👑 crown 🎵 musical_note 🎶 notes 🏁 checkered_flag 🚩 triangular_flag_on_post
👨‍💻 male-technologist 👩‍💻 female-technologist 🧑‍💻 technologist 🐐 goat 🌱 seedling 🌹 rose 💐 bouquet 🧠 brain 👂 ear
"""
_WORDS = _TABLE.split()
_NAMES = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_EMOJI = {name: emoji for emoji, name in _NAMES.items()}
# Further names of the same.
_EMOJI |= {"thumbsup": "👍", "thumbsdown": "👎", "robot": "🤖", "punch": "👊", "raised_hand": "✋", "ok_person": "🙆"}
_NAME = lazy_pattern(r":?([a-z0-9_+'\-]{1,100}):?")
_TONES = {f"skin-tone-{number}": chr(0x1F3F9 + number) for number in range(2, 7)}


def name_of(emoji: str) -> str:
    """Return Slack's name of an emoji, which may be given by that name. Raises `Refused` if it is not known."""
    plain = emoji.replace("\ufe0f", "")
    base, tone = plain, ""
    for name, sign in _TONES.items():
        if sign in plain:
            base, tone = plain.replace(sign, ""), f"::{name}"
    if base in _NAMES:
        return _NAMES[base] + tone
    if match := _NAME.fullmatch(emoji):
        return match[1]
    raise Refused(
        f"{emoji[:40]!r} has no name here; give the name that Slack shows for it between colons, such as :rocket:, "
        "or use another emoji"
    )


def emoji_of(name: str) -> str:
    """Return the emoji with a name of Slack's; one that is not known, such as a workspace's own, between colons."""
    base, _, tone = name.partition("::")
    if base not in _EMOJI:
        return f":{base}:"
    return _EMOJI[base] + _TONES.get(tone, "")
