// What the page is made of. Text goes in as text, never as HTML.
const MANY = 12;

export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A column's name as words: duration_ms is "duration", which `show` gives in seconds.
export const describe = (name) => name.replace(/_ms$/, "").replaceAll("_", " ");

function show(name, value) {
  if (value === null || value === "") return "–";
  if (Array.isArray(value)) {
    const listed = value.slice(0, MANY).map((each) => show("", each)).join(", ");
    return value.length > MANY ? `${listed}, … (${value.length})` : listed || "none";
  }
  if (typeof value !== "number") return String(value);
  if (name.endsWith("_ms")) return `${(value / 1000).toFixed(1)} s`;
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

export function number(name, value) {
  return element("div", {}, element("dt", {}, describe(name)), element("dd", { class: "number" }, show(name, value)));
}

const title = (column, item) => element("strong", {}, `${describe(column.replace(/_id$/, ""))} ${item}`);

const facts = (of) => element("dl", { class: "facts" }, ...Object.entries(of).map(([name, value]) => number(name, value)));

export const moves = (answer) => new Map(answer.top.map((item, place) => [item.item, place]));

// How an item moved from its place in another order, in which it may not have been among the best.
function move(item, place, reference) {
  if (reference === null) return [];
  const from = reference.get(item);
  if (from === undefined) return [mark("up", "new", `not among the first ${reference.size} there`)];
  if (from === place) return [mark("", "=", "same place")];
  const [kind, sign] = from > place ? ["up", "▲"] : ["down", "▼"];
  return [mark(kind, `${sign}${Math.abs(from - place)}`, `${Math.abs(from - place)} ${kind}`)];
}

const mark = (kind, text, meaning) =>
  element("span", { class: `move ${kind}`, role: "img", "aria-label": meaning, title: meaning }, text);

function task(name, value, kind) {
  if (kind !== "binary" || value === null) return number(name, value);
  const made = number(name, value.toFixed(3));
  made.append(element("meter", { min: 0, max: 1, value, "aria-label": describe(name) }));
  return made;
}

// One of the best items.
export function card(item, place, reference, model) {
  const kinds = new Map(model.tasks.map((each) => [each.name, each.kind]));
  const scores = Object.entries(item.tasks).map(([name, value]) => task(name, value, kinds.get(name)));
  return element("li", { "data-item": item.item },
    element("p", { class: "head" },
      element("span", { class: "place" }, `${place + 1}.`), title(model.item_column, item.item),
      ...move(item.item, place, reference),
      element("span", { class: "number", title: "score: the tasks combined" }, `score ${item.score?.toFixed(3) ?? "–"}`)),
    element("dl", { class: "tasks" }, ...scores), facts(item.facts));
}

// One row of the logs.
export function event(row, column) {
  const outcomes = Object.entries(row.outcomes).map(([name, value]) => number(name, value));
  const time = row.time === null ? [] : [element("time", { class: "move" }, row.time.slice(0, 16))];
  return element("li", {},
    element("p", { class: "head" }, title(column, row.item ?? "–"), ...time),
    element("dl", { class: "tasks" }, ...outcomes), facts(row.facts));
}
