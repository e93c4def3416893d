// What is reviewed, as the page knows it: plain data, and what follows from it. No document, no requests.

const SURE = new Set(["accepted", "relabelled", "moved", "added"]);

export function objectOf([id, x, y, w, h, label, score, status]) {
  return { id, x, y, w, h, label, score, status };
}

export class Review {
  constructor() {
    this.session = { classes: [], images: [], windows: [], threshold: 0.5, estimate: null };
    this.image = 0; // number of the photograph that is shown
    this.task = null; // number of the drawn window that is reviewed, null where the photograph is
    this.objects = [];
    this.reviewed = []; // windows of the photograph that a person has finished: [row, col, height, width]
    this.last = null; // number of the photograph's last act as it was read, null where nothing was done in it
    this.begun = 0; // number of the last act of all when the page was loaded: later ones of other pages are not undone here
    this.changed = ""; // what has become of the photograph's file since it was counted
    this.hidden = new Set(); // numbers of classes that are switched off
    this.label = 0; // the class of what is added
    this.threshold = 0.5;
    this.selected = null; // an object's id
    this.mode = "select"; // or point, box, move
    this.cross = null; // {x, y} of the cross in pixels of the photograph, for the keyboard
    this.stale = ""; // why the server could not write the corrections anew after an act that it kept
    this.cam = null; // Grad-CAM of an object: image, id, score, place and picture
    this.draft = null; // a box that is being drawn, or the object that is being moved
  }

  get shape() {
    return this.session.images[this.image];
  }

  get window() {
    if (this.task === null) return null;
    const [row, col, height, width] = this.session.windows[this.task].window;
    return { row, col, height, width };
  }

  get chosen() {
    return this.objects.find((each) => each.id === this.selected) ?? null;
  }

  // Whether Grad-CAM of the selected object is there to be drawn.
  get camShown() {
    return this.cam !== null && this.cam.image === this.image && this.cam.id === this.selected;
  }

  // Whether an object is counted at the threshold: by what a person said of it, else by its score.
  counted(object) {
    if (SURE.has(object.status)) return true;
    if (object.status === "rejected") return false;
    const run = this.session.threshold;
    return object.status === "found" ? this.threshold <= run || object.score >= this.threshold
      : this.threshold < run && object.score >= this.threshold;
  }

  confirmed(object) {
    return SURE.has(object.status);
  }

  // Whether an object is drawn: what is counted, and what was rejected, of the classes that are on.
  shown(object) {
    return !this.hidden.has(object.label) && (this.counted(object) || object.status === "rejected");
  }

  // Whether an object's centre is in a window: half open, and on the photograph's far edge in the last one.
  inside(object, window) {
    const x = Math.min(object.x, this.shape.width - 0.5);
    const y = Math.min(object.y, this.shape.height - 0.5);
    return x >= window.col && x < window.col + window.width && y >= window.row && y < window.row + window.height;
  }

  // The objects that can be gone through: those drawn, in the window if there is one, in lines from the top.
  listed() {
    const line = Math.max(1, (this.window?.height ?? this.shape.height) / 8);
    return this.objects
      .filter((each) => this.shown(each) && (this.window === null || this.inside(each, this.window)))
      .sort((one, other) => Math.floor(one.y / line) - Math.floor(other.y / line) || one.x - other.x);
  }

  countsByClass(window) {
    const counts = this.session.classes.map(() => 0);
    for (const each of this.objects) {
      if (this.counted(each) && (window === null || this.inside(each, window))) counts[each.label] += 1;
    }
    return counts;
  }

  // What is in a window when a person says that nothing more is: each object that is counted.
  contents(window) {
    return this.objects
      .filter((each) => this.counted(each) && this.inside(each, window))
      .map(({ id, x, y, w, h, label }) => ({ id, x, y, w, h, label: this.session.classes[label].name }));
  }

  replace(object) {
    const at = this.objects.findIndex((each) => each.id === object.id);
    if (at < 0) this.objects.push(object);
    else this.objects[at] = object;
  }

  // The drawn window to go to from the present one: the next that is open, by a step of 1 or -1; any after those.
  following(step) {
    const windows = this.session.windows;
    const from = this.task ?? (step > 0 ? -1 : windows.length);
    for (let i = 1; i <= windows.length; i += 1) {
      const at = (((from + step * i) % windows.length) + windows.length) % windows.length;
      if (step < 0 ? from + step * i >= 0 : !windows[at].reviewed) return at;
    }
    return null;
  }
}
