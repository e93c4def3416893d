// The page: puts photograph, marks, lists, mouse and keyboard together. What a person does is kept by the server first.

import { Drawing } from "./drawing.js";
import { GradCam } from "./grad_cam.js";
import { Hands } from "./hands.js";
import { Keys } from "./keys.js";
import { Panels } from "./panels.js";
import { Review, objectOf } from "./review.js";
import { get, post } from "./server.js";

const at = (id) => document.getElementById(id);
const review = new Review();
const viewer = OpenSeadragon({
  element: at("viewer"),
  showNavigationControl: false,
  showNavigator: true,
  navigatorPosition: "BOTTOM_LEFT",
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false },
  gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false },
  maxZoomPixelRatio: 16,
  animationTime: 0.4,
  immediateRender: true,
  drawer: "canvas",
  tabIndex: "", // the element around it has the focus
  imageLoaderLimit: 6,
});
const drawing = new Drawing(viewer, review);

function trouble(error) {
  at("trouble").textContent = error?.message ?? "";
  at("trouble").hidden = !error;
}

// Does one thing after the other, and shows what goes wrong.
let queue = Promise.resolve();
function inTurn(action) {
  queue = queue.then(async () => {
    try {
      await action();
      trouble(review.stale ? new Error(review.stale) : null);
    } catch (error) {
      trouble(error);
    }
    panels.refresh();
    drawing.ask();
  });
  return queue;
}

async function readSession() {
  const first = !review.session.images.length;
  review.session = await get("api/session");
  if (first) Object.assign(review, { threshold: review.session.threshold, begun: review.session.newest });
  panels.build();
}

async function readObjects() {
  const { objects, reviewed, last, changed } = await get(`api/images/${review.image}`);
  Object.assign(review, { objects: objects.map(objectOf), reviewed, last, changed });
  if (review.chosen === null) review.selected = null;
}

// Draws the tiles anew with each quarter that the server has read of a large photograph, and says how far it is, or why
// it cannot be shown.
async function untilReady(image, drawn = null) {
  if (image !== review.image) return;
  try {
    const { ready, share } = await get(`api/images/${image}/ready`);
    if (image !== review.image) return;
    if (at("said").textContent.startsWith("The photograph")) acts.say(ready ? "" : `The photograph is being read: ${Math.floor(100 * share)} %.`);
    const quarter = ready ? 4 : Math.floor(4 * share);
    if (drawn !== null && quarter > drawn) for (const each of [viewer, viewer.navigator]) each.world.getItemAt(0)?.reset();
    if (!ready) setTimeout(() => untilReady(image, quarter), 1000);
  } catch (error) {
    trouble(error);
  }
}

async function show(image, task) {
  const fresh = image !== review.image || !viewer.world.getItemCount();
  Object.assign(review, { image, task, selected: null, draft: null, cross: null, mode: "select" });
  if (fresh) {
    Object.assign(review, { objects: [], reviewed: [] });
    panels.refresh();
    viewer.close();
    await readObjects(); // before tiles keep all of the browser's connections
    const opened = new Promise((resolve) => ["open", "open-failed"].forEach((name) => viewer.addOnceHandler(name, resolve)));
    viewer.open(source(image));
    await opened;
    acts.say("The photograph is being opened.");
    untilReady(image);
  }
  acts.fit(true);
}

function source(image) {
  const { width, height } = review.session.images[image];
  const maxLevel = Math.ceil(Math.log2(Math.max(width, height)));
  const getTileUrl = (level, col, row) => `tiles/${image}/${level}/${col}_${row}.jpg`;
  return { width, height, tileSize: review.session.tile, minLevel: 0, maxLevel, getTileUrl };
}

const history = []; // the photograph, the window and the number of each act, for undo

async function send(act, facts) {
  const answer = await post("api/acts", { act, image: review.shape.name, ...facts });
  review.stale = answer.trouble;
  if (answer.number !== null) history.push({ image: review.image, task: review.task, number: answer.number });
  return answer;
}

async function keep(act, facts) {
  const { object } = await send(act, facts);
  const made = object ? objectOf(object) : null;
  if (made) review.replace(made);
  if (made && review.reviewed.length) await readSession(); // what is changed in a reviewed window changes the estimate
  return made;
}

// Acts on the selected object, once what was asked before is done.
function onChosen(action) {
  inTurn(async () => {
    if (review.chosen) await action(review.chosen);
    else acts.say("Select an object first: click it, or press J.");
  });
}

function viewedWindow() {
  const { width, height } = review.shape;
  const bounds = viewer.world.getItemAt(0).viewportToImageRectangle(viewer.viewport.getBounds());
  const [left, top] = [Math.max(0, Math.ceil(bounds.x)), Math.max(0, Math.ceil(bounds.y))];
  const [right, bottom] = [Math.min(width, Math.floor(bounds.x + bounds.width)), Math.min(height, Math.floor(bounds.y + bounds.height))];
  if (right <= left || bottom <= top) throw new Error("Nothing of the photograph is in view.");
  return [top, left, bottom - top, right - left];
}

const acts = {
  say: (text) => (at("said").textContent = text),
  help: () => at("help").showModal(),
  select(id) {
    review.selected = id;
    if (review.mode === "move") acts.setMode("select");
    panels.refresh();
    drawing.ask();
    acts.say(review.chosen ? panels.words(review.chosen) : "");
  },
  setMode(mode) {
    review.mode = mode;
    if (mode !== "move") review.draft = null;
    viewer.canvas.style.cursor = mode === "select" ? "" : "crosshair";
    panels.refresh();
    acts.say({ point: "Click, or move the cross with the arrows and press Enter.", box: "Draw a box, or set two corners with the arrows and Enter.", move: "Drag it, or press the arrows, then Enter." }[mode] ?? "");
  },
  step: (by) =>
    inTurn(() => {
      const listed = review.listed();
      if (!listed.length) return acts.say("There is no object here.");
      const now = listed.findIndex((each) => each.id === review.selected);
      const next = now < 0 ? (by > 0 ? 0 : listed.length - 1) : (now + by + listed.length) % listed.length;
      acts.select(listed[next].id);
      acts.reveal(listed[next]);
    }),
  reveal(object) {
    const point = viewer.world.getItemAt(0).imageToViewportCoordinates(object.x, object.y);
    if (!viewer.viewport.getBounds().containsPoint(point, 0)) viewer.viewport.panTo(point);
  },
  chooseLabel(label) {
    review.label = label;
    panels.refresh();
    acts.say(`What is added is ${review.session.classes[label].name}.`);
  },
  show(label, on) {
    if (on) review.hidden.delete(label);
    else review.hidden.add(label);
    panels.refresh();
    drawing.ask();
  },
  setThreshold(value) {
    review.threshold = Math.round(Math.min(Math.max(value, 0), 1) * 100) / 100;
    panels.refresh();
    drawing.ask();
  },
  accept: () => onChosen(async ({ id }) => acts.after(await keep("accept", { id }))),
  reject: () => onChosen(async ({ id }) => acts.after(await keep("reject", { id }))),
  relabel: (label) => onChosen(async ({ id }) => acts.after(await keep("relabel", { id, label: review.session.classes[label].name }))),
  moveTo: ({ id, x, y, w, h }) => inTurn(async () => acts.after(await keep("move", { id, x, y, w, h }))),
  add: ({ x, y, w, h }) =>
    inTurn(async () => {
      const label = review.session.classes[review.label].name;
      const made = await keep("add", { x, y, w, h, label });
      review.hidden.delete(review.label);
      panels.build();
      acts.after(made);
    }),
  after(object) {
    if (!object) return;
    review.selected = review.objects.some((each) => each.id === object.id) ? object.id : null;
    acts.say(panels.words(object));
  },
  undo: () =>
    inTurn(async () => {
      const { image, task, number } = history.at(-1) ?? { ...review, number: review.last };
      if (number === null) return acts.say("Nothing was done in this photograph that could be undone.");
      if (!history.length && number > review.begun) throw new Error("Nothing is undone: what was done here last was done on another page; undo it there, or load this page anew to undo it here.");
      review.stale = (await post("api/acts", { act: "undo", image: review.session.images[image].name, of: number })).trouble;
      history.pop();
      await readSession();
      if (image !== review.image || task !== review.task) await show(image, task);
      await readObjects();
      acts.say("The last act is undone.");
    }),
  done: () =>
    inTurn(async () => {
      if (review.hidden.size) throw new Error("Some classes are not shown: show all of them before you say that nothing more is here.");
      const { image, task } = review;
      const window = task === null ? viewedWindow() : review.session.windows[task].window;
      const [row, col, height, width] = window;
      const objects = review.contents({ row, col, height, width });
      await send("done", { window, objects });
      await readSession();
      acts.say(`Kept: ${objects.length} ${objects.length === 1 ? "object" : "objects"} there.`);
      const next = task === null ? null : review.following(1);
      if (next !== null) await show(review.session.windows[next].image, next);
      if (next === null || image === review.image) await readObjects();
    }),
  reopen: () =>
    inTurn(async () => {
      const task = review.session.windows[review.task];
      if (!task?.reviewed) return acts.say("This window is open: press D when nothing more is there.");
      if (!review.reviewed.some((each) => each.join() === task.window.join())) return acts.say("Other reviewed windows cover this one: what is changed here counts, without opening it.");
      await send("reopen", { window: task.window });
      await readSession();
      await readObjects();
      acts.say("The window is open again.");
    }),
  go: (step) =>
    inTurn(async () => {
      const next = review.following(step);
      if (next !== null) await show(review.session.windows[next].image, next);
      else if (review.session.windows.length) acts.say("All drawn windows are reviewed.");
      else await show((review.image + step + review.session.images.length) % review.session.images.length, null);
    }),
  openWindow: (task) => inTurn(() => show(review.session.windows[task].image, task)),
  openImage: (image) => inTurn(() => show(image, null)),
  fit(at_once = false) {
    const item = viewer.world.getItemAt(0);
    if (!item) return;
    const window = review.window;
    if (!window) return viewer.viewport.goHome(at_once);
    const rim = 0.04 * Math.max(window.width, window.height);
    viewer.viewport.fitBounds(
      item.imageToViewportRectangle(window.col - rim, window.row - rim, window.width + 2 * rim, window.height + 2 * rim), at_once,
    );
  },
  gradCam: (score) => gradCam.toggle(score, () => hands.atPointer()),
  removeCam: () => gradCam.remove(),
  camChanged(error) {
    if (error !== undefined) trouble(error);
    panels.refresh();
    drawing.ask();
  },
  keepThreshold: () =>
    inTurn(async () => {
      const { said } = await post("api/threshold", { threshold: review.threshold });
      await readSession();
      await readObjects();
      acts.say(said);
    }),
};

const panels = new Panels(review, acts);
const gradCam = new GradCam(review, acts);
const hands = new Hands(viewer, review, drawing, acts);
const keys = new Keys(viewer, review, drawing, acts);

const buttons = { accept: acts.accept, reject: acts.reject, move: () => keys.begin("move"), undo: acts.undo, done: acts.done, reopen: acts.reopen, next: () => acts.go(1), previous: () => acts.go(-1), fit: () => acts.fit(), gradcam: () => acts.gradCam("object") };
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => buttons[button.dataset.do]());
for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => keys.begin(button.dataset.mode));
at("relabel").addEventListener("change", (event) => acts.relabel(Number(event.target.value)));
at("threshold").addEventListener("input", (event) => acts.setThreshold(Number(event.target.value)));
at("keep-threshold").addEventListener("click", acts.keepThreshold);
at("help-button").addEventListener("click", acts.help);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) inTurn(async () => { await readSession(); await readObjects(); });
});

at("viewer").focus();
inTurn(async () => {
  await readSession();
  const first = review.following(1);
  if (first !== null) await show(review.session.windows[first].image, first);
  else if (review.session.images.length) await show(review.session.windows[0]?.image ?? 0, review.session.windows.length ? 0 : null);
});
