// The raster that one can hover and click: one path per avalanche, so that the browser finds what lies under the pointer.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 34, TOP = 20, GAP = 0.06, LEAST_LABELLED = 8.6, LONGEST_LABEL = 14, TITLE_WIDTH = 640;

const element = (name, attributes = {}, text = null) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
};

const paths = (scene) => {
  const found = scene.avalanches.map(() => []);
  for (const [token, layer, avalanche] of scene.sites) {
    const x = token + GAP, y = scene.layers - 1 - layer + GAP, side = 1 - 2 * GAP;
    found[avalanche].push(`M${x} ${y}h${side}v${side}h${-side}z`);
  }
  return found.map((squares) => squares.join(""));
};

function geometry(scene, available) {
  const labelled = scene.tokens.length > 0;
  const least = scene.wide ? LEAST_LABELLED : 3;
  const cell = Math.max(least, Math.min(26, (available - LEFT - 8) / scene.length));
  const tall = Math.max(7, Math.min(18, Math.max(cell, 11), 420 / scene.layers));
  const longest = Math.max(0, ...scene.tokens.map((token) => Math.min(token.length, LONGEST_LABEL)));
  return { cell, tall, labelled, below: labelled ? 12 + 6.2 * longest : 34 };
}

function axis(svg, scene, { cell, tall, labelled }) {
  const bottom = TOP + tall * scene.layers;
  const step = Math.ceil(scene.layers / Math.max(1, Math.floor((tall * scene.layers) / 14)));
  for (let layer = 0; layer < scene.layers; layer += step) {
    const y = TOP + tall * (scene.layers - layer - 0.5) + 3.5;
    svg.append(element("text", { x: LEFT - 5, y, "text-anchor": "end", class: "critnb-tick" }, layer));
  }
  svg.append(element("text", { x: 11, y: TOP + (tall * scene.layers) / 2, class: "critnb-tick", "text-anchor": "middle",
    transform: `rotate(-90 11 ${TOP + (tall * scene.layers) / 2})` }, "layer"));
  if (labelled) {
    scene.tokens.forEach((token, t) => {
      const x = LEFT + cell * (t + 0.5) + 3.5, y = bottom + 4;
      const shown = token.length > LONGEST_LABEL ? token.slice(0, LONGEST_LABEL - 1) + "…" : token;
      svg.append(element("text", { x, y, "text-anchor": "end", transform: `rotate(-90 ${x} ${y})`,
        class: "critnb-token", "data-token": t, style: `font-size:${Math.min(10, cell)}px` }, shown));
    });
    return;
  }
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n * cell >= 34) ?? 2000;
  for (let t = 0; t < scene.length; t += every) {
    const x = LEFT + cell * (t + 0.5);
    svg.append(element("text", { x, y: bottom + 13, "text-anchor": "middle", class: "critnb-tick" }, t));
  }
  svg.append(element("text", { x: LEFT + (cell * scene.length) / 2, y: bottom + 27, "text-anchor": "middle",
    class: "critnb-tick" }, "token position (index in the window)"));
}

function draw(model, root, tip) {
  const scene = model.get("scene");
  root.replaceChildren();
  if (!scene.length) return;
  const shape = geometry(scene, root.clientWidth || 900);
  const width = Math.max(LEFT + shape.cell * scene.length + 8, Math.min(TITLE_WIDTH, root.clientWidth)), height = TOP + shape.tall * scene.layers + shape.below;
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": scene.title });
  svg.append(element("text", { x: LEFT, y: 13, class: "critnb-title" }, scene.title));
  svg.append(element("rect", { x: LEFT, y: TOP, width: shape.cell * scene.length, height: shape.tall * scene.layers,
    class: "critnb-empty" }));
  const sites = element("g", { transform: `translate(${LEFT} ${TOP}) scale(${shape.cell} ${shape.tall})` });
  paths(scene).forEach((d, avalanche) => {
    const { colour, words } = scene.avalanches[avalanche];
    const path = element("path", { d, fill: colour, class: "critnb-avalanche", "data-avalanche": avalanche });
    path.addEventListener("pointerenter", (event) => {
      tip.textContent = words;
      tip.hidden = false;
      place(tip, root, event);
      light(svg, avalanche);
    });
    path.addEventListener("pointermove", (event) => place(tip, root, event));
    path.addEventListener("pointerleave", () => { tip.hidden = true; light(svg, null); });
    path.addEventListener("click", (event) => {
      event.stopPropagation();
      model.set("site", siteAt(sites, scene, event));
      pick(model, avalanche);
    });
    sites.append(path);
  });
  sites.append(element("rect", { width: 1, height: 1, class: "critnb-site", visibility: "hidden" }));
  svg.append(sites);
  svg.addEventListener("click", () => { model.set("site", []); pick(model, -1); });
  axis(svg, scene, shape);
  root.append(svg);
  mark(model, root);
}

// the cell [token, layer] under the pointer
function siteAt(sites, scene, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(sites.getScreenCTM().inverse());
  const inside = (value, n) => Math.max(0, Math.min(n - 1, Math.floor(value)));
  return [inside(at.x, scene.length), scene.layers - 1 - inside(at.y, scene.layers)];
}

function pick(model, avalanche) {
  model.set("picked", model.get("picked") === avalanche ? -1 : avalanche);
  model.save_changes();
}

function mark(model, root) {
  const picked = model.get("picked"), scene = model.get("scene"), [token, layer] = model.get("site");
  const chosen = root.querySelector(".critnb-site");
  chosen?.setAttribute("visibility", token === undefined ? "hidden" : "visible");
  if (token !== undefined) { chosen?.setAttribute("x", token); chosen?.setAttribute("y", scene.layers - 1 - layer); }
  root.querySelectorAll("[data-avalanche]").forEach((path) => {
    path.classList.toggle("critnb-picked", Number(path.dataset.avalanche) === picked);
  });
  const [first, last] = scene.avalanches[picked]?.tokens ?? [-1, -2];
  root.querySelectorAll("[data-token]").forEach((label) => {
    const t = Number(label.dataset.token);
    label.classList.toggle("critnb-spanned", t >= first && t <= last);
  });
}

function light(svg, avalanche) {
  svg.querySelectorAll(".critnb-lit").forEach((path) => path.classList.remove("critnb-lit"));
  if (avalanche !== null) svg.querySelector(`[data-avalanche="${avalanche}"]`).classList.add("critnb-lit");
}

function place(tip, root, event) {
  const box = root.getBoundingClientRect();
  const x = Math.min(event.clientX - box.left + 14, box.width - 330);
  tip.style.left = `${Math.max(0, x)}px`;
  tip.style.top = `${event.clientY - box.top + 16}px`;
}

// While somebody can click here, the still picture that an exported page shows in this place is not needed.
function hideTwin(name) {
  if (!name) return () => {};
  const style = document.createElement("style");
  style.textContent = `[data-critnb-twin="${name}"]{display:none}`;
  document.head.append(style);
  return () => style.remove();
}

export default {
  render({ model, el }) {
    const frame = document.createElement("div"), root = document.createElement("div"), tip = document.createElement("div");
    frame.className = "critnb-raster";
    root.className = "critnb-scroll";
    tip.className = "critnb-tip";
    tip.hidden = true;
    frame.append(root, tip);
    el.append(frame);
    const redraw = () => { tip.hidden = true; draw(model, root, tip); };
    const remark = () => mark(model, root);
    model.on("change:scene", redraw);
    model.on("change:picked", remark);
    model.on("change:site", remark);
    let known = 0;
    const resized = new ResizeObserver(() => {
      if (Math.abs(root.clientWidth - known) > 2) { known = root.clientWidth; redraw(); }
    });
    resized.observe(root);
    redraw();
    const show = hideTwin(model.get("twin"));
    return () => {
      show();
      resized.disconnect();
      model.off("change:scene", redraw);
      model.off("change:picked", remark);
      model.off("change:site", remark);
    };
  },
};
