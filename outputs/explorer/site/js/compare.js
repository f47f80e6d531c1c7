// The compare page: choice of places and predictors, and their cards.
/** @import {Catalog, Place} from "./types.d.ts" */
/** @import {Chosen} from "./card.js" */
/** @import {View} from "./state.js" */
import { Card } from "./card.js";
import { catalog, placeFile, places } from "./data.js";
import { byId, element, fail, placeMark, profileLink } from "./page.js";
import { searchField } from "./search.js";
import { decode, encode } from "./state.js";
import { shortName } from "./words.js";

const MOST = 6;

class ComparePage {
  /** @param {Catalog} all @param {Place[]} listed */
  constructor(all, listed) {
    this.all = all;
    this.known = new Map(listed.map((place) => [place.id, place]));
    /** @type {View} */ this.view = decode(location.hash);
    this.view.places = this.view.places.filter((id) => this.known.has(id)).slice(0, MOST);
    /** @type {Card[]} */ this.cards = [];
    this.search = searchField(listed, (place) => this.add(place));
    this.seen = new IntersectionObserver((entries) => this.drawSeen(entries), { rootMargin: "700px 0px" });
    /** The address this page wrote itself last. */
    this.written = location.hash;
    byId("search").append(this.search.node);
    byId("examples").addEventListener("click", (event) => {
      const ids = event.target instanceof HTMLElement ? event.target.dataset.places : undefined;
      if (ids) this.choose(ids.split(",").filter((id) => this.known.has(id)));
    });
    byId("examples").hidden = !(byId("examples").querySelector("button")?.dataset.places ?? "").split(",").every((id) => this.known.has(id));
    window.addEventListener("hashchange", () => {
      if (location.hash === this.written) return;
      this.view = decode(location.hash);
      this.view.places = this.view.places.filter((id) => this.known.has(id)).slice(0, MOST);
      this.show();
    });
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      for (const card of this.cards) if (card.drawn) card.draw();
    });
    const narrow = window.matchMedia("(max-width: 60rem)");
    /** @type {HTMLDetailsElement} */ (byId("picker")).open = !narrow.matches;
  }

  /** @param {Place} place */
  add(place) {
    if (this.view.places.includes(place.id) || this.view.places.length >= MOST) return;
    this.choose([...this.view.places, place.id]);
  }

  /** @param {string[]} ids */
  choose(ids) {
    this.view.places = ids;
    this.view.focus = undefined;
    this.remember();
    this.show();
  }

  /** Writes the view into the address. */
  remember() {
    const hash = encode(this.view);
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    this.written = location.hash;
  }

  /** @param {string} metric */
  link(metric) {
    return `${location.href.split("#")[0]}#${encode({ ...this.view, focus: metric })}`;
  }

  async show() {
    const ids = this.view.places;
    const some = ids.length > 0;
    document.querySelector(".hero")?.classList.toggle("compact", some);
    byId("compare").hidden = !some;
    byId("welcome").hidden = some;
    this.search.input.disabled = ids.length >= MOST;
    this.search.input.placeholder = ids.length >= MOST ? "Six places are chosen; remove one to add another" : "For example, Forsyth";
    byId("chips").replaceChildren(...ids.map((id, i) => this.chip(/** @type {Place} */ (this.known.get(id)), i)));
    this.picker();
    if (!some) return this.draw([]);
    const files = await Promise.all(ids.map((id) => placeFile(id)));
    if (ids !== this.view.places) return undefined;
    return this.draw(ids.map((id, i) => ({ place: /** @type {Place} */ (this.known.get(id)), file: files[i] })));
  }

  /** @param {Place} place @param {number} index */
  chip(place, index) {
    const remove = () => {
      this.choose(this.view.places.filter((id) => id !== place.id));
      this.search.input.focus();
    };
    return element(
      "span",
      { class: "chip", "data-id": place.id },
      placeMark(index),
      element("a", { href: profileLink(place), title: "Profile of this place" }, shortName(place)),
      element("button", { type: "button", "aria-label": `Remove ${shortName(place)}`, onclick: remove }, "×"),
    );
  }

  get chosenPredictors() {
    const keys = this.all.predictors.map((p) => p.key);
    return this.view.predictors === null ? keys : keys.filter((key) => this.view.predictors?.includes(key));
  }

  picker() {
    const { all } = this;
    const chosen = new Set(this.chosenPredictors);
    const total = all.predictors.length;
    byId("picked").textContent = `${chosen.size}/${total}`;
    const pick = (/** @type {string[] | null} */ keys) => {
      this.view.predictors = keys !== null && keys.length === total ? null : keys;
      this.view.focus = undefined;
      this.remember();
      this.show();
    };
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.control : undefined;
    const box = (/** @type {string} */ key, /** @type {string} */ title) => {
      const input = /** @type {HTMLInputElement} */ (
        element("input", {
          type: "checkbox",
          checked: chosen.has(key),
          "data-control": `predictor-${key}`,
          onchange: () => pick(all.predictors.map((p) => p.key).filter((k) => (k === key ? input.checked : chosen.has(k)))),
        })
      );
      return element("label", {}, input, title);
    };
    const groups = Object.entries(all.pillars).map(([pillar, title]) => {
      const mine = all.predictors.filter((p) => p.pillar === pillar);
      return mine.length > 0 && element("fieldset", {}, element("legend", {}, title), ...mine.map((p) => box(p.key, p.title)));
    });
    byId("predictors").replaceChildren(
      element(
        "div",
        { class: "all" },
        element("button", { type: "button", class: "link", "data-control": "all", onclick: () => pick(null) }, "Select all"),
        element("button", { type: "button", class: "link", "data-control": "none", onclick: () => pick([]) }, "Clear all"),
      ),
      ...groups.filter((group) => group !== false),
    );
    if (focused) /** @type {HTMLElement | null} */ (byId("predictors").querySelector(`[data-control="${focused}"]`))?.focus();
  }

  /** @param {Chosen[]} chosen */
  draw(chosen) {
    const { all, view } = this;
    this.seen.disconnect();
    this.cards = [];
    const wanted = new Set(this.chosenPredictors);
    let pillar = "";
    const sections = chosen.length
      ? all.predictors.filter((p) => wanted.has(p.key)).map((predictor) => {
          const made = predictor.metrics.map((metric) => {
            view.cards[metric] ??= {};
            return new Card(all, metric, chosen, view.cards[metric], { changed: () => this.remember(), link: (m) => this.link(m) });
          });
          this.cards.push(...made);
          const first = predictor.pillar !== pillar;
          pillar = predictor.pillar;
          return element(
            "section",
            { class: "predictor", "aria-labelledby": `predictor-${predictor.key}` },
            element("header", {}, first && element("p", { class: "pillar-title" }, all.pillars[predictor.pillar]), element("h2", { id: `predictor-${predictor.key}` }, predictor.title), element("p", {}, predictor.definition)),
            ...made.map((card) => card.node),
          );
        })
      : [];
    const empty = element("p", { class: "nothing" }, "No predictors are chosen. Pick some from the list, or select all.");
    byId("cards").replaceChildren(...(chosen.length && !sections.length ? [empty] : sections));
    for (const card of this.cards) this.seen.observe(card.node);
    if (view.focus) {
      const card = this.cards.find((one) => one.name === view.focus);
      if (card) {
        card.draw();
        card.node.scrollIntoView();
      }
    }
    document.body.dataset.ready = String(chosen.length);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  drawSeen(entries) {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      this.seen.unobserve(entry.target);
      const card = this.cards.find((one) => one.node === entry.target);
      if (card && !card.drawn) card.draw();
    }
  }
}

try {
  const [all, listed] = await Promise.all([catalog(), places()]);
  await new ComparePage(all, listed).show();
} catch (error) {
  fail(error);
  throw error;
}
