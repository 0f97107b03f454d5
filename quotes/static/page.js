// What the page does beyond reading. Without this, forms and links do it by loading a page.
"use strict";

const { root, base } = document.body.dataset;
const $ = (id) => document.getElementById(id);

for (const button of document.querySelectorAll("[data-copy], #copy, #share")) button.hidden = false;

/* Asking the service: its JSON, or an error with what it says is wrong. */
async function ask(path, options) {
  let answer, body;
  try {
    answer = await fetch(root + path, { ...options, headers: { Accept: "application/json" } });
    body = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!answer || answer.ok) throw new Error("The service cannot be reached. Are you online?");
  }
  if (answer.ok) return body;
  const detail = body?.detail || `The service answered ${answer.status}.`;
  throw new Error(detail.replace(/^The parameter '\w+'/, "This")); // what people typed is no parameter to them
}

async function whileBusy(button, work, told) {
  if (button.ariaBusy) return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return; // they want something else by now
    told.textContent = error.message;
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function credit(author, source) {
  const parts = [element("span", { className: "author" }, ...author)];
  if (source) parts.push(" ", element("cite", {}, ...source));
  return parts;
}

/* Another quote on top */
const SIZES = [[60, "s"], [150, "m"], [330, "l"]];

$("another").addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy(event.submitter, async () => show(await ask("/quote?type=random")), $("told"));
});

function show(quote) {
  const [, size] = SIZES.find(([longest]) => [...quote.quote].length <= longest) || [0, "xl"];
  $("quote").dataset.link = quote.id ? `${base}/?quote=${encodeURIComponent(quote.id)}` : "";
  $("quote").replaceChildren(
    element("blockquote", { className: `${size} turned`, dir: "auto" }, quote.quote),
    element("figcaption", { className: "turned", dir: "auto" }, ...credit([quote.author], quote.source && [quote.source])),
  );
  $("kind").textContent = "A random quote";
  $("date").hidden = true;
  $("today").hidden = false;
  $("told").textContent = "";
}

/* Copying and sharing */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = element("textarea", { value: text }); // a page without TLS has no clipboard
  const active = document.activeElement;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  active.focus();
  if (!isDone) throw new Error("The browser does not let a page copy.");
}

function tell(place, text) {
  place.textContent = text;
  setTimeout(() => { if (place.textContent === text) place.textContent = ""; }, 4000);
}

const shown = () => `${$("quote").querySelector("blockquote").textContent}\n\u2014 ${$("quote").querySelector(".author").textContent}`;
const link = () => $("quote").dataset.link || `${base}/`;

$("copy").addEventListener("click", (event) => whileBusy(event.target, async () => {
  await copy(shown());
  tell($("told"), "Copied.");
}, $("told")));

$("share").addEventListener("click", (event) => whileBusy(event.target, async () => {
  if (navigator.share) {
    await navigator.share({ text: shown(), url: link() });
  } else {
    await copy(link());
    tell($("told"), "Link copied.");
  }
}, $("told")));

for (const button of document.querySelectorAll("[data-copy]")) {
  const told = button.previousElementSibling;
  button.addEventListener("click", () => whileBusy(button, async () => {
    await copy($(button.dataset.copy).value);
    tell(told, "Copied.");
  }, told));
}

/* Searching while typing */
let asking = new AbortController();
let waiting;

$("q").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, 200);
});
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  search();
});
$("more").addEventListener("click", (event) => {
  event.preventDefault();
  const more = event.currentTarget;
  whileBusy(more, () => look(new URL(more.href).searchParams), $("found"));
});

function search() {
  const q = $("q").value.trim();
  asking.abort();
  history.replaceState(null, "", `${root}/${q && `?${new URLSearchParams({ q })}`}`);
  $("more").hidden = true;
  if (q) {
    look(new URLSearchParams({ q })).catch((error) => {
      if (error.name !== "AbortError") clear(error.message);
    });
  } else clear("");
}

function clear(told) {
  $("found").textContent = told;
  $("results").replaceChildren();
}

async function look(query) {
  asking = new AbortController();
  const address = `/quotes?${query}&limit=10&highlight=1`;
  const { results, total, next } = await ask(address, { signal: asking.signal });
  const items = results.map((quote) => element("li", {},
    element("a", { className: "whole", href: `${root}/?quote=${encodeURIComponent(quote.id)}` },
      element("p", { dir: "auto" }, ...marks(quote.marked.quote))),
    element("p", { className: "credit", dir: "auto" },
      ...credit(marks(quote.marked.author), quote.source && marks(quote.marked.source))),
  ));
  if (query.has("cursor")) {
    $("results").append(...items);
    items[0].firstChild.focus(); // the link that was pressed is below them now, or gone
  } else $("results").replaceChildren(...items);
  $("found").textContent = total === 0 ? "Nothing found." : total === 1 ? "One quote." : `${total.toLocaleString("en")} quotes.`;
  $("more").hidden = !next;
  if (next) {
    query.set("cursor", new URL(next, document.baseURI).searchParams.get("cursor"));
    $("more").href = `${root}/?${query}#search`;
  }
}

/* The words that were found are marked in HTML: of that, the text and the marks are taken and nothing else. */
function marks(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  return Array.from(parsed.childNodes, (node) => (
    node.nodeName === "MARK" ? element("mark", {}, node.textContent) : node.textContent
  ));
}

/* The card */
$("both").hidden = false;

function build() {
  const theme = $("build").elements.theme.value;
  const width = $("width").value;
  const address = (name, at = base) => `${at}/daily?format=svg&theme=${name}&width=${width}`;
  const safe = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  const picture = (name) => `<img src="${safe(address(name))}" alt="Quote of the day">`;
  $("pixels").textContent = width;
  if (theme === "both") {
    const source = `<source media="(prefers-color-scheme: dark)" srcset="${safe(address("dark"))}">`;
    $("html").value = `<a href="${safe(base)}/"><picture>${source}${picture("light")}</picture></a>`;
    $("markdown").value = $("html").value; // Markdown has no word for it, but takes HTML
  } else {
    $("html").value = `<a href="${safe(base)}/">${picture(theme)}</a>`;
    $("markdown").value = `[![Quote of the day](${address(theme)})](${base}/)`;
  }
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return address(theme === "both" ? (isDark ? "dark" : "light") : theme, root);
}

let drawing;
$("build").addEventListener("input", () => {
  const address = build();
  clearTimeout(drawing);
  drawing = setTimeout(() => { $("preview").src = address; }, 120);
});
$("build").addEventListener("submit", (event) => event.preventDefault());

/* The texts: a number, then the code that was sent to it */
let purpose = "subscribe";

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  purpose = event.submitter.hasAttribute("formaction") ? "unsubscribe" : "subscribe";
  whileBusy(event.submitter, async () => {
    await post({ mobile: $("mobile").value });
    $("texted").textContent = "A code is on its way to your phone.";
    $("confirm").hidden = false;
    $("otp").value = "";
    $("otp").focus();
  }, $("texted"));
});

$("confirm").addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy(event.submitter, async () => {
    await post({ mobile: $("mobile").value, otp: $("otp").value });
    $("confirm").hidden = true;
    $("ask").reset();
    $("texted").textContent = purpose === "subscribe"
      ? "Done: the day\u2019s quote comes by text from now on."
      : "Done: no more texts come to this number.";
    $("mobile").focus();
  }, $("texted"));
});

const post = (fields) => ask(`/${purpose}`, { method: "POST", body: new URLSearchParams(fields) });
