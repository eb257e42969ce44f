// Beside the chat: the channel servers, and how far each message has come.

import { byId, element, post } from "/dom.js";

const NAMES = { telegram: "Telegram", discord: "Discord" };
const WORDS = {
  waiting: "kept by the platform until a server reads it",
  unheard: "the platform does not show this to the bot (privacy mode)",
  dropped: "journalled; not for the agent",
  raw: "journalled",
  held: "held until its sender is paired",
  fetching: "journalled; its picture is on the way",
  ready: "journalled, to be offered",
  offering: "being offered",
  offered: "offered; the agent is working",
  asked: "journalled; it answers a question",
  answered: "answered",
  failed: "could not be read; kept for inspection",
};
const SHOWN = 40;

let serversText = "";

export function drawServers(servers) {
  const text = JSON.stringify(servers);
  if (text === serversText) return;
  serversText = text;
  const had = document.activeElement?.dataset?.server;
  byId("servers").replaceChildren(...Object.entries(servers).map(([name, one]) => server(name, one)));
  if (had) byId("servers").querySelector(`[data-server="${had}"]`)?.focus();
}

function server(name, one) {
  const running = one.state === "running";
  const does = one.pid ? "kill" : "start";
  const act = element("button", { type: "button", class: does, disabled: one.state === "starting", "data-server": name, "aria-label": `${does === "kill" ? "Kill" : "Start"} the ${NAMES[name]} channel server`, onclick: () => post("/server", { channel: name, do: does }) }, does === "kill" ? "Kill" : "Start");
  const words = running ? `process ${one.pid}` : one.state === "starting" ? "starting" : `not running: ${one.error || "stopped"}`;
  return element("div", { class: `server ${one.state}`, "data-channel": name }, element("p", {}, element("b", {}, element("code", {}, `channels serve ${name}`)), element("span", { role: "status" }, words)), act);
}

const drawn = new Map();

export function drawLives(lives) {
  const list = byId("lives");
  const shown = lives.slice(-SHOWN).reverse();
  const ids = new Set(shown.map((life) => life.id));
  for (const [id, one] of drawn) {
    if (!ids.has(id)) {
      one.node.remove();
      drawn.delete(id);
    }
  }
  shown.forEach((life, at) => {
    const text = JSON.stringify(life);
    const known = drawn.get(life.id);
    if (known?.text === text && list.children[at] === known.node) return;
    const node = known?.text === text ? known.node : one(life);
    if (known && known.node !== node) known.node.remove();
    list.insertBefore(node, list.children[at] ?? null);
    drawn.set(life.id, { text, node });
  });
  if (!shown.length && !list.querySelector(".none")) list.replaceChildren(element("li", { class: "none" }, "Nothing was said here yet. Each message shows up with its way: received, journalled, offered, answered."));
  else if (shown.length) list.querySelector(".none")?.remove();
}

function one(life) {
  const item = element("li", { class: `life ${life.state}` });
  item.dataset.life = life.state;
  item.append(element("p", { class: "what" }, element("b", {}, life.who), element("span", { dir: "auto" }, life.what || "…")));
  const stages = element("ol", { class: "stages" });
  let before = null;
  for (const stage of life.stages) {
    stages.append(step(stage, before, life));
    before = stage.at;
  }
  item.append(stages);
  if (life.state !== "answered") item.append(element("p", { class: "state" }, WORDS[life.state] ?? life.state));
  return item;
}

function step(stage, before, life) {
  const by = stage.name === "received" ? `by ${NAMES[stage.by] ?? stage.by}` : stage.by ? `process ${stage.by}` : "";
  const again = stage.name === "offered" && life.offers > 1 ? `, ${life.offers} times` : "";
  const took = before === null ? clock(stage.at) : duration(stage.at - before);
  return element("li", { "data-stage": stage.name }, element("span", {}, stage.name + again), element("small", {}, by), element("time", {}, took));
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function duration(seconds) {
  const ms = Math.max(0, seconds * 1000);
  if (ms < 1) return "+<1 ms";
  return ms < 1000 ? `+${ms.toFixed(0)} ms` : `+${seconds.toFixed(1)} s`;
}
