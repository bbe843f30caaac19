/* Draws every chart of the page from the specification beside it, without asking the network for anything. */
"use strict";
const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: { disableDefaultStyle: true } };

for (const script of document.querySelectorAll('script[type="application/json"]')) {
  const place = script.previousElementSibling;
  const spec = JSON.parse(script.textContent);
  if (spec.facet) {
    const tiles = spec.spec.encoding.x.scale.domain.length * spec.spec.width.step + spec.spacing.column;
    const room = place.closest(".scroll").clientWidth - 60;
    spec.columns = Math.max(1, Math.min(spec.columns, Math.floor(room / tiles)));
  }
  vegaEmbed(place, spec, options).catch((error) => {
    place.textContent = `This chart could not be drawn: ${error.message}`;
  });
}
