// The sandbox's page: the chats as their people have them, beside the life of each message.

import { PLATFORMS, byId, element, post, setOpenChat, toast } from "./dom.js";
import { drawChat, initial, startLog } from "./chat.js";
import { setPlace, setTopic, startComposer, suggest, who } from "./composer.js";
import { hands } from "./hands.js";
import { drawLives, drawServers } from "./life.js";
import { currentPlace, drawList, listen, parts, places, preview } from "./shell.js";
import { currentTopic, drawTopics, hints, isIn, startIn, startTopics } from "./topics.js";
import { say, sayLine, translatePage } from "./words.js";

// How many messages of each chat the user has seen.
const seen = new Map();

const livesIn = (place) => parts.life.filter((life) => life.chat === place.key);

function draw() {
  const place = currentPlace();
  if (!place) return;
  setPlace(place, draw);
  setOpenChat(`${place.key} ${who()}`);
  document.body.dataset.platform = place.platform;
  document.body.classList.toggle("flat", !["", "telegram"].includes(place.platform));
  document.body.classList.toggle("attached", !parts.setting.scripted);
  drawChats(place);
  drawHead(place);
  const chat = parts[`chat:${place.key}`];
  // What is written outside a topic opens one, commands too.
  if (parts.setting.projects.length) startIn(place, chat.topics?.list[0]?.id ?? "");
  const topic = currentTopic(place, chat);
  setTopic(topic, hints(place, chat, topic));
  drawTopics(place, chat, who());
  drawChat(place, chat, who(), livesIn(place), topic, hands);
  byId("typing").firstElementChild.hidden = !chat.typing.some((one) => isIn({ topic: one }, topic, place));
  suggest(place, !chat.messages.some((message) => !message.service), suggestions(place));
  drawPairing(place, chat.code);
  drawServers(parts.servers);
  drawLives(livesIn(place));
}

function suggestions(place) {
  if (place.about.startsWith("a stranger")) return ["May I come in?"];
  if (parts.setting.projects.length) return ["/projects", ...parts.setting.projects.slice(0, 2).map((name) => `/new ${name}`), "Hello"];
  const texts = ["Hello", "Fix the tests", "Deploy", "Rate"];
  // In a Telegram group the bot gets only messages that mention it, unless it is an administrator.
  if (!place.about.includes("@")) return texts;
  return [...texts.map((text) => `@${place.bot} ${text.toLowerCase()}`), "Just between us"];
}

function drawChats(current) {
  const chats = places().map((place) => {
    const messages = parts[`chat:${place.key}`].messages.filter((message) => !message.only);
    const last = messages.at(-1);
    if (place.key === current.key || !seen.has(place.key)) seen.set(place.key, messages.length);
    const unread = Math.max(0, messages.length - seen.get(place.key));
    return { ...place, unread, preview: last ? preview(place, last) : sayLine(place.about) };
  });
  drawList([...new Set(chats.map((chat) => chat.platform))], chats, current);
}

// --- the head of the chat, and pairing

function drawHead(place) {
  byId("title").textContent = place.group ? place.title : say("Your agent");
  const names = place.actors.map((actor) => actor.name).join(say(" and "));
  const platform = PLATFORMS[place.platform];
  byId("about").textContent = say(place.group ? "{platform}, {about}" : "{platform}, seen by {names} ({about})", { platform, names, about: sayLine(place.about) });
  const avatar = byId("avatar");
  avatar.dataset.who = place.group ? "group" : "bot";
  avatar.textContent = place.group ? initial(place.title) : "";
}

let drawnPairing = "";

function drawPairing(place, code) {
  const box = byId("pairing");
  box.hidden = !code;
  const text = `${place.key} ${code}`;
  if (!code || text === drawnPairing) return;
  drawnPairing = text;
  const approve = async () => {
    const answer = await post("approve", { channel: place.platform, code });
    if (answer.ok && answer.here) toast(answer.said);
    byId("say").focus();
  };
  box.replaceChildren(
    element("p", {}, say("You are also the operator. In the terminal, this is "), element("code", {}, `channels access ${place.platform} pair ${code}`)),
    element("button", { type: "button", onclick: approve }, say("Let in")),
  );
}

translatePage();
startComposer();
startLog();
startTopics(draw);
listen(draw);
