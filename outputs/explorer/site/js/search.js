// Search for a place by name: a combobox that follows the ARIA pattern, usable by keyboard alone.
/** @import {Place} from "./types.d.ts" */
import { element } from "./page.js";
import { fullName, kindOf, shortName } from "./words.js";

const SHOWN = 8;

/** @param {string} text */
const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/['’]/g, "").replace(/[^a-z0-9]+/g, " ").trim();

/**
 * Places that fit what was typed, best first: every word must begin a word of the name, state or code.
 * @param {Place[]} places
 * @param {string} typed
 * @param {number} [limit]
 * @returns {Place[]}
 */
export function matches(places, typed, limit = SHOWN) {
  const words = plain(typed).split(" ").filter(Boolean);
  if (!words.length) return [];
  /** @type {{place: Place, score: number}[]} */
  const found = [];
  for (const place of places) {
    const name = plain(place.name);
    const all = ` ${name} ${plain(place.stateName)} ${place.postal.toLowerCase()} ${place.id} ${place.level === "place" ? "city" : "county"}`;
    if (!words.every((word) => all.includes(` ${word}`))) continue;
    const exact = name === words.join(" ") || name.replace(/ (county|parish)$/, "") === words.join(" ") ? 2 : 0;
    found.push({ place, score: exact + (name.startsWith(words[0]) ? 1 : 0) });
  }
  found.sort((a, b) => b.score - a.score || (b.place.population ?? 0) - (a.place.population ?? 0) || a.place.id.localeCompare(b.place.id));
  return found.slice(0, limit).map((one) => one.place);
}

/**
 * A search field. `chosen` is called with the place a reader picks.
 * @param {Place[]} places
 * @param {(place: Place) => void} chosen
 * @param {{label?: string, clear?: boolean}} [options]
 */
export function searchField(places, chosen, { label = "Add a county or city", clear = true } = {}) {
  /** @type {Place[]} */ let shown = [];
  let active = -1;
  const list = element("ul", { id: "search-list", role: "listbox", "aria-label": "Places that fit", hidden: true });
  const status = element("div", { class: "visually-hidden", role: "status" });
  const input = /** @type {HTMLInputElement} */ (
    element("input", {
      id: "search-input",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "For example, Forsyth",
      "aria-expanded": "false",
      "aria-controls": "search-list",
      "aria-autocomplete": "list",
    })
  );

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const pick = (/** @type {Place} */ place) => {
    input.value = clear ? "" : shortName(place);
    close();
    chosen(place);
  };
  const mark = (/** @type {number} */ index) => {
    active = index;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    if (index < 0) return;
    input.setAttribute("aria-activedescendant", `search-${index}`);
    list.children[index].scrollIntoView({ block: "nearest" });
  };
  const show = () => {
    shown = matches(places, input.value);
    list.replaceChildren(
      ...shown.map((place, i) =>
        element(
          "li",
          { id: `search-${i}`, role: "option", "aria-selected": "false", "data-id": place.id, onmousedown: (/** @type {Event} */ e) => e.preventDefault(), onclick: () => pick(place) },
          fullName(place),
          element("small", {}, `${kindOf(place)}${place.population ? ` · ${d3.format(",")(place.population)} people` : ""}`),
        ),
      ),
    );
    const typed = input.value.trim() !== "";
    if (typed && !shown.length) list.append(element("li", { class: "none", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "No county, and no city above 75,000 people, of that name"));
    list.hidden = !typed;
    input.setAttribute("aria-expanded", String(typed));
    input.removeAttribute("aria-activedescendant");
    status.textContent = typed ? `${shown.length} places` : "";
    mark(shown.length ? 0 : -1);
  };
  input.addEventListener("input", show);
  input.addEventListener("focus", () => input.value && clear && show());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && shown[active]) pick(shown[active]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show();
      if (shown.length) mark((active + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length);
    }
  });
  return { node: element("div", { class: "search" }, element("label", { for: "search-input" }, label), input, list, status), input };
}
