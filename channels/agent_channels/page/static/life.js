// Beside the chat: the channel servers, the stages that each message has reached, and the turns of the agent.

import { PLATFORMS, byId, element, post, redraw } from "./dom.js";

export const STATES = {
  waiting: "kept by the platform until a server reads it",
  unheard: "the platform does not show this to the bot (privacy mode)",
  dropped: "journalled; not for the agent",
  handled: "handled by the server",
  raw: "journalled",
  held: "held until its sender is paired",
  fetching: "journalled; its picture is being downloaded",
  ready: "journalled; not offered yet",
  offering: "being offered",
  offered: "offered; the agent is working",
  asked: "journalled; it answers a question",
  answered: "answered",
  failed: "could not be read; kept for inspection",
};
// What became of a turn.
const TURNS = {
  running: "at work",
  stopping: "stopping: ends at its next step",
  done: "ended",
  stopped: "stopped",
  failed: "failed: the agent's host could not go on",
  interrupted: "interrupted at the terminal",
  gone: "the agent's session ended",
};
const NEWEST = 40;

let drawnServers = "";

export function drawServers(servers) {
  const text = JSON.stringify(servers);
  if (text === drawnServers) return;
  drawnServers = text;
  const focused = document.activeElement?.dataset?.server;
  byId("servers").replaceChildren(...Object.entries(servers).map(([name, server]) => drawServer(name, server)));
  if (focused) byId("servers").querySelector(`[data-server="${focused}"]`)?.focus();
}

function drawServer(name, server) {
  const running = server.state === "running";
  const action = server.pid ? "kill" : "start";
  const label = server.pid ? "Kill" : "Start";
  const button = element("button", { type: "button", class: action, disabled: server.state === "starting", "data-server": name, "aria-label": `${label} the ${PLATFORMS[name]} channel server`, onclick: () => post("server", { channel: name, do: action }) }, label);
  const state = running ? `process ${server.pid}` : server.state === "starting" ? "starting" : `not running: ${server.error || "stopped"}`;
  return element("div", { class: `server ${server.state}`, "data-channel": name }, element("p", {}, element("b", {}, element("code", {}, `channels serve ${name}`)), element("span", { role: "status" }, state)), button);
}

const drawn = new Map();

// `acts` draws what can be done about a life; without it nothing can.
export function drawLives(lives, acts = null) {
  const list = byId("lives");
  if (!lives.length) {
    drawn.clear();
    if (!list.querySelector(".none")) list.replaceChildren(element("li", { class: "none" }, "No messages yet. Each message appears here with its stages: received, journalled, offered, answered; and each longer turn of the agent with its steps. Commands and permissions are handled by the server."));
    return;
  }
  list.querySelector(".none")?.remove();
  redraw(list, drawn, lives.slice(-NEWEST).reverse(), {
    key: (life) => life.id,
    describe: (life) => life,
    draw: (life) => (life.turn ? drawTurn(life) : drawLife(life, acts)),
    replace: (old, node) => old.replaceWith(node),
  });
}

function drawLife(life, acts) {
  const item = element("li", { class: `life ${life.state}`, "data-life": life.state });
  item.append(element("p", { class: "what" }, element("b", {}, life.who), element("span", { dir: "auto" }, life.what || "…")));
  item.append(element("ol", { class: "stages" }, ...life.stages.map((stage, index) => drawStage(stage, life.stages.slice(0, index).findLast((one) => one.at), life))));
  if (life.state !== "answered") item.append(element("p", { class: "state" }, life.why ?? STATES[life.state] ?? life.state));
  const doing = acts?.(life);
  if (doing) item.append(doing);
  return item;
}

function drawTurn(turn) {
  const item = element("li", { class: `life turn ${turn.turn}`, "data-turn": turn.turn });
  item.append(element("p", { class: "what" }, element("b", {}, "Turn"), element("span", {}, `${TURNS[turn.turn] ?? turn.turn}, ${turn.summary}`)));
  const steps = turn.recent.map((what) => element("li", {}, element("span", { dir: "auto" }, what)));
  for (const [what, time] of turn.running) {
    steps.push(element("li", { class: "now" }, element("span", { dir: "auto" }, what), element("small", {}, "now"), element("time", {}, time)));
  }
  if (turn.note) steps.push(element("li", { class: "now" }, element("span", {}, turn.note)));
  for (const stage of turn.stages) {
    const by = stage.name === "steered" ? `“${stage.by}”` : `by ${stage.by}`;
    steps.push(element("li", { class: "event", "data-stage": stage.name }, element("span", {}, stage.name), element("small", { dir: "auto" }, by), element("time", {}, duration(stage.at - turn.at))));
  }
  item.append(element("ol", { class: "stages" }, ...steps));
  if (turn.plan.length) {
    const plan = turn.plan.map(([text, done]) => element("li", {}, element("span", { role: "img", "aria-label": done ? "done" : "to do" }, done ? "☑" : "☐"), " ", element("span", { dir: "auto" }, text)));
    item.append(element("ul", { class: "plan", "aria-label": "Plan" }, ...plan));
  }
  return item;
}

// `previous` is the last stage before it whose time is known.
function drawStage(stage, previous, life) {
  const by = stage.note ?? (stage.name === "received" ? `by ${PLATFORMS[stage.by] ?? stage.by}` : stage.by ? `process ${stage.by}` : "");
  const repeated = stage.name === "offered" && life.offers > 1 ? `, ${life.offers} times` : "";
  const time = !stage.at ? "" : previous ? duration(stage.at - previous.at) : clock(stage.at);
  return element("li", { "data-stage": stage.name }, element("span", {}, stage.name + repeated), element("small", {}, by), element("time", {}, time));
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function duration(seconds) {
  const ms = Math.max(0, seconds * 1000);
  if (ms < 1) return "+<1 ms";
  return ms < 1000 ? `+${ms.toFixed(0)} ms` : `+${seconds.toFixed(1)} s`;
}
