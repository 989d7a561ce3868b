// What the raster looks like: one path per avalanche, so that the browser finds what lies under the pointer. The whole window
// always fits the width; a view [first token, last token, first layer, last layer] is a part of it, drawn larger.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 34, RIGHT = 8, TOP = 4, GAP = 0.06, READABLE = 7, LONGEST_LABEL = 14, HIGHEST = 290;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const whole = (scene) => [0, scene.length - 1, 0, scene.layers - 1];

const element = (name, attributes = {}, text = null) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
};

function paths(scene) {
  const found = scene.avalanches.map(() => []);
  for (const [token, layer, avalanche] of scene.sites) {
    const x = token + GAP, y = scene.layers - 1 - layer + GAP, side = 1 - 2 * GAP;
    found[avalanche].push(`M${x} ${y}h${side}v${side}h${-side}z`);
  }
  return found.map((squares) => squares.join(""));
}

function geometry(scene, [first, last, low, high], available) {
  const columns = last - first + 1, rows = high - low + 1;
  const cell = Math.min(26, (available - LEFT - RIGHT) / columns);
  const highest = rows < scene.layers ? 24 : 18;
  const tall = clamp(Math.min(highest, Math.max(cell, 11), HIGHEST / rows), 3, highest);
  const labelled = scene.tokens.length > 0 && cell >= READABLE;
  const shown = scene.tokens.slice(first, last + 1);
  const longest = Math.max(0, ...shown.map((token) => Math.min(token.length, LONGEST_LABEL)));
  return { cell, tall, columns, rows, labelled, below: labelled ? 8 + 6.2 * longest : 34 };
}

function axis(svg, scene, [first, last, low, high], { cell, tall, columns, rows, labelled }) {
  const bottom = TOP + tall * rows;
  const step = STEPS.find((n) => n * tall >= 12) ?? 2000;
  for (let layer = Math.ceil(low / step) * step; layer <= high; layer += step) {
    const y = TOP + tall * (high - layer + 0.5) + 3.5;
    svg.append(element("text", { x: LEFT - 5, y, "text-anchor": "end", class: "critnb-tick" }, layer));
  }
  svg.append(element("text", { x: 11, y: TOP + (tall * rows) / 2, class: "critnb-tick", "text-anchor": "middle",
    transform: `rotate(-90 11 ${TOP + (tall * rows) / 2})` }, "layer"));
  if (labelled) {
    for (let t = first; t <= last; t += 1) {
      const x = LEFT + cell * (t - first + 0.5) + 3.2, y = bottom + 4, token = scene.tokens[t];
      const shown = token.length > LONGEST_LABEL ? token.slice(0, LONGEST_LABEL - 1) + "…" : token;
      svg.append(element("text", { x, y, "text-anchor": "end", transform: `rotate(-90 ${x} ${y})`,
        class: "critnb-token", "data-token": t, style: `font-size:${clamp(cell + 1, 8, 10)}px` }, shown));
    }
    return;
  }
  const every = STEPS.find((n) => n * cell >= 34) ?? 2000;
  for (let t = Math.ceil(first / every) * every; t <= last; t += every) {
    const x = LEFT + cell * (t - first + 0.5);
    svg.append(element("text", { x, y: bottom + 13, "text-anchor": "middle", class: "critnb-tick" }, t));
  }
  const words = scene.tokens.length ? "token position (zoom in to read the tokens)" : "token position (index in the window)";
  svg.append(element("text", { x: LEFT + (cell * columns) / 2, y: bottom + 27, "text-anchor": "middle",
    class: "critnb-tick" }, words));
}

// returns the picture and, in it, the group whose units are sites
function picture(scene, view, available) {
  const shape = geometry(scene, view, available), [first, , , high] = view;
  const inner = { width: shape.cell * shape.columns, height: shape.tall * shape.rows };
  const width = LEFT + inner.width + RIGHT, height = TOP + inner.height + shape.below;
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": scene.title });
  const lattice = element("svg", { x: LEFT, y: TOP, ...inner, preserveAspectRatio: "none",
    viewBox: `${first} ${scene.layers - 1 - high} ${shape.columns} ${shape.rows}` });
  const sites = element("g");
  sites.append(element("rect", { width: scene.length, height: scene.layers, class: "critnb-empty" }));
  paths(scene).forEach((d, avalanche) => {
    const { colour } = scene.avalanches[avalanche];
    sites.append(element("path", { d, style: `fill:${colour}`, class: "critnb-avalanche", "data-avalanche": avalanche }));
  });
  sites.append(element("rect", { width: 1, height: 1, class: "critnb-site", visibility: "hidden" }));
  sites.append(element("rect", { class: "critnb-brush", visibility: "hidden" }));
  lattice.append(sites);
  svg.append(lattice);
  svg.append(element("rect", { x: LEFT, y: TOP, ...inner, class: "critnb-border" }));
  axis(svg, scene, view, shape);
  return { svg, sites };
}

// the site [token, layer] under the pointer
function siteAt(sites, scene, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(sites.getScreenCTM().inverse());
  return [clamp(Math.floor(at.x), 0, scene.length - 1), scene.layers - 1 - clamp(Math.floor(at.y), 0, scene.layers - 1)];
}

const many = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const span = (noun, first, last) => (first === last ? `${noun} ${first}` : `${noun}s ${first}–${last} (${last - first + 1})`);

// what lies in a brushed part, in words
function brushed(scene, [first, last, low, high]) {
  const inside = scene.sites.filter(([token, layer]) => token >= first && token <= last && layer >= low && layer <= high);
  const groups = new Set(inside.map(([, , avalanche]) => avalanche));
  const where = `${span("token", first, last)}, ${span("layer", low, high)}: `;
  if (scene.kinds) {
    const counts = scene.avalanches.map(({ words }, kind) => [words, inside.filter((site) => site[2] === kind).length]);
    return where + counts.map(([words, n]) => `${many(n, "site")} ${words}`).join(", ");
  }
  const events = inside.reduce((sum, [, , , n]) => sum + n, 0), all = (last - first + 1) * (high - low + 1);
  return `${where}${many(events, "event")} on ${inside.length} of ${many(all, "site")}, of ${many(groups.size, "avalanche")}`;
}
