// The page: what a visitor changes goes to Triton by way of /api, and what comes back is shown.
import { card, describe, element, event, moves, number } from "./elements.js";

const DEBOUNCE_MS = 60;
const RETRY_MS = 1500;
const PLACES = 10;
const at = (id) => document.getElementById(id);

let model = null;
let user = null;
let asking = null; // the request whose answer is wanted; those before it are given up
let before = null; // the order before the last change, as a map from item to place
let timer = 0;

class Fault extends Error {
  constructor(text, mayPass) {
    super(text);
    this.mayPass = mayPass; // whether trying again may help
  }
}

async function ask(path, values, signal) {
  let response;
  try {
    response = await fetch(`api/${path}?${new URLSearchParams(values)}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("The program behind this page does not answer; start it again: polyrank demo --web", true);
  }
  const body = await response.json();
  if (!response.ok) throw new Fault(body.error, response.status >= 500);
  return body;
}

function tell(fault) {
  at("fault").textContent = fault.mayPass ? `${fault.message} (trying again)` : fault.message;
  at("fault").hidden = false;
}

// Run one thing at a time: a later one takes the place of that under way.
async function perform(work) {
  asking?.abort();
  clearTimeout(timer);
  const mine = (asking = new AbortController());
  try {
    await work(mine.signal);
    if (mine === asking) at("fault").hidden = true;
  } catch (error) {
    if (mine !== asking) return;
    tell(error instanceof Fault ? error : new Fault(`The page failed: ${error.message}`, false));
    if (error.mayPass) timer = setTimeout(() => perform(refresh), RETRY_MS);
  }
}

// Everything anew, since versions may have come and gone with the server.
async function refresh(signal) {
  await loadModel(signal);
  if (user === null) at("user").value = model.users[0].id;
  await showUser(signal);
}

async function loadModel(signal) {
  model = await ask("model", {}, signal);
  at("about").textContent =
    `Model ${model.model} ranks ${model.items.toLocaleString("en")} items for ` +
    `${model.num_users.toLocaleString("en")} users. Every change below is a request to Triton.`;
  at("users").replaceChildren(...model.users.map((each) => element("option", { value: each.id })));
  if (!at("sliders").childElementCount) {
    at("sliders").append(...weighted().map(slider));
    showWeights();
  }
  const choices = model.versions.map((each) => element("option", { value: each.version }, each.version));
  fill(at("version"), choices.map((each) => each.cloneNode(true)).reverse());
  fill(at("other"), [element("option", { value: "" }, "nothing"), ...choices]);
  at("other").disabled = model.versions.length < 2;
}

const weighted = () => model.tasks.filter((task) => task.is_weighted);

function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options);
  if (options.some((each) => each.value === chosen)) select.value = chosen;
}

function slider(task) {
  const id = `weight-${task.name}`;
  const input = element("input", { id, name: task.name, type: "range", min: 0, max: 2, step: 0.05 });
  // Answers of other kinds are no probabilities: with the same weight one of them may drown the others.
  input.defaultValue = task.kind === "binary" || !model.tasks.some((each) => each.kind === "binary") ? "1" : "0";
  return element("div", { class: "slider" },
    element("label", { for: id }, describe(task.name)), element("output", { for: id }), input);
}

function showWeights() {
  for (const output of at("sliders").querySelectorAll("output")) {
    output.value = Number(at(output.htmlFor.value).value).toFixed(2);
  }
}

async function showUser(signal) {
  const found = await ask("user", { id: at("user").value.trim() }, signal);
  if (user !== found.id) before = null;
  user = found.id;
  at("user-note").textContent = `${found.rows.toLocaleString("en")} rows in the logs`;
  at("past-note").textContent =
    found.history.length < found.rows ? `the newest ${found.history.length} of ${found.rows} rows` : "";
  at("history").replaceChildren(...found.history.map((each) => event(each, model.item_column)));
  at("features").replaceChildren(...Object.entries(found.features).map(([name, value]) => number(name, value)));
  await rank(signal);
}

async function rank(signal) {
  const versions = [at("version").value, at("other").value].filter((each) => each !== "");
  const weights = [...at("sliders").querySelectorAll("input")].map((each) => [`w.${each.name}`, each.value]);
  const values = (version) => [["user", user], ["version", version], ["k", PLACES], ...weights];
  const answers = await Promise.all(versions.map((version) => ask("rank", values(version), signal)));
  showRanking(answers);
}

function showRanking(answers) {
  const [first, second] = answers;
  const order = moves(first);
  const shown = answers.map((answer, place) => column(answer, place === 0 ? (second ? null : before) : order));
  at("columns").replaceChildren(...shown);
  at("status").textContent =
    answers.map((each) => `version ${each.version}: ${each.items.toLocaleString("en")} items ranked in ` +
      `${each.latency_ms.toFixed(1)} ms`).join("; ") + arrows(second ? first.version : null);
  at("version-note").textContent = answers.map(note).filter((each) => each !== "").join("\n");
  before = order;
}

function arrows(version) {
  if (version !== null) return `. Arrows: places up or down from version ${version}`;
  return before === null ? "" : ". Arrows: places up or down since the last change";
}

function note(answer) {
  const found = model.versions.find((each) => each.version === answer.version);
  return found?.note ? `${answer.version}: ${found.note}` : "";
}

function column(answer, reference) {
  const rows = answer.top.map((item, place) => card(item, place, reference, model));
  return element("section", { class: "column" },
    element("h3", {}, `Version ${answer.version}`), element("ol", { class: "cards" }, ...rows));
}

function another() {
  const others = model.users.filter((each) => each.id !== user);
  if (others.length) at("user").value = others[Math.floor(Math.random() * others.length)].id;
  perform(showUser);
}

function soon() {
  showWeights();
  clearTimeout(timer);
  timer = setTimeout(() => { if (user !== null) perform(rank); }, DEBOUNCE_MS);
}

at("pick").addEventListener("submit", (submitted) => { submitted.preventDefault(); perform(showUser); });
at("user").addEventListener("focus", () => at("user").select());
at("another").addEventListener("click", () => { if (model !== null) another(); });
at("weights").addEventListener("input", soon);
at("weights").addEventListener("submit", (submitted) => submitted.preventDefault());
at("weights").addEventListener("reset", () => setTimeout(soon)); // once the sliders are set
at("choice").addEventListener("submit", (submitted) => submitted.preventDefault());
at("choice").addEventListener("change", () => { before = null; if (user !== null) perform(rank); });
perform(refresh);
