// The MCP SDK's own client for TypeScript, driven as driver.py says: `node ts_sdk.mjs MODULES [stateless] COMMAND ARGUMENTS...`.
// MODULES: the folder that has the package. `stateless`: each call starts the server anew.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...words] = process.argv.slice(2);
const stateless = words[0] === "stateless";
const [command, ...args] = stateless ? words.slice(1) : words;
const find = createRequire(`${modules}/`);
const load = async (name) => await import(pathToFileURL(find.resolve(name)));
const { Client } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");
// After how many milliseconds a call is given up; undefined: as the library does by itself.
const timeout = process.env.CALL_S ? Number(process.env.CALL_S) * 1000 : undefined;

async function connected() {
  const client = new Client({ name: "ts-sdk", version: "1" });
  await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" }));
  return client;
}

const kept = stateless ? undefined : await connected();
const running = new Map();

async function using(work) {
  if (kept) return await work(kept);
  const client = await connected();
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

async function answer(asked) {
  const abort = new AbortController();
  running.set(asked.id, abort);
  let found;
  try {
    if (asked.do === "tools") {
      const listed = await using((client) => client.listTools());
      found = { tools: listed.tools.map((tool) => tool.name) };
    } else {
      const call = { name: asked.tool, arguments: asked.arguments };
      const result = await using((client) => client.callTool(call, { signal: abort.signal, timeout }));
      found = { text: result.content.map((part) => part.text ?? "").join("\n") };
    }
  } catch (error) {
    found = { text: abort.signal.aborted ? "cancelled" : `${error.name}: ${error.message}` };
  }
  running.delete(asked.id);
  process.stdout.write(`${JSON.stringify({ id: asked.id, ...found })}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.do === "cancel") running.get(asked.id)?.abort();
  else void answer(asked);
}
process.exit(0);
