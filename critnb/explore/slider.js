const MOST_MARKS = 32;

const make = (name, className, words = "") => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = words;
  return made;
};

function render({ model, el }) {
  const frame = make("div", "critnb-slider"), label = make("span", "critnb-slider-label"), track = make("div", "critnb-track");
  const handle = make("div", "critnb-handle"), shown = make("span", "critnb-slider-value");
  frame.dataset.lmSuppressShortcuts = "true";
  handle.tabIndex = 0;
  handle.setAttribute("role", "slider");
  frame.append(label, track, shown);
  el.append(frame);

  const stops = () => model.get("stops"), low = () => stops()[0], high = () => stops().at(-1);
  const share = (stop) => (high() > low() ? (stop - low()) / (high() - low()) : 0.5);
  const nearest = (value) => stops().reduce((best, stop) => (Math.abs(stop - value) < Math.abs(best - value) ? stop : best));
  const words = (stop) => model.get("texts")[stops().indexOf(stop)] ?? `${stop}`;
  let drawn = model.get("value");

  const place = (value) => {
    drawn = value;
    handle.style.left = `${100 * share(value)}%`;
    shown.textContent = words(value);
    handle.setAttribute("aria-valuenow", value);
    handle.setAttribute("aria-valuetext", words(value));
  };
  const redraw = () => {
    label.textContent = model.get("label");
    handle.setAttribute("aria-label", model.get("label"));
    handle.setAttribute("aria-valuemin", low());
    handle.setAttribute("aria-valuemax", high());
    const marks = stops().length <= MOST_MARKS ? stops() : [];
    track.replaceChildren(...marks.map((stop) => {
      const mark = make("span", "critnb-mark");
      mark.style.left = `${100 * share(stop)}%`;
      return mark;
    }), handle);
    place(model.get("value"));
  };
  const commit = (value) => {
    place(value);
    if (value !== model.get("value")) { model.set("value", value); model.save_changes(); }
  };

  const step = (by) => stops()[Math.max(0, Math.min(stops().length - 1, stops().indexOf(nearest(drawn)) + by))];
  const page = () => Math.max(1, Math.round(stops().length / 10));
  const keys = { ArrowRight: () => step(1), ArrowUp: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => step(-1),
    PageUp: () => step(page()), PageDown: () => step(-page()), Home: low, End: high };
  handle.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    commit(keys[event.key]());
  });
  track.addEventListener("pointerdown", (event) => {
    const box = track.getBoundingClientRect();
    const at = (moved) => place(nearest(low() + ((moved.clientX - box.left) / box.width) * (high() - low())));
    // a value is asked for once the handle rests
    const ended = () => {
      window.removeEventListener("pointermove", at);
      window.removeEventListener("pointerup", ended);
      window.removeEventListener("pointercancel", ended);
      commit(drawn);
    };
    window.addEventListener("pointermove", at);
    window.addEventListener("pointerup", ended);
    window.addEventListener("pointercancel", ended);
    at(event);
    handle.focus({ preventScroll: true });
    event.preventDefault();
  });

  const heard = { "change:stops": redraw, "change:texts": redraw, "change:label": redraw,
    "change:value": () => place(model.get("value")) };
  for (const [event, call] of Object.entries(heard)) model.on(event, call);
  redraw();
  return () => { for (const [event, call] of Object.entries(heard)) model.off(event, call); };
}

export default { render };
