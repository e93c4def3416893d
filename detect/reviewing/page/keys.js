// The keyboard: everything that a mouse can do.

import { boxed } from "./hands.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN = 0.15; // of the view, an arrow
const ZOOM = 1.4;

export class Keys {
  constructor(viewer, review, drawing, acts) {
    Object.assign(this, { viewer, review, drawing, acts, corner: null });
    document.addEventListener("keydown", (event) => this.down(event));
  }

  down(event) {
    const field = event.target.closest("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || (field && event.key !== "Escape") || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.closest("button, summary")) return;
    if (this.arrow(event) || this.key(event)) event.preventDefault();
  }

  key(event) {
    const { review, acts } = this;
    const digit = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
    if (digit >= 0 && digit < review.session.classes.length) {
      if (review.chosen) acts.relabel(digit);
      else acts.chooseLabel(digit);
      return true;
    }
    const does = {
      a: () => acts.accept(), x: () => acts.reject(), delete: () => acts.reject(), z: () => acts.undo(),
      d: () => acts.done(), o: () => acts.reopen(), n: () => acts.go(event.shiftKey ? -1 : 1), j: () => acts.step(1), k: () => acts.step(-1),
      p: () => this.begin("point"), b: () => this.begin("box"), m: () => this.begin("move"), h: () => acts.help(),
      "?": () => acts.help(), g: () => acts.gradCam(event.shiftKey ? "class" : "object"), escape: () => this.escape(), enter: () => this.enter(), 0: () => acts.fit(),
      "+": () => this.zoom(ZOOM), "=": () => this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM),
      "<": () => acts.setThreshold(review.threshold - 0.01), ">": () => acts.setThreshold(review.threshold + 0.01),
      ",": () => acts.setThreshold(review.threshold - 0.01), ".": () => acts.setThreshold(review.threshold + 0.01),
    }[event.key.toLowerCase()];
    does?.();
    return does !== undefined;
  }

  // Leaves what was begun, else removes Grad-CAM, else selects nothing.
  escape() {
    if (this.review.mode !== "select" || !this.acts.removeCam()) this.begin("select");
  }

  // Begins to add or move with the cross, which stands in the middle of the view; Escape puts all back.
  begin(mode) {
    const { review, acts } = this;
    this.corner = null;
    review.draft = null;
    if (mode === "move" && (!review.chosen || review.chosen.status === "rejected")) {
      acts.say("Select an object first: J is the next one.");
      return;
    }
    if (mode === "select" && review.mode === "select") acts.select(null);
    if (mode === "move") review.draft = { ...review.chosen };
    acts.setMode(mode);
    if (mode === "point" || mode === "box") review.cross = this.middle();
    this.drawing.ask();
  }

  middle() {
    const centre = this.viewer.world.getItemAt(0).viewportToImageCoordinates(this.viewer.viewport.getCenter());
    const { width, height } = this.review.shape;
    return { x: Math.round(Math.min(Math.max(centre.x, 0), width)), y: Math.round(Math.min(Math.max(centre.y, 0), height)) };
  }

  arrow(event) {
    const way = ARROWS[event.key];
    const { review } = this;
    if (!way) return false;
    if (event.target.closest("nav, aside, header, footer")) return false;
    const step = (event.shiftKey ? 10 : 1) * Math.max(1, Math.round(1 / this.drawing.view.scale));
    const [dx, dy] = way.map((each) => each * step);
    const { width, height } = review.shape;
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    if (review.mode === "move" && review.draft) {
      const draft = review.draft;
      if (event.altKey && draft.w !== null) Object.assign(draft, { w: Math.max(1, draft.w + dx), h: Math.max(1, draft.h + dy) });
      else Object.assign(draft, { x: clamp(draft.x + dx, width), y: clamp(draft.y + dy, height) });
    } else if (review.cross && (review.mode === "point" || review.mode === "box")) {
      review.cross = { x: clamp(review.cross.x + dx, width), y: clamp(review.cross.y + dy, height) };
      if (this.corner) review.draft = { ...boxed(this.corner, review.cross), id: null, label: review.label, status: "added" };
    } else {
      const bounds = this.viewer.viewport.getBounds();
      this.viewer.viewport.panBy(new OpenSeadragon.Point(way[0] * PAN * bounds.width, way[1] * PAN * bounds.height));
    }
    this.drawing.ask();
    return true;
  }

  enter() {
    const { review, acts } = this;
    const { draft } = review;
    if (review.mode === "move" && draft) {
      review.draft = null;
      acts.moveTo(draft);
      acts.setMode("select");
    } else if (review.mode === "point" && review.cross) {
      acts.add({ ...review.cross, w: null, h: null });
    } else if (review.mode === "box" && review.cross && !this.corner) {
      this.corner = review.cross;
      acts.say("The first corner is set: move the cross to the opposite one, and press Enter.");
    } else if (review.mode === "box" && draft && draft.w >= 1 && draft.h >= 1) {
      this.corner = null;
      review.draft = null;
      acts.add(draft);
    }
  }

  zoom(by) {
    this.viewer.viewport.zoomBy(by);
    this.viewer.viewport.applyConstraints();
  }
}
