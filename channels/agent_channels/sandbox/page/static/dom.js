// Small helpers. Text enters the page as text only: nothing here parses HTML.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

// Posts an act; resolves to the answer, and shows what went wrong.
export async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const found = await answer.json();
    if (!found.ok) toast(`${found.error}. ${found.next}`, true);
    return found;
  } catch {
    toast("The sandbox does not answer. Start it again with `channels sandbox`.", true);
    return { ok: false };
  }
}

let hiding = 0;

export function toast(text, bad = false) {
  const place = byId("toast");
  place.textContent = text;
  place.className = bad ? "bad shown" : "shown";
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove("shown"), bad ? 8000 : 4000);
}

// A link that may be followed, or its text: only web addresses become links.
export function link(href, ...children) {
  let safe = null;
  try {
    const url = new URL(href);
    if (["http:", "https:"].includes(url.protocol)) safe = url.href;
  } catch {
    // Not an address.
  }
  if (!safe) return element("span", {}, ...children);
  return element("a", { href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

export function spoiler(...children) {
  const made = element("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler, show it" }, ...children);
  const show = () => {
    made.classList.add("open");
    for (const name of ["role", "tabindex", "aria-label"]) made.removeAttribute(name);
  };
  made.addEventListener("click", show);
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      show();
    }
  });
  return made;
}

export function codeBlock(text, language) {
  const pre = element("pre", { tabindex: "0", "aria-label": language ? `Code in ${language}` : "Code" }, element("code", {}, text));
  if (language) pre.dataset.language = language;
  return pre;
}
