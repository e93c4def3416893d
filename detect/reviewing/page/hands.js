// Mouse, pen and finger on the photograph. OpenSeadragon tells them apart and pans and zooms; what is ours is kept from it.

const LEAST_BOX_PX = 6; // on the screen: less is a click

function reach(event) {
  return event.originalEvent?.pointerType === "touch" ? 26 : 14;
}

export class Hands {
  constructor(viewer, review, drawing, acts) {
    Object.assign(this, { viewer, review, drawing, acts, drag: null });
    viewer.addHandler("canvas-press", (event) => this.press(event));
    viewer.addHandler("canvas-drag", (event) => this.dragged(event));
    viewer.addHandler("canvas-drag-end", () => this.dragged_end());
    viewer.addHandler("canvas-release", () => this.dragged_end());
    viewer.addHandler("canvas-click", (event) => this.click(event));
    this.pointer = null; // where it is over the photograph, in pixels of the screen
    viewer.canvas.addEventListener("pointermove", ({ clientX, clientY }) => {
      const { left, top } = viewer.canvas.getBoundingClientRect();
      this.pointer = { x: clientX - left, y: clientY - top };
    });
    viewer.canvas.addEventListener("pointerleave", () => (this.pointer = null));
    viewer.addHandler("canvas-key", (event) => {
      event.preventDefaultAction = true; // the keys are ours
    });
  }

  // The place in pixels of the photograph, kept inside it.
  place(position) {
    const { left, top, scale } = this.drawing.view;
    const { width, height } = this.review.shape;
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    return { x: within((position.x - left) / scale, width), y: within((position.y - top) / scale, height) };
  }

  // The object under a place of the screen: the nearest centre within reach, else the smallest box around it.
  under(position, most) {
    const { review } = this;
    const { left, top, scale } = this.drawing.view;
    let best = null;
    let least = most;
    for (const each of review.objects) {
      if (!review.shown(each)) continue;
      const away = Math.hypot(each.x * scale + left - position.x, each.y * scale + top - position.y);
      if (away < least) [best, least] = [each, away];
    }
    if (best) return best;
    const at = this.place(position);
    const around = review.objects.filter(
      (each) => review.shown(each) && each.w !== null && Math.abs(at.x - each.x) <= each.w / 2 && Math.abs(at.y - each.y) <= each.h / 2,
    );
    return around.sort((one, other) => one.w * one.h - other.w * other.h)[0] ?? null;
  }

  // The object under the pointer, else the nearest one; null where the pointer is elsewhere.
  atPointer() {
    if (!this.pointer || !this.drawing.view) return null;
    return this.under(this.pointer, 14) ?? this.under(this.pointer, Infinity);
  }

  press(event) {
    const { review } = this;
    if (!this.drawing.view) return;
    const at = this.place(event.position);
    const { chosen } = review;
    if (review.mode === "box") {
      this.drag = { kind: "box", from: at, begun: event.position };
    } else if ((review.mode === "select" || review.mode === "move") && chosen && chosen.status !== "rejected") {
      const corner = this.corner(chosen, event);
      if (corner) this.drag = { kind: "corner", fixed: corner, object: { ...chosen }, begun: event.position };
      else if (this.under(event.position, reach(event)) === chosen) {
        this.drag = { kind: "move", from: at, object: { ...chosen }, begun: event.position };
      }
    }
  }

  // The corner of a box opposite to the one that is pressed; null where none is.
  corner(object, event) {
    if (object.w === null) return null;
    const { left, top, scale } = this.drawing.view;
    for (const [dx, dy] of [[-1, -1], [1, -1], [-1, 1], [1, 1]]) {
      const x = (object.x + (dx * object.w) / 2) * scale + left;
      const y = (object.y + (dy * object.h) / 2) * scale + top;
      if (Math.hypot(x - event.position.x, y - event.position.y) < reach(event) - 2) {
        return { x: object.x - (dx * object.w) / 2, y: object.y - (dy * object.h) / 2 };
      }
    }
    return null;
  }

  dragged(event) {
    const { drag, review } = this;
    if (!drag) return;
    event.preventDefaultAction = true;
    const at = this.place(event.position);
    if (Math.hypot(event.position.x - drag.begun.x, event.position.y - drag.begun.y) < LEAST_BOX_PX) review.draft = null;
    else if (drag.kind === "box") review.draft = { ...boxed(drag.from, at), id: null, label: review.label, status: "added" };
    else if (drag.kind === "corner") review.draft = { ...drag.object, ...boxed(drag.fixed, at) };
    else {
      const { width, height } = review.shape;
      const x = Math.min(Math.max(drag.object.x + at.x - drag.from.x, 0), width);
      const y = Math.min(Math.max(drag.object.y + at.y - drag.from.y, 0), height);
      review.draft = { ...drag.object, x, y };
    }
    this.drawing.ask();
  }

  dragged_end() {
    const { drag, review } = this;
    this.drag = null;
    const { draft } = review;
    if (!drag || !draft) return;
    review.draft = null;
    if (draft.w !== null && draft.w !== undefined && !(draft.w >= 1 && draft.h >= 1)) this.drawing.ask();
    else if (drag.kind === "box") this.acts.add(draft);
    else this.acts.moveTo(draft);
  }

  click(event) {
    event.preventDefaultAction = true;
    if (!event.quick || !this.drawing.view) return;
    const { review, acts } = this;
    const found = this.under(event.position, reach(event));
    if (review.mode === "point") acts.add({ ...this.place(event.position), w: null, h: null });
    else if (review.mode !== "box") acts.select(found?.id ?? null);
  }
}

export function boxed(one, other) {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, w: Math.abs(one.x - other.x), h: Math.abs(one.y - other.y) };
}
