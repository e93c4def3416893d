// The lists and numbers beside the photograph. All texts are set as text: names come from files of others.

import { trace } from "./drawing.js";

const at = (id) => document.getElementById(id);
const percent = (share) => `${Number((100 * share).toPrecision(2))} %`; // 100, not 1.0e+2
const number = (value) => (Math.abs(value) >= 10 ? Math.round(value) : Math.round(10 * value) / 10).toLocaleString("en");
const known = (value) => typeof value === "number" && Number.isFinite(value);

function make(tag, text, facts = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, facts);
}

export class Panels {
  constructor(review, acts) {
    this.review = review;
    this.acts = acts;
  }

  // Makes the lists anew: after the session was read.
  build() {
    const { review, acts } = this;
    const { classes, images, windows } = review.session;
    at("classes").replaceChildren(...classes.map((each, label) => this.classRow(each, label)));
    at("relabel").replaceChildren(...classes.map((each, label) => make("option", each.name, { value: label })));
    at("windows-section").hidden = !windows.length;
    at("images-section").open ||= !windows.length;
    at("windows").replaceChildren(
      ...windows.map((task, i) => this.entry(`${i + 1}. ${images[task.image].name}`, task.reviewed ? "✓" : "", () => acts.openWindow(i))),
    );
    at("images").replaceChildren(
      ...images.map((image, i) => this.entry(image.name, number(image.count) + (image.reviewed ? " ✓" : ""), () => acts.openImage(i))),
    );
    at("keep-threshold").hidden = !review.session.saves_threshold;
    this.estimate();
  }

  entry(name, fact, action) {
    const button = make("button", undefined, { type: "button", onclick: action, title: name });
    button.append(make("span", name), make("span", fact));
    const item = make("li");
    item.append(button);
    return item;
  }

  classRow({ name, colour }, label) {
    const { review, acts } = this;
    const row = make("tr");
    const shown = make("input", undefined, { type: "checkbox", checked: !review.hidden.has(label) });
    shown.setAttribute("aria-label", `show ${name}`);
    shown.addEventListener("change", () => acts.show(label, shown.checked));
    const button = make("button", undefined, { type: "button", onclick: () => acts.chooseLabel(label) });
    button.title = "What is added is of this class";
    const symbol = make("canvas", undefined, { width: 24, height: 24 });
    const context = symbol.getContext("2d");
    trace(context, label, 12, 12, 8);
    context.lineWidth = 2.5;
    context.strokeStyle = `rgb(${colour.join(" ")})`;
    context.stroke();
    button.append(symbol, make("span", name));
    if (label < 9) button.append(make("kbd", label + 1));
    row.append(make("td"), make("td"), make("td", ""), make("td", ""));
    row.cells[0].append(shown);
    row.cells[1].append(button);
    return row;
  }

  // Brings numbers and marks up to date: after every act.
  refresh() {
    const { review } = this;
    const { session } = review;
    const [here, photo] = [review.countsByClass(review.window), review.countsByClass(null)];
    const sum = (counts) => counts.reduce((total, each) => total + each, 0);
    [...at("classes").rows].forEach((row, label) => {
      row.cells[2].textContent = review.window ? number(here[label]) : "";
      row.cells[3].textContent = number(photo[label]);
      row.querySelector("button").setAttribute("aria-pressed", String(label === review.label));
    });
    at("here-head").textContent = review.window ? "window" : "";
    at("here-total").textContent = review.window ? number(sum(here)) : "";
    at("photo-total").textContent = number(sum(photo));
    at("threshold").value = review.threshold;
    at("threshold-said").value = review.threshold.toFixed(2);
    at("keep-threshold").disabled = Math.abs(review.threshold - session.threshold) < 1e-9;
    at("changed").textContent = review.changed;
    at("changed").hidden = !review.changed;
    const drawn = review.task === null ? "" : `Window ${review.task + 1} of ${session.windows.length} · `;
    at("place").textContent = session.images.length ? `${drawn}${review.shape.name}` : "";
    const reviewed = session.windows.filter((each) => each.reviewed).length;
    at("progress").textContent = session.windows.length ? `${reviewed} of ${session.windows.length} windows reviewed` : "";
    document.querySelector("[data-do=reopen]").hidden = !session.windows[review.task]?.reviewed;
    at("done-words").textContent = review.task === null ? "Nothing more in this view" : "Nothing more here";
    for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === review.mode));
    this.current("windows", review.task);
    this.current("images", review.task === null ? review.image : null);
    this.object();
  }

  current(list, chosen) {
    [...at(list).children].forEach((item, i) => {
      const on = i === chosen;
      if (on && item.firstChild.getAttribute("aria-current") !== "true") item.scrollIntoView({ block: "nearest" });
      item.firstChild.setAttribute("aria-current", String(on));
    });
  }

  object() {
    const { review } = this;
    const { chosen } = review;
    at("object").textContent = chosen ? this.words(chosen) : "None selected: click one, or press J.";
    for (const tool of at("object-tools").querySelectorAll("button, select")) tool.disabled = !chosen;
    const cam = document.querySelector("[data-do=gradcam]");
    cam.hidden = !review.session.explains;
    cam.setAttribute("aria-pressed", String(review.camShown));
    if (chosen) at("relabel").value = chosen.label;
  }

  words(object) {
    const { review } = this;
    const listed = review.listed();
    const position = listed.indexOf(object);
    const place = position < 0 ? "" : ` (${position + 1} of ${listed.length})`;
    const score = object.status === "added" || object.score === null ? "" : `, score ${object.score.toFixed(2)}`;
    const said = { found: "not looked at", candidate: "not looked at" }[object.status] ?? object.status;
    return `${review.session.classes[object.label].name}${score}, ${said}${place}`;
  }

  estimate() {
    const found = this.review.session.estimate;
    at("estimate-section").hidden = !found;
    if (!found) return;
    const total = known(found.estimate);
    at("estimate").textContent = total ? number(found.estimate) : "—";
    at("interval").textContent = known(found.low) && known(found.high)
      ? `${number(found.low)} to ${number(found.high)} (95 % interval)`
      : "an interval needs more reviewed windows";
    const lines = [`The model counted ${number(found.count ?? 0)}.`];
    if (known(found.share_reviewed)) lines.push(`${number(found.windows_reviewed ?? 0)} windows reviewed: ${percent(found.share_reviewed)} of the area.`);
    const [recall, precision] = [found.recall?.value, found.precision?.value];
    if (known(recall)) lines.push(`It found about ${percent(recall)} of what is there.`);
    if (known(precision)) lines.push(`About ${percent(precision)} of what it found is right.`);
    if (known(found.windows_for_10_percent)) lines.push(`For an interval of ±10 %: about ${number(found.windows_for_10_percent)} windows in all.`);
    const warnings = [found.warning ?? []].flat().filter((each) => typeof each === "string");
    at("estimate-more").replaceChildren(
      ...lines.map((text) => make("p", text)), ...warnings.map((text) => make("p", text, { className: "warning" })), ...this.byClass(found.per_class),
    );
  }

  byClass(classes) {
    if (!classes || typeof classes !== "object" || Object.keys(classes).length < 2) return [];
    const details = make("details", undefined, { open: at("estimate-more").querySelector("details")?.open ?? false });
    const lines = Object.entries(classes)
      .filter(([, each]) => known(each?.estimate))
      .map(([name, each]) => make("p", `${name}: ${number(each.estimate)}${known(each.low) && known(each.high) ? ` (${number(each.low)} to ${number(each.high)})` : ""}`));
    details.append(make("summary", "By class"), ...lines);
    return [details];
  }
}
