// What somebody can do with the raster: hover, click, brush and zoom, by pointer and by keyboard.
const DRAG = 4;
const KEYS = "Arrow keys go through the avalanches by size, Home and End to the largest and the smallest; with a brush through those "
  + "that it touches. Enter keeps one or lets it go, B brushes it, Shift and arrows move an edge of the brush, Escape removes the "
  + "brush. Plus and minus zoom, 0 shows all, Page Up and Page Down move along.";
const TOOLS = [["‹", "the next larger avalanche (arrow left)", "larger"], ["›", "the next smaller avalanche (arrow right)", "smaller"],
  ["+", "zoom in, to the brushed part where there is one (+)", "closer"], ["−", "zoom out (-)", "wider"],
  ["↔", "show the whole window (0)", "all"]];
const PRESSED = { ArrowRight: "smaller", ArrowDown: "smaller", ArrowLeft: "larger", ArrowUp: "larger", Home: "largest",
  End: "smallest", Enter: "keep", " ": "keep", b: "surround", B: "surround", "+": "closer", "=": "closer", "-": "wider",
  "0": "all", PageDown: "ahead", PageUp: "back", Escape: "clear" };
const EDGES = { ArrowRight: [1, 1], ArrowLeft: [1, -1], ArrowUp: [3, 1], ArrowDown: [3, -1] };

const make = (name, className, words = "") => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = words;
  return made;
};

class Raster {
  constructor(model, el) {
    this.model = model;
    this.focus = -1;
    this.frame = make("div", "critnb-raster");
    // JupyterLab and others would take single keys for commands of theirs
    this.frame.dataset.lmSuppressShortcuts = "true";
    this.title = make("span", "critnb-title");
    const bar = make("div", "critnb-bar");
    bar.append(this.title);
    if (model.get("tools")) bar.append(this.toolbar());
    this.stage = make("div", "critnb-stage");
    Object.assign(this.stage, { tabIndex: 0, title: "" });
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "raster");
    this.tip = make("div", "critnb-tip");
    this.tip.hidden = true;
    this.legend = make("div", "critnb-legend");
    this.said = make("div", "critnb-said");
    this.said.setAttribute("role", "status");
    this.said.setAttribute("aria-live", "polite");
    this.said.append(make("div", "critnb-held"), make("div", "critnb-brushed"));
    this.frame.append(bar, this.legend, this.stage, this.tip, this.said);
    el.append(this.frame);
    this.stage.addEventListener("keydown", (event) => this.pressed(event));
    this.stage.addEventListener("focus", () => this.say());
    this.listen();
    this.draw();
  }

  get scene() { return this.model.get("scene"); }
  get view() { const view = this.model.get("view"); return view.length ? view : whole(this.scene); }
  get brush() { return this.model.get("brush"); }

  set(name, value) { this.model.set(name, value); this.model.save_changes(); }

  listen() {
    const redraw = () => { this.tip.hidden = true; this.focus = -1; this.draw(); };
    this.heard = { "change:scene": redraw, "change:view": () => this.draw(), "change:picked": () => { this.mark(); this.say(); },
      "change:site": () => this.mark(), "change:brush": () => { this.mark(); this.say(); } };
    for (const [event, call] of Object.entries(this.heard)) this.model.on(event, call);
    let known = this.stage.clientWidth;
    this.resized = new ResizeObserver(() => {
      if (Math.abs(this.stage.clientWidth - known) > 2) { known = this.stage.clientWidth; this.draw(); }
    });
    this.resized.observe(this.stage);
  }

  remove() {
    this.resized.disconnect();
    for (const [event, call] of Object.entries(this.heard)) this.model.off(event, call);
  }

  toolbar() {
    const tools = make("span", "critnb-tools");
    for (const [sign, words, does] of TOOLS) {
      const button = make("button", `critnb-tool critnb-tool-${does}`, sign);
      Object.assign(button, { type: "button", title: words });
      button.setAttribute("aria-label", words);
      button.addEventListener("click", () => this[does]());
      tools.append(button);
    }
    return tools;
  }

  draw() {
    const scene = this.scene;
    this.title.textContent = scene.title;
    this.stage.setAttribute("aria-label", `${scene.title}. ${KEYS}`);
    this.explain();
    this.stage.replaceChildren();
    if (!scene.length) return;
    const { svg, sites } = picture(scene, this.view, this.stage.clientWidth || 900);
    this.sites = sites;
    sites.querySelectorAll("[data-avalanche]").forEach((path) => this.hover(path, Number(path.dataset.avalanche)));
    sites.addEventListener("pointerdown", (event) => this.began(event));
    svg.addEventListener("click", (event) => this.clicked(event));
    this.stage.append(svg);
    this.mark();
    this.say();
  }

  // colours that are kinds of sites, not avalanches
  explain() {
    this.legend.replaceChildren(...(this.scene.kinds ? this.scene.avalanches : []).map(({ colour, words }) => {
      const entry = make("span", "critnb-kind", words), swatch = make("span", "critnb-swatch");
      swatch.style.background = colour;
      entry.prepend(swatch);
      return entry;
    }));
  }

  hover(path, avalanche) {
    path.addEventListener("pointerenter", (event) => {
      this.tip.textContent = this.scene.avalanches[avalanche].words;
      this.tip.hidden = false;
      this.place(event);
      this.light(avalanche);
    });
    path.addEventListener("pointermove", (event) => this.place(event));
    path.addEventListener("pointerleave", () => { this.tip.hidden = true; this.light(this.focus); });
  }

  place(event) {
    const box = this.frame.getBoundingClientRect();
    this.tip.style.left = `${Math.max(0, Math.min(event.clientX - box.left + 14, box.width - 330))}px`;
    this.tip.style.top = `${event.clientY - box.top + 16}px`;
  }

  light(avalanche) {
    this.sites.querySelectorAll(".critnb-lit").forEach((path) => path.classList.remove("critnb-lit"));
    this.sites.querySelector(`[data-avalanche="${avalanche}"]`)?.classList.add("critnb-lit");
  }

  mark() {
    if (!this.sites) return;
    const picked = this.model.get("picked"), scene = this.scene, [token, layer] = this.model.get("site");
    this.box(".critnb-site", token === undefined ? [] : [token, token, layer, layer]);
    // a frame around all that is seen says nothing
    this.box(".critnb-brush", this.brush.length && this.holds(this.brush, this.view) ? [] : this.brush);
    this.stage.querySelectorAll("[data-avalanche]").forEach((path) => {
      path.classList.toggle("critnb-picked", Number(path.dataset.avalanche) === picked);
    });
    const [first, last] = scene.avalanches[picked]?.tokens ?? [-1, -2];
    this.stage.querySelectorAll("[data-token]").forEach((label) => {
      const t = Number(label.dataset.token);
      label.classList.toggle("critnb-spanned", t >= first && t <= last);
    });
    this.light(this.focus);
  }

  box(selector, [first, last, low, high]) {
    const rect = this.sites.querySelector(selector);
    rect.setAttribute("visibility", first === undefined ? "hidden" : "visible");
    if (first === undefined) return;
    const found = { x: first, y: this.scene.layers - 1 - high, width: last - first + 1, height: high - low + 1 };
    for (const [name, value] of Object.entries(found)) rect.setAttribute(name, value);
  }

  // what a screen reader says, and anybody reads, about the focused avalanche and the brushed part
  say() {
    const scene = this.scene, order = this.order(), held = scene.avalanches[this.focus];
    const place = scene.kinds ? "" : ` · ${order.indexOf(this.focus) + 1} of ${order.length} by size`;
    const hint = this.model.get("tools") ? "Hover over an avalanche, click it to keep it, drag over a part to brush it, + zooms to it. "
      + "By keyboard: arrows, Enter, B, + − 0." : "";
    const part = this.brush.length ? `brushed ${brushed(scene, this.brush)}` : "";
    const [first, second] = this.said.children;
    this.said.classList.toggle("critnb-hint", !held && !part);
    // what is kept stands below in full already
    first.classList.toggle("critnb-unseen", Boolean(held) && this.focus === this.model.get("picked"));
    const words = held ? held.words + place : part ? "" : hint;
    if (first.textContent !== words) first.textContent = words;
    if (second.textContent !== part) second.textContent = part;
  }

  order() {
    const { order, sites } = this.scene, brush = this.brush;
    if (!brush.length) return order;
    const [first, last, low, high] = brush;
    const inside = sites.filter(([token, layer]) => token >= first && token <= last && layer >= low && layer <= high);
    const touched = new Set(inside.map(([, , avalanche]) => avalanche));
    return order.filter((avalanche) => touched.has(avalanche));
  }

  // pointer: a click picks, a drag brushes
  began(event) {
    if (event.button !== 0) return;
    const scene = this.scene, [token, layer] = siteAt(this.sites, scene, event), from = [event.clientX, event.clientY];
    let part = null;
    this.dragged = false;
    const moved = (next) => {
      if (!part && Math.hypot(next.clientX - from[0], next.clientY - from[1]) < DRAG) return;
      const [t, l] = siteAt(this.sites, scene, next);
      part = [Math.min(token, t), Math.max(token, t), Math.min(layer, l), Math.max(layer, l)];
      this.tip.hidden = true;
      this.box(".critnb-brush", part);
    };
    const ended = () => {
      window.removeEventListener("pointermove", moved);
      window.removeEventListener("pointerup", ended);
      window.removeEventListener("pointercancel", ended);
      this.dragged = part !== null;
      if (part) this.set("brush", part);
    };
    window.addEventListener("pointermove", moved);
    window.addEventListener("pointerup", ended);
    window.addEventListener("pointercancel", ended);
    this.stage.focus({ preventScroll: true });
    event.preventDefault();
  }

  clicked(event) {
    if (this.dragged) { this.dragged = false; return; }
    const avalanche = event.target.dataset?.avalanche;
    this.model.set("site", avalanche === undefined ? [] : siteAt(this.sites, this.scene, event));
    if (avalanche === undefined && this.brush.length) this.model.set("brush", []);
    this.pick(avalanche === undefined ? -1 : Number(avalanche));
  }

  pick(avalanche) {
    this.set("picked", this.model.get("picked") === avalanche ? -1 : avalanche);
  }

  // keyboard
  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const edge = event.shiftKey ? EDGES[event.key] : undefined, does = PRESSED[event.key];
    if (!edge && !does) return;
    event.preventDefault();
    event.stopPropagation();
    if (edge) this.stretch(...edge);
    else this[does]();
  }

  go(avalanche) {
    if (avalanche === undefined) return;
    this.focus = avalanche;
    this.reveal(avalanche);
    this.light(avalanche);
    this.say();
  }

  step(by) {
    const order = this.order(), at = order.indexOf(this.focus);
    this.go(at < 0 ? order[0] : order[clamp(at + by, 0, order.length - 1)]);
  }

  larger() { this.step(-1); }
  smaller() { this.step(+1); }
  largest() { this.go(this.order()[0]); }
  smallest() { this.go(this.order().at(-1)); }
  keep() { if (this.focus >= 0) { this.model.set("site", this.siteOf(this.focus)); this.pick(this.focus); } }

  // the first site of an avalanche, for what acts on a site
  siteOf(avalanche) { return (this.scene.sites.find((site) => site[2] === avalanche) ?? []).slice(0, 2); }

  surround() {
    const held = this.scene.avalanches[this.focus];
    if (held?.layers) this.set("brush", [...held.tokens, ...held.layers]);
  }

  stretch(edge, by) {
    const from = this.brush.length ? [...this.brush] : this.view.slice(), most = whole(this.scene)[edge];
    from[edge] = clamp(from[edge] + by, from[edge - 1], most);
    this.set("brush", from);
  }

  clear() { if (this.brush.length) this.set("brush", []); else { this.focus = -1; this.light(-1); this.say(); } }

  // views
  look(view) {
    const all = whole(this.scene);
    this.set("view", view.every((end, i) => end === all[i]) ? [] : view);
  }

  closer() {
    const brush = this.brush, view = this.view;
    if (brush.length && brush.some((end, i) => end !== view[i]) && this.holds(view, brush)) { this.look(brush); return; }
    const [first, last] = view, width = last - first + 1, focused = this.scene.avalanches[this.focus]?.tokens;
    if (width > 4) this.centre(focused ? (focused[0] + focused[1]) / 2 : (first + last) / 2, Math.ceil(width / 2));
  }

  wider() {
    const [first, last, low, high] = this.view, scene = this.scene, width = last - first + 1;
    if (width >= scene.length) { this.all(); return; }
    const more = Math.ceil((high - low + 1) / 2), layers = [Math.max(0, low - more), Math.min(scene.layers - 1, high + more)];
    this.centre((first + last) / 2, Math.min(scene.length, 2 * width), layers);
  }

  all() { this.set("view", []); }
  ahead() { this.slide(+1); }
  back() { this.slide(-1); }

  slide(by) {
    const [first, last] = this.view, width = last - first + 1;
    this.centre((first + last) / 2 + by * Math.ceil(width / 2), width);
  }

  centre(at, width, layers = this.view.slice(2)) {
    const first = clamp(Math.round(at - (width - 1) / 2), 0, this.scene.length - width);
    this.look([first, first + width - 1, ...layers]);
  }

  holds(outer, inner) { return inner[0] >= outer[0] && inner[1] <= outer[1] && inner[2] >= outer[2] && inner[3] <= outer[3]; }

  // move the view to an avalanche that lies outside
  reveal(avalanche) {
    const { tokens, layers } = this.scene.avalanches[avalanche], [first, last, low, high] = this.view;
    if (!layers) return;
    const seen = tokens[0] <= last && tokens[1] >= first && layers[0] <= high && layers[1] >= low;
    if (seen) return;
    const rows = high - low, bottom = clamp(Math.round((layers[0] + layers[1] - rows) / 2), 0, this.scene.layers - 1 - rows);
    this.centre((tokens[0] + tokens[1]) / 2, last - first + 1, [bottom, bottom + rows]);
  }
}

// While somebody can click here, the still picture that an exported page shows in this place is not needed.
function hideTwin(name) {
  if (!name) return () => {};
  const style = document.createElement("style");
  style.textContent = `[data-critnb-twin="${name}"]{display:none}`;
  document.head.append(style);
  return () => style.remove();
}

// Tell the kernel, once, that somebody turns to the panel that the raster is part of.
function tellOfVisitors(model, el) {
  const selector = `.${model.get("panel")}`, kinds = ["focusin", "pointerover"];
  if (selector === "." || model.get("visited")) return () => {};
  const leave = () => kinds.forEach((kind) => document.removeEventListener(kind, came));
  const came = (event) => {
    if (!event.target.closest?.(selector)?.contains(el)) return;
    leave();
    model.set("visited", true);
    model.save_changes();
  };
  kinds.forEach((kind) => document.addEventListener(kind, came));
  return leave;
}

export default {
  render({ model, el }) {
    const raster = new Raster(model, el), ended = [hideTwin(model.get("twin")), tellOfVisitors(model, el)];
    return () => { ended.forEach((end) => end()); raster.remove(); };
  },
};
