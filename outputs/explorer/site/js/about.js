// The page about the figures: what follows from the release itself.
import { catalog } from "./data.js";
import { badge, byId, element, fail } from "./page.js";

try {
  const all = await catalog();
  byId("quality").append(...Object.keys(all.quality).flatMap((code) => [element("dt", {}, badge(all, Number(code))), element("dd", {}, all.quality[code][1])]));
  byId("reasons").append(...all.reasons.map((reason) => element("li", {}, reason)));
  byId("rule-peers").textContent = all.rules.peers;
  byId("rule-medians").textContent = all.rules.medians;
  for (const predictor of all.predictors) {
    byId("sources").append(
      element("h3", {}, predictor.title),
      element("p", {}, predictor.definition),
      element("ul", {}, ...predictor.sources.map((source) => element("li", {}, source.url ? element("a", { href: source.url }, source.title) : source.title))),
    );
  }
  document.body.dataset.ready = "about";
} catch (error) {
  fail(error);
  throw error;
}
